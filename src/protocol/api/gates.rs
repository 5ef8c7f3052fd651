//! Quality gates: what a build has to hold, and how it did.

use crate::api::FindingKind;
use crate::{BuildId, GateId, JobId, ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Makes a gate, or takes the place of one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutGate {
    /// Unique in its project; 1 to 100 characters: letters, digits, `.`, `_`, `-`.
    pub name: String,
    /// For people, at most 1,000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Id or name of the job whose builds it is for; all builds of the project when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// A disabled gate is not evaluated. When absent, a new gate is enabled and one that exists stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// 1 to 20 rules that all have to hold.
    pub rules: Vec<GateRule>,
}

/// A quality gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Gate {
    /// Identity.
    pub id: GateId,
    /// Its project.
    pub project_id: ProjectId,
    /// The job whose builds it is for; all builds of the project when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_id: Option<JobId>,
    /// That job's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_name: Option<String>,
    /// Unique in its project.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether builds are held against it.
    pub enabled: bool,
    /// Its rules, in the order in which they were given.
    pub rules: Vec<GateRule>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// One rule of a gate. What cannot be known (no report, a build that never came to its end) does not hold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
pub enum GateRule {
    /// At least so many percent of the tests that ran passed or failed as expected (`known_issue`).
    PassRate {
        /// 0 to 100.
        min_percent: f64,
        /// Count skipped tests as tests that did not pass.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        include_skipped: bool,
    },
    /// No test failed or errored.
    ZeroFailures {},
    /// No test fails that did not fail on the base branch already.
    NoNewFailures {
        /// Branch whose history counts; when absent that of the job's source, else `main`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        base_branch: Option<String>,
        /// A failure is not new when the test failed in one of so many last builds there, 1 to 100; 10 when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        builds: Option<u32>,
    },
    /// It took no longer than this.
    MaxDuration {
        /// What took it; the build when absent.
        #[serde(default)]
        of: DurationOf,
        /// Milliseconds, 1 to 31,536,000,000 (a year).
        max_ms: u64,
    },
    /// At most so many tests recovered: passed after an attempt that failed.
    MaxFlakyCount {
        /// 0 to 10,000,000.
        max: u64,
    },
    /// At least so many tests ran.
    MinTestCount {
        /// 1 to 10,000,000.
        min: u64,
        /// Count skipped tests too.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        include_skipped: bool,
    },
    /// Nothing about the build disagrees: it has no findings.
    NoInconsistencies {
        /// Only findings of these kinds count; all when empty.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        kinds: Vec<FindingKind>,
    },
}

impl GateRule {
    /// The name of its type in JSON and on screens.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::PassRate { .. } => "pass_rate",
            Self::ZeroFailures {} => "zero_failures",
            Self::NoNewFailures { .. } => "no_new_failures",
            Self::MaxDuration { .. } => "max_duration",
            Self::MaxFlakyCount { .. } => "max_flaky_count",
            Self::MinTestCount { .. } => "min_test_count",
            Self::NoInconsistencies { .. } => "no_inconsistencies",
        }
    }
}

/// What a limit of time is about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DurationOf {
    /// The present attempt of the build, from its start to its end.
    #[default]
    Build,
    /// Every single test.
    EachTest,
    /// All tests together, as if they had run one after the other.
    AllTests,
}

impl DurationOf {
    /// The name used in JSON and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::EachTest => "each_test",
            Self::AllTests => "all_tests",
        }
    }
}

/// How a build stood against all enabled gates that are for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GateEvaluation {
    /// Build.
    pub build_id: BuildId,
    /// Its number.
    pub build_number: u64,
    /// The attempt it was at.
    pub attempt: u32,
    /// Whether every rule holds; true also when no gate is for it.
    pub passed: bool,
    /// Gates that were evaluated; 0 when none is for this build.
    pub gates: u64,
    /// When.
    pub evaluated_at: Timestamp,
    /// One for each rule of each gate, oldest gate first.
    pub results: Vec<GateResult>,
}

/// How a build stood against one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GateResult {
    /// The gate.
    pub gate_id: GateId,
    /// Its name.
    pub gate: String,
    /// The rule as it was then.
    pub rule: GateRule,
    /// Whether it holds.
    pub passed: bool,
    /// One sentence: what was expected and what was found.
    pub message: String,
    /// The limit as a number, in the rule's unit.
    pub threshold: f64,
    /// What was found, in the same unit; absent when it could not be known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actual: Option<f64>,
}

/// The verdict of a build's gates in short. It stands beside the build's state, which says what ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GateSummary {
    /// Whether every rule of every gate holds.
    pub passed: bool,
    /// Gates that were evaluated.
    pub gates: u64,
    /// Rules that do not hold.
    pub failed_rules: u64,
    /// What the first of those says; in words too when all hold.
    pub message: String,
}
