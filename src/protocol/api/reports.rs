//! Test reports and their results.

use crate::{BuildId, ProjectId, ReportId, ResultId, TestId, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How a test ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It passed.
    Passed,
    /// An expectation did not hold.
    Failed,
    /// It could not run to its end.
    Error,
    /// It was left out on purpose.
    Skipped,
    /// It failed as expected.
    KnownIssue,
    /// It was planned and never ran.
    NotRun,
}

impl Outcome {
    /// The name used on the wire and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Error => "error",
            Self::Skipped => "skipped",
            Self::KnownIssue => "known_issue",
            Self::NotRun => "not_run",
        }
    }

    /// Whether a person has to look at it.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Failed | Self::Error)
    }
}

/// Counts by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutcomeCounts {
    /// Passed.
    pub passed: u64,
    /// Failed.
    pub failed: u64,
    /// Error.
    pub error: u64,
    /// Skipped.
    pub skipped: u64,
    /// Failed as expected.
    pub known_issue: u64,
    /// Planned, never run.
    pub not_run: u64,
    /// All rows.
    pub total: u64,
}

impl OutcomeCounts {
    /// Adds one row.
    pub fn add(&mut self, outcome: Outcome) {
        let slot = match outcome {
            Outcome::Passed => &mut self.passed,
            Outcome::Failed => &mut self.failed,
            Outcome::Error => &mut self.error,
            Outcome::Skipped => &mut self.skipped,
            Outcome::KnownIssue => &mut self.known_issue,
            Outcome::NotRun => &mut self.not_run,
        };
        *slot += 1;
        self.total += 1;
    }
}

/// Something a parser repaired, cut or assumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParseWarning {
    /// Line of the file, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// What was found.
    pub what: String,
    /// What was assumed.
    pub assumed: String,
}

/// An uploaded test report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Identity.
    pub id: ReportId,
    /// Its project.
    pub project_id: ProjectId,
    /// Its build, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<BuildId>,
    /// Its build's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_number: Option<u64>,
    /// The attempt it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// File name as sent.
    pub name: String,
    /// `testhide`, `junit` or `ctrf`.
    pub format: String,
    /// Who wrote it, where the file says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<String>,
    /// Rows of the file by outcome, each attempt of a test for itself where the reporter writes it so.
    pub counts: OutcomeCounts,
    /// Tests by outcome: what their rows and attempts add up to.
    pub tests: OutcomeCounts,
    /// What the parser repaired or assumed.
    pub warnings: Vec<ParseWarning>,
    /// Whether the file broke off and only its readable part is here.
    pub truncated: bool,
    /// Bytes of the file.
    pub size: u64,
    /// When it was stored.
    pub created_at: Timestamp,
}

/// One test's outcome in one report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TestResult {
    /// Identity of this result.
    pub id: ResultId,
    /// The test over all its runs.
    pub test_id: TestId,
    /// Its report.
    pub report_id: ReportId,
    /// What people call it.
    pub display_name: String,
    /// Suite.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub suite: String,
    /// Class or module, as written.
    pub classname: String,
    /// Name, as written.
    pub name: String,
    /// pytest's node id, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nodeid: Option<String>,
    /// File, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Line, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// How it ended.
    pub outcome: Outcome,
    /// The reporter's own resolution, as written.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub resolution: String,
    /// The reporter's failure id: a hint, never a key.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fail_id: String,
    /// Ids of its other rows in the same report (earlier attempts, body and teardown), in order, at most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_fail_ids: Vec<String>,
    /// testhide's own signature of the failure, hex; empty when it did not fail.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signature: String,
    /// Attempts that the report shows for it.
    pub attempts: u32,
    /// Whether an earlier attempt in the same report failed and the last passed.
    pub recovered: bool,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Exception type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Failure or skip message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Stack trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Captured standard output; only when one result is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
    /// Captured standard error; only when one result is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stderr: Option<String>,
    /// Properties, in order of writing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<(String, String)>,
    /// Attachments as the report names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<String>,
    /// Tickets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tickets: Vec<String>,
    /// First documentation line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docstring: Option<String>,
    /// What the file says that has no place above.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, String>,
}
