//! Tests over time.

use crate::api::{Outcome, TestAlias};
use crate::{BuildId, ProjectId, ReportId, ResultId, TestId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A test over all its runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Test {
    /// Identity.
    pub id: TestId,
    /// Its project.
    pub project_id: ProjectId,
    /// What people call it.
    pub display_name: String,
    /// Its name without parameters.
    pub family: String,
    /// File, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its last outcome on any branch.
    pub last_outcome: Outcome,
    /// First run.
    pub first_seen_at: Timestamp,
    /// Last run.
    pub last_seen_at: Timestamp,
    /// Runs.
    pub runs: u64,
    /// Failures and errors among them.
    pub failures: u64,
}

/// One run of a test.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestRun {
    /// Result with all details.
    pub result_id: ResultId,
    /// Report it stands in.
    pub report_id: ReportId,
    /// Build, when the report has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<BuildId>,
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_number: Option<u64>,
    /// Attempt of the build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Branch.
    pub branch: String,
    /// Commit, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// Agent's name, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether an earlier attempt in the same report failed.
    pub recovered: bool,
    /// Signature of the failure, hex; empty when it did not fail.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub signature: String,
    /// Milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// When it was stored.
    pub time: Timestamp,
    /// Whether it failed and the run of its test before it, on the same branch, had passed. Only in a test's history.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub first_failure_after_pass: bool,
}

/// A test with what belongs to it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TestDetails {
    /// The test over all its runs, those before a rename included.
    #[serde(flatten)]
    pub test: Test,
    /// Tests of its family: the same with other parameters; at most 200.
    pub variants: Vec<TestVariant>,
    /// Its last failure on any branch; absent when it never failed, or not within its last 10,000 runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<TestRun>,
    /// Reports in a row, up to its last one and on that one's branch, in which it failed.
    pub fail_streak: u64,
    /// Aliases that lead to it or from it, whatever was said of them.
    pub aliases: Vec<TestAlias>,
}

/// One of a family of tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TestVariant {
    /// Identity.
    pub id: TestId,
    /// What people call it.
    pub display_name: String,
    /// Its last outcome on any branch.
    pub last_outcome: Outcome,
}
