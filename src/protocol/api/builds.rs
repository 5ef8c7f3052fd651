//! Builds, their attempts and steps.

use super::findings::Finding;
use crate::api::GateSummary;
use crate::{AgentId, ArtifactId, BuildId, JobId, ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// Triggers a build.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Branch to build; the job's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Commit to build; the branch's head when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Values for parameters that the job declares.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
}

/// Cancels a build.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cancel {
    /// Shown to everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The life of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildState {
    /// Waits for an agent.
    Queued,
    /// An agent holds its lease.
    Running,
    /// Every step succeeded and no test failed.
    Passed,
    /// A step or a test failed.
    Failed,
    /// Somebody stopped it.
    Cancelled,
    /// It ran longer than its limit.
    TimedOut,
    /// Its agent was lost and no retry was left.
    InfraLost,
}

impl BuildState {
    /// Every state, in order of life.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::Passed,
        Self::Failed,
        Self::Cancelled,
        Self::TimedOut,
        Self::InfraLost,
    ];

    /// Whether nothing can follow.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// The name used on the wire and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::InfraLost => "infra_lost",
        }
    }
}

impl fmt::Display for BuildState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for BuildState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| {
                format!(
                    "`{}` is not a build state",
                    text.chars().take(32).collect::<String>()
                )
            })
    }
}

/// A build as the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Build {
    /// Identity.
    pub id: BuildId,
    /// State of its last attempt.
    pub status: BuildState,
    /// Counts over the whole instance: `build 421`.
    pub build_number: u64,
    /// Its project.
    pub project_id: ProjectId,
    /// Its job.
    pub job_id: JobId,
    /// Its job's name when it was started.
    pub job_name: String,
    /// Branch.
    pub branch: String,
    /// Commit, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// The attempt this speaks of; counts from 1.
    pub attempt: u32,
    /// Who or what started it.
    pub triggered_by: String,
    /// Whole seconds from start to end (or to now); absent while queued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u64>,
    /// The same to the millisecond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// When it was triggered.
    pub queued_at: Timestamp,
    /// When an agent took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Its agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<AgentId>,
    /// Its agent's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    /// Why it ended as it did, or why it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Parameters it runs with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// What does not fit together in it; to be read before its counts. Empty until it is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
    /// Counts over its reports, each test once: a later report of a test is a further attempt of it.
    pub tests: TestCounts,
    /// What testhide says of it.
    pub tps: Tps,
    /// What its gates say of this attempt; absent until they were evaluated, and where no gate is for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<GateSummary>,
    /// Steps of this attempt; only when one build is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepResult>,
    /// Earlier attempts; only when one build is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
}

/// One attempt of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Attempt {
    /// Counts from 1.
    pub attempt: u32,
    /// How it ended, or `running`.
    pub status: BuildState,
    /// Its agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_name: Option<String>,
    /// When its agent took it.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// Why it ended as it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Not begun.
    Pending,
    /// Runs now.
    Running,
    /// Ended well.
    Passed,
    /// Ended with an error.
    Failed,
    /// Ended by its time limit or the build's.
    TimedOut,
    /// Ended by a cancel.
    Cancelled,
    /// Never begun because an earlier one failed.
    Skipped,
}

impl StepState {
    /// The name used on the wire and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::TimedOut => "timed_out",
            Self::Cancelled => "cancelled",
            Self::Skipped => "skipped",
        }
    }
}

/// One step of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StepResult {
    /// Counts from 0; post steps follow the steps.
    pub index: u32,
    /// Name.
    pub name: String,
    /// How it stands.
    pub status: StepState,
    /// Exit code of its process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// In words, where there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Milliseconds it took, by the agent's monotonic clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

/// Counts over a build's tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestCounts {
    /// Passed.
    pub passed: u64,
    /// Failed or errored.
    pub failed: u64,
    /// Skipped.
    pub skipped: u64,
    /// Failures and passes that the verdict calls flaky.
    pub flaky: u64,
}

/// What testhide says of a build, in short.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tps {
    /// Names of tests with a flaky verdict.
    pub flaky_tests: Vec<String>,
    /// Names of tests with a new failure.
    pub new_failures: Vec<String>,
    /// Names of tests that fail as they did before.
    pub known_failures: Vec<String>,
    /// Names of tests that failed before and pass now.
    pub fixed: Vec<String>,
    /// In words; absent where the data does not decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probable_cause: Option<String>,
    /// Whether the analysis of this build is complete.
    pub analysed: bool,
}

/// A file kept from a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Artifact {
    /// Identity.
    pub id: ArtifactId,
    /// Its build.
    pub build_id: BuildId,
    /// Attempt it comes from.
    pub attempt: u32,
    /// Path under the build, with `/`.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of the content, hex.
    pub blake3: String,
    /// When it was stored.
    pub created_at: Timestamp,
}
