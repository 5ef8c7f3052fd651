//! What does not fit together in a build or a report: reasons not to believe its colour.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What does not fit together.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The exit code of the tests' process and the results contradict each other. Such a build never passes.
    InconsistentExit,
    /// Tests that were planned, discovered or there in earlier builds are not in the reports.
    TestsMissing,
    /// A report is older than the step that should have written it.
    StaleReport,
    /// A report broke off, or was put together from what a killed reporter left.
    PartialReport,
    /// A report, or all reports together, hold no test at all.
    ZeroTests,
    /// Tests passed only after attempts that the report does not show.
    HiddenRetry,
}

impl FindingKind {
    /// The name used in JSON and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InconsistentExit => "inconsistent_exit",
            Self::TestsMissing => "tests_missing",
            Self::StaleReport => "stale_report",
            Self::PartialReport => "partial_report",
            Self::ZeroTests => "zero_tests",
            Self::HiddenRetry => "hidden_retry",
        }
    }
}

/// One disagreement, with what was expected and what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// What does not fit.
    pub kind: FindingKind,
    /// One sentence: what was expected and what was found.
    pub message: String,
    /// File name of the report it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// Display names of the tests it is about, at most 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tests: Vec<String>,
    /// How many tests it is about.
    #[serde(default)]
    pub count: u64,
}
