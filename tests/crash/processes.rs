//! Processes as the system lists them: those of a case are known by the case's own directory.
//!
//! A runner has it on its command line, a step in its environment; both whether or not their parents live.

use super::settings::until;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::path::Path;

/// A process that runs.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) id: u32,
    /// Its command line.
    pub(crate) arguments: Vec<String>,
    environment: Vec<String>,
}

impl Process {
    fn is_runner(&self) -> bool {
        let words: Vec<&str> = self.arguments.iter().skip(1).map(String::as_str).collect();
        words.starts_with(&["agent", "attempt"])
    }

    /// Whether it is neither a server nor an agent: those stay when a build ends.
    fn is_of_a_build(&self) -> bool {
        let word = |place: usize| self.arguments.get(place).map(String::as_str);
        !matches!(
            (word(1), word(2)),
            (Some("serve"), _) | (Some("agent"), Some("run"))
        )
    }

    fn is_of_a_step(&self) -> bool {
        self.environment
            .iter()
            .any(|variable| variable.starts_with("TESTHIDE_WORKSPACE="))
    }
}

/// Every process that runs and carries `dir`; dead ones that nobody has reaped do not run.
pub(crate) fn of(dir: &Path) -> Vec<Process> {
    let dir = dir
        .to_str()
        .expect("a temporary directory has a plain name");
    let listed = fs::read_dir("/proc").expect("the system lists its processes");
    let numbers = listed.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers
        .filter(|id| *id != std::process::id())
        .filter_map(|id| {
            let process = Process {
                id,
                arguments: words_in(&format!("/proc/{id}/cmdline"))?,
                environment: words_in(&format!("/proc/{id}/environ")).unwrap_or_default(),
            };
            let mut words = process.arguments.iter().chain(&process.environment);
            words.any(|word| word.contains(dir)).then_some(process)
        })
        .collect()
}

/// The runners below `dir`.
pub(crate) fn runners(dir: &Path) -> Vec<u32> {
    let runners = of(dir).into_iter().filter(Process::is_runner);
    runners.map(|process| process.id).collect()
}

/// The processes of steps of attempt `attempt` below `dir`.
pub(crate) fn steps(dir: &Path, attempt: u32) -> Vec<Process> {
    let mark = format!("TESTHIDE_ATTEMPT={attempt}");
    let is_its = |process: &Process| process.is_of_a_step() && process.environment.contains(&mark);
    of(dir).into_iter().filter(is_its).collect()
}

/// Waits until nothing runs below `dir` but servers and agents.
pub(crate) async fn nothing_left(dir: &Path) {
    until("no process of a build is left", || {
        !of(dir).iter().any(Process::is_of_a_build)
    })
    .await;
}

/// `kill -9`.
pub(crate) fn kill(id: u32) {
    signal(id, Signal::KILL);
}

/// `kill -TERM`.
pub(crate) fn terminate(id: u32) {
    signal(id, Signal::TERM);
}

/// The most memory that a process ever had resident, in bytes; nothing when it is gone.
pub(crate) fn peak_memory(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn signal(id: u32, signal: Signal) {
    let number = i32::try_from(id).ok().and_then(Pid::from_raw);
    // One that has just ended needs no signal.
    let _ = kill_process(number.expect("a process's number"), signal);
}

fn words_in(path: &str) -> Option<Vec<String>> {
    let bytes = fs::read(path).ok().filter(|bytes| !bytes.is_empty())?;
    let words = bytes.split(|byte| *byte == 0);
    Some(
        words
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect(),
    )
}
