//! Use case: start a build, and if wanted see it through.

use super::args::Trigger as TriggerArgs;
use super::build_log::print_log;
use super::build_wait::wait_for_end;
use super::client::{Backoff, with_retries};
use super::error::{CliError, Exit};
use super::follow::LogPlace;
use super::job::find_job_id;
use super::output::{clean, short_commit};
use super::session::Session;
use crate::kit::random_token;
use testhide_protocol::api::{Build, Trigger};

/// Tries of the request; one key goes with all of them, so that there is one build.
const TRIES: u32 = 4;

/// Starts a build. With `--wait` or `--follow` the exit code is the build's.
pub(super) async fn run(session: &Session, args: TriggerArgs) -> Result<Exit, CliError> {
    let client = session.client()?;
    let job = find_job_id(&client, &args.job).await?.to_string();
    let trigger = Trigger {
        branch: args.branch,
        commit: args.commit,
        parameters: args.parameters.into_iter().collect(),
    };
    let key = random_token("cli_");
    let build: Build = with_retries(&session.out, TRIES, Backoff::usual(), async || {
        client
            .post_once(&["job", &job, "trigger"], &trigger, &key)
            .await
    })
    .await?;
    let number = build.build_number.to_string();
    if !args.wait && !args.follow {
        session.out.show(&build, |_| format!("build {number}\n"))?;
        session.out.say(&format!(
            "queued build {number} of {}; `testhide build log {number} -f` follows it",
            what(&build)
        ));
        return Ok(Exit::Ok);
    }
    session
        .out
        .say(&format!("queued build {number} of {}", what(&build)));
    if args.follow {
        print_log(session, &client, &LogPlace::new(&number).following(), false).await?;
    }
    wait_for_end(session, &client, &number, None).await
}

fn what(build: &Build) -> String {
    let commit = build
        .commit
        .as_deref()
        .map(|commit| format!(" at {}", short_commit(commit)))
        .unwrap_or_default();
    clean(&format!("{} on {}{commit}", build.job_name, build.branch))
}
