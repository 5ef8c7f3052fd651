//! The bounds of one attempt.

use parking_lot::Mutex;
use testhide_protocol::wire::Lease;
use tokio::process::Command;

use super::cgroup::{AttemptGroup, Base};
use super::family::Family;
use super::limits::{Limits, Means, script};

/// Who else lives in the process that runs an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Home {
    /// Nobody: every child of the process is of this attempt.
    Own,
    /// Other attempts, or a whole test.
    Shared,
}

/// What holds the processes of one attempt within bounds, and finds them again.
#[derive(Debug)]
pub(crate) struct Confinement {
    limits: Limits,
    means: Means,
    cgroup: Option<AttemptGroup>,
    family: Option<Family>,
    /// What was explained already.
    explained: Mutex<Counts>,
}

/// What a cgroup has counted.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    memory_kills: u64,
    refused_processes: u64,
}

impl Confinement {
    /// The bounds of an attempt that begins now.
    pub(crate) fn for_attempt(limits: &Limits, lease: &Lease, home: Home) -> Self {
        let base = Base::here();
        let mut means = Means::of(base.as_ref());
        let cgroup = base.and_then(|base| match base.begin(lease, limits) {
            Ok(group) => Some(group),
            Err(error) => {
                tracing::warn!(build.id = %lease.build, %error, "an attempt runs without a cgroup");
                means = Means::of(None);
                None
            }
        });
        Self {
            limits: limits.clone(),
            means,
            cgroup,
            family: (home == Home::Own).then(Family::adopt).flatten(),
            explained: Mutex::default(),
        }
    }

    /// None at all.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self {
            limits: Limits::default(),
            means: Means::of(None),
            cgroup: None,
            family: None,
            explained: Mutex::default(),
        }
    }

    /// What its owner wants and does not get, each as a sentence.
    pub(crate) fn unenforced(&self) -> Vec<String> {
        self.limits.unenforced(self.means)
    }

    /// Begins a command that runs `program` within the bounds. Another program sets them, before it becomes this one: so they
    /// hold from the first instruction, and the runner itself, which has to keep large files, is not held to them.
    pub(crate) fn command(&self, program: &str) -> Command {
        let ulimits = self.limits.ulimits(self.means, tasks_of_this_user);
        if ulimits.is_empty() && self.cgroup.is_none() {
            return Command::new(program);
        }
        let entrance = self.cgroup.as_ref().map(AttemptGroup::entrance);
        let mut command = Command::new("bash");
        // `-p`: without files or functions that the environment of the step names.
        command
            .args(["-p", "-c", &script(&ulimits), "testhide"])
            .arg(entrance.unwrap_or_default())
            .arg(program);
        command
    }

    /// Gives the agent the right of way over a process that has just begun, for processors and for memory.
    #[cfg(unix)]
    pub(crate) fn give_way(&self, process: u32) {
        use rustix::process::{Pid, getpriority_process, setpriority_process};
        let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) else {
            return;
        };
        let own = getpriority_process(None).unwrap_or(0);
        let lower = (own + i32::from(self.limits.niceness)).min(19);
        if lower > own
            && let Err(error) = setpriority_process(Some(pid), lower)
        {
            tracing::debug!(process.id = process, %error, "a step runs with the agent's priority");
        }
        // A machine without memory ends the step, then, and not what keeps its log.
        #[cfg(target_os = "linux")]
        give_memory_first(process);
    }

    /// Gives the agent the right of way over a process that has just begun.
    #[cfg(not(unix))]
    pub(crate) fn give_way(&self, _process: u32) {}

    /// Whether nothing runs within the bounds, as far as they can tell. Nobody may wait for a child of this process meanwhile.
    pub(crate) fn is_empty(&self) -> bool {
        self.cgroup.as_ref().is_none_or(AttemptGroup::is_empty)
            && self.family.as_ref().is_none_or(Family::is_empty)
    }

    /// Asks everything within the bounds to end.
    pub(crate) fn ask(&self) {
        for member in self.cgroup.iter().flat_map(AttemptGroup::members) {
            signal(member, false);
        }
        #[cfg(unix)]
        if let Some(family) = &self.family {
            family.signal(rustix::process::Signal::TERM);
            // Who was stopped hears nothing.
            family.signal(rustix::process::Signal::CONT);
        }
    }

    /// Kills everything within the bounds.
    pub(crate) fn kill(&self) {
        if let Some(cgroup) = &self.cgroup {
            cgroup.kill();
        }
        if let Some(family) = &self.family {
            family.kill();
        }
    }

    /// What the bounds have to do with the failure of the step that has just ended, if anything.
    pub(crate) fn explain(&self) -> Option<String> {
        let cgroup = self.cgroup.as_ref()?;
        let now = Counts {
            memory_kills: cgroup.memory_kills(),
            refused_processes: cgroup.refused_processes(),
        };
        let before = std::mem::replace(&mut *self.explained.lock(), now);
        if now.memory_kills > before.memory_kills {
            return Some(match self.limits.memory_mb {
                Some(mb) => format!("out of the {mb} MB of memory that this agent allows"),
                None => "the machine was out of memory".to_owned(),
            });
        }
        let limit = self.limits.processes?;
        (now.refused_processes > before.refused_processes)
            .then(|| format!("the {limit} processes that this agent allows were not enough"))
    }

    /// Ends everything within the bounds, for good. Says whether it is certain that nothing of the attempt runs any more.
    pub(crate) async fn end(&self) -> bool {
        let is_certain = self.cgroup.is_some() || self.family.is_some();
        let mut is_over = true;
        if let Some(cgroup) = &self.cgroup {
            is_over = cgroup.end().await;
        }
        is_certain && is_over && self.is_empty()
    }
}

impl Means {
    /// What there is with these cgroups.
    pub(crate) fn of(base: Option<&Base>) -> Self {
        Self::with(base.map(Base::controllers).unwrap_or_default())
    }

    /// What there is with these controllers.
    pub(crate) fn with(controllers: &str) -> Self {
        let has = |name| controllers.split(' ').any(|found| found == name);
        Self {
            memory: has("memory"),
            pids: has("pids"),
            cpu: has("cpu"),
            #[cfg(unix)]
            is_root: rustix::process::geteuid().is_root(),
            #[cfg(not(unix))]
            is_root: false,
        }
    }
}

/// Makes a process and what it starts the first that the kernel ends when the machine is out of memory.
#[cfg(target_os = "linux")]
fn give_memory_first(process: u32) {
    // Half way from "like others" to "always".
    const FIRST: i32 = 500;
    let own = std::fs::read_to_string("/proc/self/oom_score_adj").ok();
    let own = own.and_then(|own| own.trim().parse().ok()).unwrap_or(0);
    if FIRST > own
        && let Err(error) =
            std::fs::write(format!("/proc/{process}/oom_score_adj"), FIRST.to_string())
    {
        tracing::debug!(process.id = process, %error, "a step is as dear as the agent");
    }
}

/// Asks a process to end, or kills it.
pub(super) fn signal(process: u32, kill: bool) {
    #[cfg(unix)]
    {
        use rustix::process::{Pid, Signal, kill_process};
        let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) else {
            return;
        };
        let signals: &[Signal] = if kill {
            &[Signal::KILL]
        } else {
            &[Signal::TERM, Signal::CONT]
        };
        for signal in signals {
            if kill_process(pid, *signal).is_err() {
                // It has ended by itself.
                return;
            }
        }
    }
    #[cfg(not(unix))]
    let _ = (process, kill);
}

/// Processes and threads of this user, as the system counts them against a limit.
fn tasks_of_this_user() -> u64 {
    #[cfg(target_os = "linux")]
    {
        let own = rustix::process::getuid().as_raw();
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let tasks = entries.filter_map(|entry| {
            let status = std::fs::read_to_string(entry.path().join("status")).ok()?;
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name))?;
                line.split_whitespace().next()?.parse::<u64>().ok()
            };
            (field("Uid:")? == u64::from(own)).then(|| field("Threads:"))?
        });
        tasks.sum()
    }
    // Nothing else holds a user to a number of processes here.
    #[cfg(not(target_os = "linux"))]
    0
}

#[cfg(test)]
#[cfg(unix)]
#[path = "tests.rs"]
mod tests;
