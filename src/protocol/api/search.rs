//! Search answers.

use crate::api::Stream;
use crate::{BuildId, ProjectId, ResultId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A line that matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchLine {
    /// Line number in the log, or in the failure's text.
    pub number: u64,
    /// Where it came from, for logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<Stream>,
    /// The text, cut to 1,000 characters around the first match.
    pub text: String,
    /// Byte ranges of the matches in `text`.
    pub highlights: Vec<(u32, u32)>,
}

/// A place that matched: lines of one log block, or one failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchHit {
    /// `log` or `failure`.
    pub kind: String,
    /// Project.
    pub project_id: ProjectId,
    /// Build, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<BuildId>,
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_number: Option<u64>,
    /// Attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Job's name.
    pub job: String,
    /// Branch.
    pub branch: String,
    /// The failing result, for failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_id: Option<ResultId>,
    /// The failing test's name, for failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// When.
    pub time: Timestamp,
    /// Matching lines, in order.
    pub lines: Vec<SearchLine>,
}

/// An answer to a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchAnswer {
    /// The query as understood.
    pub query: String,
    /// Newest first.
    pub hits: Vec<SearchHit>,
    /// Opaque; given back as `cursor` it answers the next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Events that are stored but not in the index yet.
    pub index_lag: u64,
}
