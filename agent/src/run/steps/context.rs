//! What every step is given, and what it gives back.

use testhide_protocol::Timestamp;
use testhide_protocol::api::{Step, StepState};
use testhide_protocol::wire::Assignment;

use super::{bash, copy_artifacts, test_provider};
use crate::clock::{Deadline, WorkClock};
use crate::run::confine::Confinement;
use crate::run::log::Log;
use crate::run::stop::{Stop, StopSignal};
use crate::run::workspace::Workspace;
use crate::spool::SpoolDir;

/// A step's surroundings.
pub(crate) struct StepContext<'a> {
    /// The build.
    pub(crate) assignment: &'a Assignment,
    /// Its directories.
    pub(crate) workspace: &'a Workspace,
    /// The commit that is checked out.
    pub(crate) commit: Option<&'a str>,
    /// When the attempt's first step could begin, by the wall clock.
    pub(crate) began: Timestamp,
    /// What holds its processes.
    pub(crate) bounds: &'a Confinement,
    /// Where files are kept until they are delivered.
    pub(crate) spool: &'a SpoolDir,
    /// Where output goes.
    pub(crate) log: &'a mut Log,
    /// Who may stop it.
    pub(crate) stop: StopSignal,
    /// What its own time limit is measured by.
    pub(crate) clock: &'a WorkClock,
    /// When the attempt's time is over.
    pub(crate) deadline: Deadline,
    /// Number of the step.
    pub(crate) index: u32,
    /// Number of the attempt's next file.
    pub(crate) next_file: &'a mut u32,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// For lists.
    pub(crate) state: StepState,
    /// Of its process.
    pub(crate) exit_code: Option<i32>,
    /// In words.
    pub(crate) message: Option<String>,
}

impl Outcome {
    /// It did what it should.
    pub(crate) fn passed(exit_code: Option<i32>, message: Option<String>) -> Self {
        Self {
            state: StepState::Passed,
            exit_code,
            message,
        }
    }

    /// It did not.
    pub(crate) fn failed(exit_code: Option<i32>, message: String) -> Self {
        Self {
            state: StepState::Failed,
            exit_code,
            message: Some(message),
        }
    }

    /// A time limit ended it.
    pub(crate) fn timed_out(message: String) -> Self {
        Self {
            state: StepState::TimedOut,
            exit_code: None,
            message: Some(message),
        }
    }

    /// A stop ended it.
    pub(crate) fn stopped(stop: &Stop) -> Self {
        let message = match stop {
            Stop::Cancel(reason) if reason.is_empty() => "cancelled".to_owned(),
            Stop::Cancel(reason) => format!("cancelled: {reason}"),
            Stop::Broken(error) => format!("stopped: {error}"),
            Stop::Shutdown => "stopped with the agent".to_owned(),
            Stop::Abandon => "stopped by the server".to_owned(),
        };
        Self {
            state: StepState::Cancelled,
            exit_code: None,
            message: Some(message),
        }
    }

    /// It never began.
    pub(crate) fn skipped() -> Self {
        Self {
            state: StepState::Skipped,
            exit_code: None,
            message: None,
        }
    }
}

/// Runs a step.
pub(crate) async fn run(step: &Step, context: &mut StepContext<'_>) -> Outcome {
    match step {
        Step::Bash {
            run,
            env,
            timeout_seconds,
            ..
        } => bash::run(run, env, *timeout_seconds, context).await,
        Step::TestProvider { path, .. } => test_provider::run(path, context).await,
        Step::CopyArtifacts { source, target, .. } => {
            copy_artifacts::run(source, target, context).await
        }
    }
}
