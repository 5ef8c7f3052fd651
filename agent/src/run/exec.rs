//! One process group: started, its output copied to the log, waited for, and ended whole.
//!
//! On Unix a step leads a process group; on Windows it is a Job Object. When [`execute`] returns, nothing of the group runs any
//! more, whatever the reason, nor anything that left it as far as the attempt's bounds can tell (`confine`); what remains is found by its
//! environment when the attempt ends (`leftovers.rs`).

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop};
use testhide_protocol::api::Stream;
use tokio::process::Command;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::confine::Confinement;
use super::log::Log;
use super::output;
use super::stop::{Stop, StopSignal};
use crate::clock::Deadline;

/// Between asking and killing, for a step that was stopped.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// The same for what a step left behind that ended by itself.
const LEFT_BEHIND_GRACE: Duration = Duration::from_secs(2);

/// A killed process is gone at once unless the kernel holds it (a dead network disk); nobody waits for that.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// How often a group is asked whether it still has members: there is no event for that.
const GROUP_POLL: Duration = Duration::from_millis(10);

/// Where a process's output goes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Voice {
    /// Its two pipes are two streams.
    Own,
    /// It speaks for the agent.
    Agent,
}

/// What ended a process.
#[derive(Debug)]
pub(crate) enum Ending {
    /// It did.
    Exited(ExitStatus),
    /// The time limit.
    TimedOut,
    /// A stop.
    Stopped(Stop),
}

/// Runs `command` as a group of its own, within the attempt's bounds, until it ends, is stopped or `deadline` passes. `on_start` hears
/// the group's number.
///
/// # Errors
/// When it cannot be started or waited for.
pub(crate) async fn execute(
    mut command: Command,
    voice: Voice,
    bounds: &Confinement,
    log: &mut Log,
    deadline: &Deadline,
    stop: &mut StopSignal,
    on_start: impl AsyncFnOnce(u32),
) -> io::Result<Ending> {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut command = CommandWrap::from(command);
    system::lead_group(&mut command);
    let mut child = command.wrap(KillOnDrop).spawn()?;
    let group = Group {
        number: child.id(),
        bounds,
    };
    if let Some(leader) = child.id() {
        bounds.give_way(leader);
        on_start(leader).await;
    }
    let (stdout, stderr) = (child.stdout().take(), child.stderr().take());
    if let (Some(stdout), Some(stderr)) = (&stdout, &stderr) {
        system::enlarge(stdout, stderr);
    }
    let streams = match voice {
        Voice::Own => [Stream::Stdout, Stream::Stderr],
        Voice::Agent => [Stream::System, Stream::System],
    };
    let ended = CancellationToken::new();
    let supervise = async {
        let ending = tokio::select! {
            biased;
            status = child.inner_mut().wait() => status.map(Ending::Exited),
            reason = stop.stopped() => Ok(Ending::Stopped(reason)),
            () = deadline.passed() => Ok(Ending::TimedOut),
        };
        let exited = matches!(ending, Ok(Ending::Exited(_)));
        group
            .end(
                child.as_mut(),
                if exited {
                    LEFT_BEHIND_GRACE
                } else {
                    STOP_GRACE
                },
            )
            .await;
        ended.cancel();
        ending
    };
    let (ending, ()) = tokio::join!(
        supervise,
        output::pump(stdout, stderr, streams, log, &ended)
    );
    ending
}

/// Says what an exit status means.
pub(crate) fn describe(status: ExitStatus) -> String {
    match (status.code(), system::signal_of(status)) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => format!("killed by signal {signal}"),
        (None, None) => "ended without an exit code".to_owned(),
    }
}

/// A step's processes.
struct Group<'a> {
    /// Of the process group.
    number: Option<u32>,
    /// Where those are that left it.
    bounds: &'a Confinement,
}

impl Group<'_> {
    /// Asks every process of the step to end, kills it after `grace`, and reaps the leader.
    async fn end(&self, child: &mut dyn ChildWrapper, grace: Duration) {
        if self.is_gone(child) {
            return;
        }
        if let Err(error) = system::ask(child) {
            tracing::debug!(process.group = self.number, %error, "cannot ask a step's processes to end");
        }
        self.bounds.ask();
        if timeout(grace, self.gone(child)).await.is_ok() {
            return;
        }
        let killed = async {
            while !self.is_gone(child) {
                if let Err(error) = child.start_kill() {
                    tracing::debug!(process.group = self.number, %error, "cannot kill a step's processes");
                }
                self.bounds.kill();
                tokio::time::sleep(GROUP_POLL).await;
            }
        };
        if timeout(KILL_WAIT, killed).await.is_err() {
            tracing::warn!(
                process.group = self.number,
                "processes of a step outlive their kill"
            );
        }
    }

    async fn gone(&self, child: &mut dyn ChildWrapper) {
        while !self.is_gone(child) {
            tokio::time::sleep(GROUP_POLL).await;
        }
    }

    /// Whether no process is left. Reaps the leader first, and what the system gave to this process to reap.
    fn is_gone(&self, child: &mut dyn ChildWrapper) -> bool {
        if !matches!(child.inner_mut().try_wait(), Ok(Some(_))) {
            return false;
        }
        drop(child.try_wait());
        self.number.is_none_or(system::group_is_empty) && self.bounds.is_empty()
    }
}

/// Ends a group that another process of this agent started.
pub(crate) fn signal_group(group: u32, kill: bool) {
    if let Err(error) = system::signal_group(group, kill) {
        tracing::debug!(process.group = group, %error, "cannot signal a process group");
    }
}

#[cfg(unix)]
mod system {
    //! Unix: process groups.

    use std::io;
    use std::os::fd::AsFd;
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use process_wrap::tokio::{ChildWrapper, CommandWrap, ProcessGroup};
    use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

    /// The most that a user may ask of a pipe without a privilege.
    #[cfg(target_os = "linux")]
    const PIPE_BYTES: usize = 1024 * 1024;

    pub(super) fn lead_group(command: &mut CommandWrap) {
        command.wrap(ProcessGroup::leader());
    }

    /// Larger pipes: a step that prints much waits less often. Where it is refused, the step runs with the usual size.
    pub(super) fn enlarge(stdout: &impl AsFd, stderr: &impl AsFd) {
        #[cfg(target_os = "linux")]
        for pipe in [stdout.as_fd(), stderr.as_fd()] {
            if let Err(error) = rustix::pipe::fcntl_setpipe_size(pipe, PIPE_BYTES) {
                tracing::debug!(%error, "a step runs with small pipes");
            }
        }
        #[cfg(not(target_os = "linux"))]
        let _ = (stdout, stderr);
    }

    pub(super) fn ask(child: &dyn ChildWrapper) -> io::Result<()> {
        child.signal(Signal::TERM.as_raw())?;
        // Who was stopped hears nothing.
        child.signal(Signal::CONT.as_raw())
    }

    pub(super) fn group_is_empty(group: u32) -> bool {
        pid(group).is_none_or(|group| test_kill_process_group(group).is_err())
    }

    pub(super) fn signal_group(group: u32, kill: bool) -> io::Result<()> {
        let signal = if kill { Signal::KILL } else { Signal::TERM };
        match pid(group) {
            Some(group) => Ok(kill_process_group(group, signal)?),
            None => Ok(()),
        }
    }

    pub(super) fn signal_of(status: ExitStatus) -> Option<i32> {
        status.signal()
    }

    fn pid(group: u32) -> Option<Pid> {
        Pid::from_raw(i32::try_from(group).ok()?)
    }
}

#[cfg(not(unix))]
mod system {
    //! Windows: Job Objects, which end with their last handle.

    use std::io;
    use std::process::ExitStatus;

    use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject};

    pub(super) fn lead_group(command: &mut CommandWrap) {
        command.wrap(JobObject);
    }

    pub(super) fn enlarge<T>(_stdout: &T, _stderr: &impl Sized) {}

    /// There is nothing softer than ending a job.
    pub(super) fn ask(_child: &dyn ChildWrapper) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn group_is_empty(_group: u32) -> bool {
        true
    }

    pub(super) fn signal_group(_group: u32, _kill: bool) -> io::Result<()> {
        Ok(())
    }

    pub(super) fn signal_of(_status: ExitStatus) -> Option<i32> {
        None
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::tests::{Scratch, bash, lease, within};
    use std::path::Path;

    /// Runs a script and gives its ending.
    async fn run(scratch: &Scratch, script: &str, limit: Duration) -> Ending {
        let (_spool, journal) = scratch.journal(lease(1));
        let mut log = Log::new(journal, std::time::Instant::now());
        let (_switch, mut stop) = super::super::stop::StopSwitch::new();
        let command = bash(script, scratch.path());
        let deadline = crate::clock::WorkClock::start().after(limit);
        within(execute(
            command,
            Voice::Own,
            &Confinement::none(),
            &mut log,
            &deadline,
            &mut stop,
            async |_| {},
        ))
        .await
        .unwrap()
    }

    fn pid_in(path: &Path) -> rustix::process::Pid {
        let text = std::fs::read_to_string(path).unwrap();
        rustix::process::Pid::from_raw(text.trim().parse().unwrap()).unwrap()
    }

    /// Gone, or dead and only not reaped by a careless process number one.
    fn is_dead(pid: rustix::process::Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        stat.map_or(true, |stat| {
            stat.rsplit(')')
                .next()
                .is_some_and(|rest| rest.starts_with(" Z"))
        })
    }

    #[tokio::test]
    async fn children_in_the_background_end_with_their_step() {
        let scratch = Scratch::new();
        let script = "sleep 1000 & echo $! > soft; (trap '' TERM; echo $BASHPID > hard; while :; do sleep 1000; done) &
                      while [ ! -s hard ]; do :; done; exit 3";
        let ending = run(&scratch, script, Duration::from_secs(60)).await;
        assert!(
            matches!(ending, Ending::Exited(status) if status.code() == Some(3)),
            "{ending:?}"
        );
        for name in ["soft", "hard"] {
            assert!(is_dead(pid_in(&scratch.path().join(name))), "{name}");
        }
    }

    #[tokio::test]
    async fn a_time_limit_ends_the_whole_group() {
        let scratch = Scratch::new();
        let ending = run(
            &scratch,
            "sleep 1000 & echo $! > child; wait",
            Duration::from_millis(300),
        )
        .await;
        assert!(matches!(ending, Ending::TimedOut), "{ending:?}");
        assert!(is_dead(pid_in(&scratch.path().join("child"))));
    }

    #[tokio::test]
    async fn a_daemon_that_holds_the_pipes_does_not_hang_the_step() {
        let scratch = Scratch::new();
        let script = "setsid bash -c 'echo $$ > daemon; exec sleep 1000' & while [ ! -s daemon ]; do :; done";
        let ending = run(&scratch, script, Duration::from_secs(60)).await;
        let daemon = pid_in(&scratch.path().join("daemon"));
        rustix::process::kill_process(daemon, rustix::process::Signal::KILL).unwrap();
        assert!(
            matches!(ending, Ending::Exited(status) if status.success()),
            "{ending:?}"
        );
    }

    #[test]
    fn an_exit_status_in_words() {
        use std::os::unix::process::ExitStatusExt;
        let check =
            |raw: i32, expected: &str| assert_eq!(describe(ExitStatus::from_raw(raw)), expected);
        check(3 << 8, "ended with exit code 3");
        check(9, "killed by signal 9");
    }
}
