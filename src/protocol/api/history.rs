//! Tests over time, and comparisons.

use crate::api::Outcome;
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
}

/// One test in a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComparedTest {
    /// The test.
    pub test_id: TestId,
    /// What people call it.
    pub display_name: String,
    /// Outcome in the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Outcome>,
    /// Outcome in the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Outcome>,
    /// Milliseconds in the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_ms: Option<u64>,
    /// Milliseconds in the head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_ms: Option<u64>,
}

/// What differs between two builds, by test identity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// Passed (or absent) in the base, fails in the head.
    pub new_failures: Vec<ComparedTest>,
    /// Failed in the base, passes in the head.
    pub fixed: Vec<ComparedTest>,
    /// Fails in both.
    pub still_failing: Vec<ComparedTest>,
    /// Only in the head.
    pub added: Vec<ComparedTest>,
    /// Only in the base.
    pub removed: Vec<ComparedTest>,
    /// Ran in the base, skipped in the head.
    pub newly_skipped: Vec<ComparedTest>,
    /// Slower by at least 100 ms and 20 %.
    pub slower: Vec<ComparedTest>,
    /// Faster by at least 100 ms and 20 %.
    pub faster: Vec<ComparedTest>,
    /// Tests that neither list names.
    pub unchanged: u64,
}
