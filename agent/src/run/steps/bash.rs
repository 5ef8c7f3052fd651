//! `bash`: a script that ends at its first error.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;
use tokio::time::sleep;

use super::context::{Outcome, StepContext};
use crate::run::environment;
use crate::run::exec::{self, Ending, Voice};
use crate::run::leftovers;
use crate::spool::{GroupRecord, is_full};

/// How long before a disk that was full is tried again.
const DISK_AGAIN: Duration = Duration::from_secs(1);

/// Runs the script in the workspace. It stands in a file outside of it, so that a step that cleans up cannot pull it
/// from under the shell.
pub(super) async fn run(
    script: &str,
    env: &BTreeMap<String, String>,
    timeout_seconds: Option<u32>,
    context: &mut StepContext<'_>,
) -> Outcome {
    let command = match prepare(script, env, context).await {
        Ok(command) => command,
        Err(message) => return Outcome::failed(None, message),
    };
    let limit = timeout_seconds.map(|seconds| Duration::from_secs(seconds.into()));
    let own_deadline = limit.map(|limit| context.clock.after(limit));
    let own_limit = limit.filter(|limit| *limit <= context.deadline.left());
    let build_deadline = context.deadline.clone();
    let deadline = match own_deadline {
        Some(own) => own.earlier(build_deadline),
        None => build_deadline,
    };
    let spool = context.spool;
    let remember = async |pgid: u32| {
        // A process that has ended already leaves nothing to remember.
        let Some(started) = leftovers::started(pgid) else {
            return;
        };
        if let Err(error) = spool.write_group(GroupRecord { pgid, started }) {
            tracing::warn!(build.id = %spool.lease().build, %error, "cannot remember a step's process group");
        }
    };
    let ending = exec::execute(
        command,
        Voice::Own,
        context.bounds,
        context.log,
        &deadline,
        &mut context.stop,
        remember,
    )
    .await;
    let explanation = context.bounds.explain();
    match ending {
        Ok(Ending::Exited(status)) if status.success() => Outcome::passed(status.code(), None),
        Ok(Ending::Exited(status)) => {
            let how = exec::describe(status);
            let message = explanation.map_or(how.clone(), |why| format!("{how}: {why}"));
            Outcome::failed(status.code(), message)
        }
        Ok(Ending::TimedOut) => Outcome::timed_out(match own_limit {
            Some(limit) => format!("ended by its time limit of {} s", limit.as_secs()),
            None => "ended by the time limit of the build".to_owned(),
        }),
        Ok(Ending::Stopped(stop)) => Outcome::stopped(&stop),
        Err(error) => Outcome::failed(None, format!("`bash` cannot be run: {error}")),
    }
}

async fn prepare(
    script: &str,
    env: &BTreeMap<String, String>,
    context: &StepContext<'_>,
) -> Result<Command, String> {
    let variables =
        environment::for_step(context.assignment, context.commit, context.workspace, env)
            .map_err(|name| format!("the environment variable `{name}` cannot be set"))?;
    let file: PathBuf = context
        .workspace
        .scratch
        .join(format!("step-{}.sh", context.index));
    write_script(&file, script, context)
        .await
        .map_err(|error| format!("the script cannot be written: {error}"))?;
    let mut command = context.bounds.command("bash");
    command
        .args(["-e", "-o", "pipefail"])
        .arg(file)
        .current_dir(&context.workspace.dir)
        .env_clear()
        .envs(variables);
    Ok(command)
}

/// Writes the script; a disk that is full is waited for, as the journal does, for it says nothing about the build.
async fn write_script(file: &Path, script: &str, context: &StepContext<'_>) -> io::Result<()> {
    let mut pause = None;
    loop {
        match tokio::fs::write(file, script).await {
            Err(error) if is_full(&error) && context.stop.reason().is_none() => {
                pause.get_or_insert_with(|| context.clock.pause());
                sleep(DISK_AGAIN).await;
            }
            result => return result,
        }
    }
}
