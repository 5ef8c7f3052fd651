//! Comparisons.

use crate::TestId;
use crate::api::Outcome;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One test in a comparison.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
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
    /// For slower and faster tests, what their history says; `null` where the plain thresholds alone decided.
    #[serde(default)]
    pub significance: Option<Significance>,
}

/// Why a change of duration is more than noise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Significance {
    /// `modified_z_score` (Iglewicz and Hoaglin).
    pub test: String,
    /// Passed runs of the test before the head, on the head's branch, that it was compared with.
    pub runs: u32,
    /// Their median, in milliseconds.
    pub median_ms: f64,
    /// Their median absolute deviation, in milliseconds.
    pub mad_ms: f64,
    /// How far the head is from the median, in robust standard deviations; negative when it is faster.
    pub score: f64,
    /// What it has to reach.
    pub threshold: f64,
}

/// How many tests belong to each list of a comparison, also those that are not listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComparedCounts {
    /// New failures.
    pub new_failures: u64,
    /// Fixed.
    pub fixed: u64,
    /// Still failing.
    pub still_failing: u64,
    /// Added.
    pub added: u64,
    /// Removed.
    pub removed: u64,
    /// Newly skipped.
    pub newly_skipped: u64,
    /// Slower.
    pub slower: u64,
    /// Faster.
    pub faster: u64,
}

/// What differs between two builds or reports, by test identity.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
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
    /// Slower by at least 100 ms and 20 %, and by more than its history explains.
    pub slower: Vec<ComparedTest>,
    /// Faster by at least 100 ms and 20 %, and by more than its history explains.
    pub faster: Vec<ComparedTest>,
    /// Tests that neither list names.
    pub unchanged: u64,
    /// How long the lists are in truth.
    #[serde(default)]
    pub counts: ComparedCounts,
    /// Whether a list holds its first 1,000 tests only.
    #[serde(default)]
    pub truncated: bool,
}
