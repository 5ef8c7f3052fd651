//! Processes that builds are known to leave on this machine, by name.

use std::collections::HashSet;
use std::time::Duration;

use sysinfo::{
    Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, Signal, System, UpdateKind,
};
use tokio::time::sleep;

/// Between asking and killing.
const GRACE: Duration = Duration::from_secs(2);

/// Ends the processes of this user that have exactly these names; never this process, nor those that it was started from.
pub(super) async fn end(names: &[String]) {
    for signal in [Signal::Term, Signal::Kill] {
        let names = names.to_vec();
        let ended = tokio::task::spawn_blocking(move || send(&names, signal)).await;
        if ended.unwrap_or(0) == 0 {
            return;
        }
        sleep(GRACE).await;
    }
}

/// Signals them; gives how many there are.
fn send(names: &[String], signal: Signal) -> usize {
    let Ok(mut system) = System::new() else {
        tracing::warn!("this machine's processes cannot be listed");
        return 0;
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
    });
    let mut count = 0;
    for process in strays {
        count += 1;
        tracing::warn!(process.id = process.pid().as_u32(), process.name = %process.name().display(), "ends a stray process");
        if process.kill_with(signal).is_none() {
            process.kill();
        }
    }
    count
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
        other.kill().unwrap();
        other.wait().unwrap();
    }
}
