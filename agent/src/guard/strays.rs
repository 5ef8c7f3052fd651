//! Processes that builds are known to leave on this machine, by name.

use std::collections::HashSet;
use std::time::Duration;

use sysinfo::{
    Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, Signal, System, UpdateKind,
};
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Between asking and killing.
const GRACE: Duration = Duration::from_secs(2);

/// Ends the processes of this user that have exactly these names; never this process, nor those that it was started from.
pub(super) async fn end(names: &[String]) {
    let wanted = names.to_vec();
    let asked = spawn_blocking(move || send(&wanted, Signal::Term, None)).await;
    let asked = asked.unwrap_or_default();
    if asked.is_empty() {
        return;
    }
    sleep(GRACE).await;
    // Only who was asked: a build may have begun meanwhile, and its processes may have these names.
    let names = names.to_vec();
    let killed = spawn_blocking(move || send(&names, Signal::Kill, Some(&asked))).await;
    if let Err(error) = killed {
        tracing::warn!(%error, "stray processes cannot be ended");
    }
}

/// Processes, by number and start: a number alone may have been given again.
type Strays = HashSet<(Pid, u64)>;

/// Signals them, of `only` these if it is given; gives who they are.
fn send(names: &[String], signal: Signal, only: Option<&Strays>) -> Strays {
    let Ok(mut system) = System::new() else {
        tracing::warn!("this machine's processes cannot be listed");
        return Strays::new();
    };
    let what = ProcessRefreshKind::nothing()
        .with_user(UpdateKind::Always)
        .with_exe(UpdateKind::Always)
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    let own = ancestors(&system);
    let user = |process: &Process| process.user_id().cloned();
    let this_user = own.iter().next().and_then(|_| {
        let this = sysinfo::get_current_pid().ok()?;
        user(system.process(this)?)
    });
    let strays = system.processes().values().filter(|process| {
        user(process) == this_user
            && this_user.is_some()
            && !own.contains(&process.pid())
            && !matches!(
                process.status(),
                ProcessStatus::Zombie | ProcessStatus::Dead
            )
            && names.iter().any(|name| is_called(process, name))
            && only.is_none_or(|only| only.contains(&identity(process)))
    });
    let mut found = Strays::new();
    for process in strays {
        found.insert(identity(process));
        tracing::warn!(process.id = process.pid().as_u32(), process.name = %process.name().display(), "ends a stray process");
        if process.kill_with(signal).is_none() {
            process.kill();
        }
    }
    found
}

fn identity(process: &Process) -> (Pid, u64) {
    (process.pid(), process.start_time())
}

/// Whether this is its name, as the system lists it or as the file of its program is called; Linux cuts the former.
fn is_called(process: &Process, name: &str) -> bool {
    let file = process.exe().and_then(std::path::Path::file_name);
    process.name() == name || file.is_some_and(|file| file == name)
}

/// This process and those above it.
fn ancestors(system: &System) -> HashSet<Pid> {
    let mut found = HashSet::new();
    let mut next = sysinfo::get_current_pid().ok();
    while let Some(pid) = next.filter(|pid| found.insert(*pid)) {
        next = system.process(pid).and_then(Process::parent);
    }
    found
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::tests::within;
    use std::process::{Command, Stdio};

    #[tokio::test]
    async fn only_those_with_exactly_this_name_end() {
        let scratch = tempfile::tempdir().unwrap();
        // A name that nothing else on this machine has, and longer than what Linux lists.
        let name = format!("testhide-stray-{}", std::process::id());
        let sleep = Command::new("sh").args(["-c", "command -v sleep"]).output();
        let sleep = String::from_utf8(sleep.unwrap().stdout).unwrap();
        let start = |name: &str| {
            let program = scratch.path().join(name);
            std::fs::copy(sleep.trim(), &program).unwrap();
            let mut command = Command::new(program);
            command.arg("1000").stdout(Stdio::null()).spawn().unwrap()
        };
        let (mut stray, mut other) = (start(&name), start(&format!("{name}-not")));
        within(end(&[name])).await;
        assert!(!stray.wait().unwrap().success());
        assert!(other.try_wait().unwrap().is_none());
        // Nor is anybody killed who was never asked.
        let late =
            [format!("{}-not", std::process::id())].map(|end| format!("testhide-stray-{end}"));
        assert!(send(&late, Signal::Kill, Some(&Strays::new())).is_empty());
        assert!(other.try_wait().unwrap().is_none());
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
