//! Ends what left its process group: daemons of an attempt that has ended, and everything of an agent process that died.
//!
//! Each process of an attempt carries the build's id in its environment from birth; who changes session does not change that. One that
//! clears its environment as well is found by the attempt's cgroup, or by its runner as long as that lives.

use std::time::Duration;

use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, Signal, System, UpdateKind};
use testhide_protocol::wire::Lease;
use tokio::time::{Instant, sleep};

use super::confine;
use super::environment::marks;
use super::exec::signal_group;
use crate::spool::GroupRecord;

/// Between asking and killing.
const GRACE: Duration = Duration::from_secs(2);

/// How often a process is asked whether it still runs.
const POLL: Duration = Duration::from_millis(20);

/// Ends every process of the attempt that still runs. Returns when they are gone, or after the kill.
pub(crate) async fn end_leftovers(lease: Lease, group: Option<GroupRecord>) {
    #[cfg(feature = "simulation")]
    if crate::threads::is_one_thread() {
        // The processes of a simulated machine are not on this one.
        return;
    }
    confine::end_left(&lease).await;
    let deadline = Instant::now() + GRACE;
    let mut asked = false;
    loop {
        let late = Instant::now() >= deadline;
        let signal = if late { Signal::Kill } else { Signal::Term };
        let send = late || !asked;
        let look = move || look(lease, group, send.then_some(signal));
        let left = tokio::task::spawn_blocking(look).await.unwrap_or(0);
        if left == 0 || late {
            break;
        }
        asked = true;
        sleep(POLL).await;
    }
}

/// When the process with this number began, in seconds since 1970.
pub(crate) fn started(pid: u32) -> Option<u64> {
    let mut system = System::new().ok()?;
    let pid = Pid::from_u32(pid);
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[pid]),
        false,
        ProcessRefreshKind::nothing().without_tasks(),
    );
    system.process(pid).map(Process::start_time)
}

/// Counts the attempt's processes, and signals them if asked to.
fn look(lease: Lease, group: Option<GroupRecord>, signal: Option<Signal>) -> usize {
    let Ok(mut system) = System::new() else {
        tracing::warn!("this machine's processes cannot be listed");
        return 0;
    };
    let what = ProcessRefreshKind::nothing()
        .with_environ(UpdateKind::Always)
        .without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    let mut left = 0;
    if let Some(record) = group {
        let leader = system.process(Pid::from_u32(record.pgid));
        // The start is counted from the boot, which the clock's corrections move a little.
        let is_ours = |leader: &&Process| leader.start_time().abs_diff(record.started) <= 2;
        if leader.filter(is_ours).is_some_and(is_running) {
            left += 1;
            if let Some(signal) = signal {
                signal_group(record.pgid, signal == Signal::Kill);
            }
        }
    }
    let marks = marks(lease.build, lease.attempt);
    let carries = |process: &Process, mark: &String| {
        process
            .environ()
            .iter()
            .any(|variable| variable == mark.as_str())
    };
    for process in system
        .processes()
        .values()
        .filter(|process| is_running(process))
    {
        if marks.iter().all(|mark| carries(process, mark)) {
            left += 1;
            if let Some(signal) = signal {
                tracing::info!(build.id = %lease.build, process.id = process.pid().as_u32(), "ends a process that a step left behind");
                if process.kill_with(signal).is_none() {
                    // A system without softer signals.
                    process.kill();
                }
            }
        }
    }
    left
}

fn is_running(process: &Process) -> bool {
    !matches!(
        process.status(),
        sysinfo::ProcessStatus::Zombie | sysinfo::ProcessStatus::Dead
    )
}
