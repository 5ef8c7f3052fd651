//! One attempt from its assignment to its `Ended` record.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant as Monotonic};

use testhide_protocol::api::{Step, StepState};
use testhide_protocol::wire::{Assignment, AttemptEnd, RecordBody};

use super::confine::{Confinement, Home};
use super::leftovers::end_leftovers;
use super::log::Log;
use super::source::{self, Checkout, SourceError};
use super::steps::{self, Outcome, StepContext};
use super::stop::{Stop, StopSignal};
use super::workspace::{Workspace, Workspaces};
use crate::clock::{self, Deadline, WorkClock};
use crate::guard;
use crate::machine::MachineRules;
use crate::spool::{JournalWriter, Patience, SpoolDir};

/// How long post steps may take once the build is over (cancelled, or out of time).
const AFTERWARDS: Duration = Duration::from_secs(60);

/// Everything an attempt needs.
pub(crate) struct Attempt {
    pub(crate) assignment: Assignment,
    pub(crate) spool: SpoolDir,
    pub(crate) journal: JournalWriter,
    pub(crate) stop: StopSignal,
    pub(crate) workspaces: Workspaces,
    pub(crate) git_limit: Duration,
    /// What its time limits are measured by.
    pub(crate) clock: WorkClock,
    /// What the machine's owner allows.
    pub(crate) machine: MachineRules,
    /// Who else lives in this process.
    pub(crate) home: Home,
}

/// How the attempt ends, the mildest first; the first of the worst that happened counts.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Verdict {
    Passed,
    Failed(String),
    TimedOut(String),
    Cancelled(String),
    Interrupted(String),
}

impl Verdict {
    fn rank(&self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed(_) => 1,
            Self::TimedOut(_) => 2,
            Self::Cancelled(_) => 3,
            Self::Interrupted(_) => 4,
        }
    }

    /// This one, unless the later one is worse.
    fn or_worse(self, later: Self) -> Self {
        if later.rank() > self.rank() {
            later
        } else {
            self
        }
    }
}

impl Attempt {
    /// Runs the attempt. When this returns, none of its processes runs and its journal is complete; an abandoned one is left as it is.
    pub(crate) async fn run(self) {
        let lease = self.assignment.lease;
        let mut log = Log::new(self.journal.clone(), Monotonic::now());
        let mut stop = self.stop.clone();
        tokio::select! {
            () = guard::before_build(&self.workspaces, &self.machine, &mut log) => {}
            // It may take long to delete much; what is begun goes on beside the end of the attempt.
            _ = stop.stopped() => {}
        }
        let bounds = Confinement::for_attempt(&self.machine.limits, &lease, self.home);
        for limit in bounds.unenforced() {
            log.say(&limit).await;
        }
        let verdict = match self.claim().await {
            Ok(workspace) => {
                for notice in &workspace.notices {
                    log.say(notice).await;
                }
                let workspace = Arc::new(workspace);
                let verdict = self.run_in(&workspace, &bounds, &mut log).await;
                if !bounds.end().await {
                    end_leftovers(lease, None).await;
                }
                if let Err(error) = clear(workspace).await {
                    tracing::warn!(build.id = %lease.build, %error, "cannot delete temporary files of an attempt");
                }
                verdict
            }
            Err(error) => Verdict::Interrupted(format!("the workspace cannot be made: {error}")),
        };
        let verdict = match self.stop.reason() {
            Some(Stop::Abandon) => return,
            Some(Stop::Shutdown) => Verdict::Interrupted("the agent was stopped".to_owned()),
            Some(Stop::Broken(error)) => Verdict::Interrupted(error),
            Some(Stop::Cancel(reason)) => verdict.or_worse(Verdict::Cancelled(reason)),
            None => verdict,
        };
        let (end, message) = match verdict {
            Verdict::Passed => (AttemptEnd::Passed, None),
            Verdict::Failed(message) => (AttemptEnd::Failed, Some(message)),
            Verdict::TimedOut(message) => (AttemptEnd::TimedOut, Some(message)),
            Verdict::Cancelled(reason) => (
                AttemptEnd::Cancelled,
                Some(reason).filter(|reason| !reason.is_empty()),
            ),
            Verdict::Interrupted(message) => (AttemptEnd::Interrupted, Some(message)),
        };
        if let Some(message) = message.as_ref().filter(|_| end == AttemptEnd::Interrupted) {
            log.say(&format!("the build was interrupted: {message}"))
                .await;
        }
        self.end(end, message).await;
    }

    /// Writes the end. When the disk does not take it, the agent writes it later.
    async fn end(&self, end: AttemptEnd, message: Option<String>) {
        if let Err(error) = self.journal.end(end, message).await {
            tracing::error!(build.id = %self.assignment.lease.build, %error, "cannot write the end of an attempt");
        }
    }

    async fn claim(&self) -> io::Result<Workspace> {
        let (workspaces, assignment) = (self.workspaces.clone(), self.assignment.clone());
        tokio::task::spawn_blocking(move || workspaces.claim(&assignment))
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
    }

    async fn run_in(&self, workspace: &Workspace, bounds: &Confinement, log: &mut Log) -> Verdict {
        let limit = Duration::from_secs(self.assignment.timeout_seconds.into());
        let deadline = self.clock.after(limit);
        let out_of_time =
            || Verdict::TimedOut(format!("the build took longer than {} s", limit.as_secs()));
        let mut verdict = Verdict::Passed;
        let mut commit = None;
        match self.check_out(workspace, bounds, &deadline, log).await {
            Ok(found) => commit = found,
            Err(error) => {
                log.say(&error.to_string()).await;
                verdict = match error {
                    SourceError::TimedOut(_) if deadline.is_passed() => out_of_time(),
                    SourceError::Git(_) => Verdict::Interrupted(error.to_string()),
                    SourceError::Stopped(_) => Verdict::Passed,
                    error => Verdict::Failed(error.to_string()),
                };
            }
        }
        let mut goes_on = verdict == Verdict::Passed;
        let mut running = Running {
            attempt: self,
            workspace,
            bounds,
            commit,
            began: clock::now(),
            next_file: 0,
            log,
        };
        let mut indices = 0u32..;
        for (step, index) in self.assignment.definition.steps.iter().zip(&mut indices) {
            if !goes_on || self.stop.reason().is_some() {
                running.skip(index).await;
                continue;
            }
            let outcome = running
                .step(step, index, &deadline, self.stop.clone())
                .await;
            let is_over = deadline.is_passed();
            verdict = verdict.or_worse(match outcome.state {
                StepState::TimedOut if is_over => out_of_time(),
                _ => verdict_of(step, &outcome),
            });
            let may_fail = matches!(
                step,
                Step::Bash {
                    continue_on_error: true,
                    ..
                }
            );
            goes_on = outcome.state == StepState::Passed || (may_fail && !is_over);
        }
        let mut post_deadline = deadline.clone().later(self.clock.after(AFTERWARDS));
        let mut is_over = false;
        for (step, index) in self
            .assignment
            .definition
            .post_steps
            .iter()
            .zip(&mut indices)
        {
            let cancelled = self.stop.reason().is_some();
            if !is_over && (cancelled || deadline.is_passed()) {
                is_over = true;
                post_deadline = self.clock.after(AFTERWARDS);
            }
            let stop = if cancelled {
                self.stop.hard_only()
            } else {
                self.stop.clone()
            };
            if stop.reason().is_some() {
                running.skip(index).await;
                continue;
            }
            let outcome = running.step(step, index, &post_deadline, stop).await;
            verdict = verdict.or_worse(verdict_of(step, &outcome));
        }
        verdict
    }

    /// The source, if the job has one. Gives the commit.
    async fn check_out(
        &self,
        workspace: &Workspace,
        bounds: &Confinement,
        deadline: &Deadline,
        log: &mut Log,
    ) -> Result<Option<String>, SourceError> {
        let Some(source) = &self.assignment.definition.source_management else {
            return Ok(None);
        };
        let limit = self.git_limit.min(deadline.left());
        let (branch, commit) = (&self.assignment.branch, self.assignment.commit.as_deref());
        let place = Checkout {
            lease: self.assignment.lease,
            dir: &workspace.dir,
            deadline: &self.clock.after(limit),
            bounds,
            log,
            stop: &mut self.stop.clone(),
        };
        let commit = source::check_out(source, branch, commit, place).await?;
        self.journal
            .record(RecordBody::SourceResolved {
                commit: commit.clone(),
            })
            .await;
        Ok(Some(commit))
    }
}

/// An attempt whose steps run.
struct Running<'a> {
    attempt: &'a Attempt,
    workspace: &'a Workspace,
    bounds: &'a Confinement,
    commit: Option<String>,
    /// When the first step could begin, by the wall clock: older files are not of this attempt.
    began: testhide_protocol::Timestamp,
    /// Files are numbered over the whole attempt.
    next_file: u32,
    log: &'a mut Log,
}

impl Running<'_> {
    async fn step(
        &mut self,
        step: &Step,
        index: u32,
        deadline: &Deadline,
        stop: StopSignal,
    ) -> Outcome {
        let began = Monotonic::now();
        let journal = &self.attempt.journal;
        journal
            .record(RecordBody::StepStarted {
                step: index,
                time: clock::now(),
            })
            .await;
        self.log.set_step(index);
        let mut context = StepContext {
            assignment: &self.attempt.assignment,
            workspace: self.workspace,
            commit: self.commit.as_deref(),
            began: self.began,
            bounds: self.bounds,
            spool: &self.attempt.spool,
            log: self.log,
            stop,
            clock: &self.attempt.clock,
            deadline: deadline.clone(),
            index,
            next_file: &mut self.next_file,
        };
        let outcome = steps::run(step, &mut context).await;
        self.log.tell_printed().await;
        if let Some(message) = outcome
            .message
            .as_ref()
            .filter(|_| outcome.state != StepState::Passed)
        {
            self.log
                .say(&format!("step `{}` {message}", step.display_name()))
                .await;
        }
        self.finish(index, &outcome, clock::millis_since(began))
            .await;
        if let Err(error) = journal.sync().await {
            tracing::error!(build.id = %self.attempt.assignment.lease.build, %error, "a step's output is not durable");
        }
        if let Some(Stop::Cancel(_)) = self.attempt.stop.reason() {
            // The last output of the step that was cancelled is written; that of the post steps waits for room again.
            journal.set_patience(Patience::Full);
        }
        outcome
    }

    async fn skip(&self, index: u32) {
        self.finish(index, &Outcome::skipped(), 0).await;
    }

    async fn finish(&self, step: u32, outcome: &Outcome, duration_ms: u64) {
        let Outcome {
            state,
            exit_code,
            message,
        } = outcome.clone();
        let record = RecordBody::StepFinished {
            step,
            status: state,
            exit_code,
            message,
            duration_ms,
        };
        self.attempt.journal.record(record).await;
    }
}

/// What a step's outcome means for the attempt.
fn verdict_of(step: &Step, outcome: &Outcome) -> Verdict {
    let message = || {
        format!(
            "step `{}` {}",
            step.display_name(),
            outcome.message.as_deref().unwrap_or("failed")
        )
    };
    match outcome.state {
        StepState::Failed => Verdict::Failed(message()),
        StepState::TimedOut => Verdict::TimedOut(message()),
        // What stopped it says how the attempt ends.
        StepState::Pending
        | StepState::Running
        | StepState::Passed
        | StepState::Cancelled
        | StepState::Skipped => Verdict::Passed,
    }
}

async fn clear(workspace: Arc<Workspace>) -> io::Result<()> {
    let clear = move || workspace.clear_temporary();
    tokio::task::spawn_blocking(clear)
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)))
}
