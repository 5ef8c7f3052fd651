//! The machine: its programs, and what holds the processes of builds.

use std::path::Path;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use super::report::Finding;
use crate::config::Config;
use crate::run::{Base, Means, Seen, Way};

/// How long a program may take to say its version.
const LIMIT: Duration = Duration::from_secs(5);

/// Open files that an agent and its steps can work with.
#[cfg(unix)]
const FEW_FILES: u64 = 1024;

/// Programs that steps and checkouts use.
pub(super) async fn programs() -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.push(match version("bash").await {
        Ok(version) => Finding::fine("bash", version),
        Err(why) => Finding::attention("bash", why, "install it: every script runs in it"),
    });
    findings.push(match version("git").await {
        Ok(version) => Finding::fine("git", version),
        Err(why) => Finding::attention("git", why, "install it, unless no job has a source"),
    });
    let python = match version("python3").await {
        Err(_) if cfg!(windows) => version("python").await,
        result => result,
    };
    findings.push(match python {
        Ok(version) => Finding::fine("python", version),
        Err(why) => Finding::note("python", format!("{why}; steps that need it fail")),
    });
    findings
}

/// The first line of what a program says of itself.
async fn version(program: &str) -> Result<String, String> {
    let mut command = Command::new(program);
    command.arg("--version").kill_on_drop(true);
    match timeout(LIMIT, command.output()).await {
        Ok(Ok(output)) if output.status.success() => {
            let said = String::from_utf8_lossy(&output.stdout);
            Ok(said.lines().next().unwrap_or_default().trim().to_owned())
        }
        Ok(Ok(output)) => Err(format!("`{program}` fails: {}", output.status)),
        Ok(Err(error)) => Err(format!("`{program}` cannot be run: {error}")),
        Err(_) => Err(format!(
            "`{program}` says nothing within {} s",
            LIMIT.as_secs()
        )),
    }
}

/// Which limits can be enforced, as the agent saw it at its last start; for one that never started, as it is here.
pub(super) fn limits(dir: &Path, config: &Config) -> Vec<Finding> {
    let (means, cgroup, whose) = match Seen::load(dir) {
        Some(seen) => (seen.means, seen.cgroup, "at the agent's last start"),
        None => {
            let cgroup = Base::possible();
            let controllers = cgroup.as_deref().unwrap_or_default();
            (
                Means::with(controllers),
                cgroup,
                "for an agent started from here",
            )
        }
    };
    let delegate = "under systemd, give the agent's unit `Delegate=memory pids cpu` and `DelegateSubgroup=testhide-agent`; without it a daemon \
                    of a step is still found and ended, as long as its runner lives";
    let mut findings = vec![match &cgroup {
        Ok(controllers) if controllers.is_empty() => Finding::note(
            "cgroup",
            format!("each attempt has a cgroup, which can hold no limits ({whose})"),
        )
        .advise(delegate),
        Ok(controllers) => Finding::fine(
            "cgroup",
            format!("each attempt has a cgroup with limits of {controllers} ({whose})"),
        ),
        Err(why) => Finding::note(
            "cgroup",
            format!("attempts have no cgroups: {why} ({whose})"),
        )
        .advise(delegate),
    }];
    let limits = config.machine().limits;
    for ((key, way), value) in means.ways().into_iter().zip(limits.values()) {
        findings.push(match (way, value) {
            (Way::Cgroup, Some(value)) => Finding::fine(
                "limits",
                format!("`{key}` is {value}; enforced over all processes of an attempt"),
            ),
            (Way::Process(over), Some(value)) => Finding::fine(
                "limits",
                format!("`{key}` is {value}; enforced over {over}"),
            ),
            (Way::Nothing(why), Some(value)) => Finding::attention(
                "limits",
                format!("`{key}` is {value} and is not enforced: {why}"),
                "let the agent use cgroups, or take the limit out",
            ),
            (Way::Cgroup, None) => Finding::fine(
                "limits",
                format!("`{key}` is not set; would hold over all processes of an attempt"),
            ),
            (Way::Process(over), None) => Finding::fine(
                "limits",
                format!("`{key}` is not set; would hold over {over}"),
            ),
            (Way::Nothing(why), None) => Finding::note(
                "limits",
                format!("`{key}` is not set; would not hold: {why}"),
            ),
        });
    }
    findings
}

/// The limit of open files that an agent started from here has.
pub(super) fn open_files() -> Finding {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, getrlimit};
        match getrlimit(Resource::Nofile).current {
            Some(count) if count < FEW_FILES => Finding::attention(
                "open files",
                format!("a process may have {count} files open"),
                format!("raise it to {FEW_FILES} or more (`ulimit -n`, `LimitNOFILE=`)"),
            ),
            Some(count) => Finding::fine(
                "open files",
                format!("a process may have {count} files open"),
            ),
            None => Finding::fine("open files", "a process may have any number of files open"),
        }
    }
    #[cfg(not(unix))]
    Finding::fine("open files", "this system has no such limit")
}

/// What a step can do to the agent itself.
pub(super) fn isolation(dir: &Path) -> Finding {
    let advice =
        "give jobs that are not trusted an agent with a user, container or machine of its own";
    Finding::note(
        "isolation",
        format!(
            "steps run as {}, as the agent does: they can read its key, its spool and what other jobs left in its directory",
            user_of(dir)
        ),
    )
    .advise(advice)
}

#[cfg(unix)]
fn user_of(dir: &Path) -> String {
    use std::os::unix::fs::MetadataExt;
    match std::fs::metadata(dir).map(|metadata| metadata.uid()) {
        Ok(0) => "root".to_owned(),
        Ok(user) => format!("user {user}"),
        Err(_) => "the agent's user".to_owned(),
    }
}

#[cfg(not(unix))]
fn user_of(_dir: &Path) -> String {
    "the agent's user".to_owned()
}
