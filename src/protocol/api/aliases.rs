//! Renamed and moved tests: what is proposed, and what people said of it.

use crate::api::{Outcome, TestRun};
use crate::{AliasId, ProjectId, ReportId, TestId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What became of a proposal.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AliasState {
    /// Nobody said anything yet; the two are two tests.
    Proposed,
    /// They are one test: the history of the old one goes on in the new one.
    Accepted,
    /// They are two tests, and it is not proposed again.
    Rejected,
}

impl AliasState {
    /// The name used on the wire and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
        }
    }
}

/// What changed about a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AliasChange {
    /// The same name in another file or class.
    Moved,
    /// Another name in the same file and class.
    Renamed,
}

impl AliasChange {
    /// The name used on the wire and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moved => "moved",
            Self::Renamed => "renamed",
        }
    }
}

/// One of the two tests, by its own runs alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AliasEnd {
    /// The test.
    pub test_id: TestId,
    /// What people call it.
    pub display_name: String,
    /// File, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its runs.
    pub runs: u64,
    /// Failures and errors among them.
    pub failures: u64,
    /// Its first run.
    pub first_seen_at: Timestamp,
    /// Its last run.
    pub last_seen_at: Timestamp,
    /// How its last run ended.
    pub last_outcome: Outcome,
    /// Where the two histories meet: the last run of the old one, the first of the new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<TestRun>,
}

/// Two tests that may be one: the old one was gone in the report in which the new one came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TestAlias {
    /// Identity.
    pub id: AliasId,
    /// Project.
    pub project_id: ProjectId,
    /// What became of it.
    pub state: AliasState,
    /// What changed.
    pub change: AliasChange,
    /// How alike the two are, 0 to 1.
    pub score: f32,
    /// What is alike, a sentence each.
    pub reasons: Vec<String>,
    /// Other proposals of the same report for the old or the new test that are about as likely. With one or more it is ambiguous.
    pub rivals: u32,
    /// The test that is gone.
    pub old: AliasEnd,
    /// The test that came.
    pub new: AliasEnd,
    /// The report in which that was seen.
    pub report_id: ReportId,
    /// When.
    pub proposed_at: Timestamp,
    /// When somebody accepted or rejected it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// Who did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<String>,
}
