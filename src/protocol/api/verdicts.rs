//! What testhide says of failures, with its evidence.

use crate::{BuildId, ResultId, TestId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kinds of verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VerdictKind {
    /// Never seen before on this test.
    New,
    /// The same failure was seen before and has not been away since.
    Known,
    /// The same code both passed and failed.
    Flaky,
    /// It failed before and passes now.
    Fixed,
}

impl VerdictKind {
    /// The name used on the wire and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Known => "known",
            Self::Flaky => "flaky",
            Self::Fixed => "fixed",
        }
    }
}

/// A run that a verdict refers to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunRef {
    /// Result.
    pub result_id: ResultId,
    /// Build, when it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<BuildId>,
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_number: Option<u64>,
    /// Attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// When.
    pub time: Timestamp,
}

/// Two runs of one test on one commit with different outcomes: the evidence of flakiness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FlakyPair {
    /// The commit; empty when both attempts stand in one report.
    pub commit: String,
    /// The run that failed.
    pub failed: RunRef,
    /// The run that passed.
    pub passed: RunRef,
}

/// Since when a failure is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct KnownSince {
    /// First run of the present streak.
    pub first: RunRef,
    /// Failing runs with this signature, this one included.
    pub times: u64,
}

/// One verdict with what moved it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Verdict {
    /// What it is.
    pub kind: VerdictKind,
    /// In one sentence, why.
    pub reason: String,
    /// For known failures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub known_since: Option<KnownSince>,
    /// For flaky ones; newest first, at most ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flaky_pairs: Vec<FlakyPair>,
    /// Version of the rules that said it.
    pub method: String,
}

/// An earlier failure that looks alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SimilarFailure {
    /// The earlier result.
    pub run: RunRef,
    /// What people call its test.
    pub display_name: String,
    /// First line of its message.
    pub message: String,
    /// Cosine similarity, 0 to 1.
    pub similarity: f32,
    /// The category that somebody gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// The category of a failure's cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RootCause {
    /// Category; absent while the data does not decide.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Probability of that category, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    /// Who said so: `label`, `model`, or nobody.
    pub source: String,
    /// In one sentence, why, or why not.
    pub reason: String,
}

/// Everything testhide says of one failure (or of one test that recovered).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FailureVerdict {
    /// The result it speaks of.
    pub result_id: ResultId,
    /// The test.
    pub test_id: TestId,
    /// What people call it.
    pub display_name: String,
    /// First lines of the message.
    pub message: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The most similar earlier failures, best first.
    pub similar: Vec<SimilarFailure>,
    /// The cause, or why none is named.
    pub root_cause: RootCause,
}

/// The verdicts of a build.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BuildVerdicts {
    /// Build.
    pub build_id: BuildId,
    /// Its number.
    pub build_number: u64,
    /// Whether every report of the build is analysed.
    pub complete: bool,
    /// Failures first (new, flaky, known), then what recovered.
    pub failures: Vec<FailureVerdict>,
}

/// Says what the cause of a failure was; the model learns from it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LabelFailure {
    /// A category, 1 to 60 characters, e.g. `Product bug`.
    pub category: String,
}
