//! `gate …`.

use super::build::OfBuild;
use crate::cli::output::parse_duration;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use testhide_protocol::api::FindingKind;

/// A whole gate, for people who write their first.
const CREATE_EXAMPLE: &str = r#"Example:
  testhide gate create shop release --pass-rate 99.5 --no-new-failures --max-duration 10m

The same from a file: `testhide gate create shop release --file rules.json` with
  [
    {"type": "pass_rate", "min_percent": 99.5},
    {"type": "no_new_failures", "base_branch": "main", "builds": 10},
    {"type": "max_duration", "of": "build", "max_ms": 600000}
  ]

All rules have to hold. What cannot be known (no report, a cancelled build) does not hold."#;

/// `gate …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum GateCommand {
    /// Make a gate for the builds of a project or of one of its jobs
    #[command(before_help = CREATE_EXAMPLE)]
    Create(Create),
    /// List the gates of a project
    #[command(before_help = "Example:\n  testhide gate list shop")]
    List {
        /// Name or id of the project
        #[arg(value_name = "PROJECT")]
        project: String,
    },
    /// Show a gate and its rules
    #[command(before_help = "Example:\n  testhide gate show shop/release")]
    Show(OfGate),
    /// Change a gate; rules replace all that it had
    #[command(before_help = "Example:\n  testhide gate update shop/release --pass-rate 98")]
    Update(Update),
    /// Remove a gate; what it said of builds stays with them
    #[command(before_help = "Example:\n  testhide gate delete shop/release")]
    Delete(OfGate),
    /// Hold a build against its gates now; exits with 0 when every rule holds, 1 otherwise
    #[command(before_help = "Example:\n  testhide gate evaluate 421")]
    Evaluate(OfBuild),
}

/// A gate and nothing else.
#[derive(Debug, Args)]
pub(in crate::cli) struct OfGate {
    /// PROJECT/NAME or id
    #[arg(value_name = "GATE")]
    pub gate: String,
}

/// `gate create`
#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// Name or id of the project
    #[arg(value_name = "PROJECT")]
    pub project: String,
    /// Unique in its project: letters, digits, `.`, `_`, `-`
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Only builds of this job: its name or id
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// For people
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub description: String,
    /// Make it without evaluating builds by it
    #[arg(long)]
    pub disabled: bool,
    #[command(flatten)]
    pub rules: RuleArgs,
}

/// `gate update`
#[derive(Debug, Args)]
pub(in crate::cli) struct Update {
    /// PROJECT/NAME or id
    #[arg(value_name = "GATE")]
    pub gate: String,
    /// New name
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// New description
    #[arg(long, value_name = "TEXT")]
    pub description: Option<String>,
    /// Only builds of this job: its name or id
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Builds of all jobs of the project
    #[arg(long, conflicts_with = "job")]
    pub all_jobs: bool,
    /// Evaluate builds by it
    #[arg(long)]
    pub enable: bool,
    /// Evaluate no build by it
    #[arg(long, conflicts_with = "enable")]
    pub disable: bool,
    #[command(flatten)]
    pub rules: RuleArgs,
}

/// Rules, as flags or as a file.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Rules")]
pub(in crate::cli) struct RuleArgs {
    /// At least so many percent of the tests that ran passed
    #[arg(long, value_name = "PERCENT")]
    pub pass_rate: Option<f64>,
    /// No test failed
    #[arg(long)]
    pub zero_failures: bool,
    /// No test failed that did not fail on the base branch already
    #[arg(long)]
    pub no_new_failures: bool,
    /// The branch to compare with; that of the job's source when absent
    #[arg(long, value_name = "BRANCH", requires = "no_new_failures")]
    pub base_branch: Option<String>,
    /// How many of its last builds count; 10 when absent
    #[arg(long, value_name = "N", requires = "no_new_failures")]
    pub base_builds: Option<u32>,
    /// The build took no longer, e.g. 10m
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    pub max_duration: Option<u64>,
    /// No test took longer, e.g. 500ms
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    pub max_test_duration: Option<u64>,
    /// All tests together took no longer
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    pub max_tests_duration: Option<u64>,
    /// At most so many tests passed only after a failed attempt
    #[arg(long, value_name = "N")]
    pub max_flaky: Option<u64>,
    /// At least so many tests ran
    #[arg(long, value_name = "N")]
    pub min_tests: Option<u64>,
    /// The build has no findings, such as tests that are missing
    #[arg(long)]
    pub no_inconsistencies: bool,
    /// Only findings of this kind count; may be given more than once
    #[arg(long = "finding", value_name = "KIND", requires = "no_inconsistencies", value_parser = parse_kind)]
    pub findings: Vec<FindingKind>,
    /// JSON file with an array of rules; `-` is stdin
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = [
            "pass_rate", "zero_failures", "no_new_failures", "max_duration", "max_test_duration",
            "max_tests_duration", "max_flaky", "min_tests", "no_inconsistencies",
        ]
    )]
    pub file: Option<PathBuf>,
}

/// Milliseconds of `500ms`, or of any other duration.
fn parse_limit(text: &str) -> Result<u64, String> {
    if let Some(millis) = text.strip_suffix("ms").and_then(|text| text.parse().ok()) {
        return Ok(millis);
    }
    let millis = parse_duration(text)?.as_millis();
    u64::try_from(millis).map_err(|_| format!("`{text}` is too long"))
}

fn parse_kind(text: &str) -> Result<FindingKind, String> {
    // The names are those of the API.
    serde_json::from_value(text.into()).map_err(|error| error.to_string())
}
