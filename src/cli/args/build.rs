//! `build …` and `artifact …`.

use crate::cli::output::parse_duration;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use std::time::Duration;
use testhide_protocol::ArtifactId;
use testhide_protocol::api::BuildState;

/// `build …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum BuildCommand {
    /// Start a build
    #[command(
        before_help = "Example:\n  testhide build trigger shop/unit --branch main --param SUITE=smoke --wait"
    )]
    Trigger(Trigger),
    /// List builds, newest first
    #[command(before_help = "Example:\n  testhide build list --project shop --status failed")]
    List(List),
    /// Show a build: its failures first, then its steps
    #[command(before_help = "Example:\n  testhide build show 421")]
    Show(OfBuild),
    /// Print a build's log, and follow it
    #[command(before_help = "Example:\n  testhide build log 421 -f")]
    Log(Log),
    /// Wait for a build's end; exits with 0 when it passed, 1 otherwise, 7 when time is over
    #[command(before_help = "Example:\n  testhide build wait 421 --timeout 10m")]
    Wait(Wait),
    /// Stop a build
    #[command(before_help = "Example:\n  testhide build cancel 421 --reason 'wrong branch'")]
    Cancel(Cancel),
    /// Say what each failure of a build is: new, flaky, known, fixed
    #[command(before_help = "Example:\n  testhide build verdicts 421")]
    Verdicts(OfBuild),
    /// Show how a build stood against its gates; exits with 0 when every rule held, 1 otherwise
    #[command(before_help = "Example:\n  testhide build gates 421")]
    Gates(OfBuild),
    /// Say what differs between two builds
    #[command(before_help = "Example:\n  testhide build compare 419 421")]
    Compare(Compare),
    /// List the files kept from a build
    #[command(before_help = "Example:\n  testhide build artifacts 421")]
    Artifacts(OfBuild),
}

/// A build and nothing else.
#[derive(Debug, Args)]
pub(in crate::cli) struct OfBuild {
    /// Number or id
    #[arg(value_name = "BUILD")]
    pub build: String,
}

/// `build trigger`
#[derive(Debug, Args)]
pub(in crate::cli) struct Trigger {
    /// PROJECT/NAME or id of the job
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Branch to build; the job's when absent
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Commit to build; the branch's head when absent
    #[arg(long, value_name = "COMMIT")]
    pub commit: Option<String>,
    /// Value for a parameter of the job; may be given more than once
    #[arg(long = "param", value_name = "KEY=VALUE", value_parser = parse_parameter)]
    pub parameters: Vec<(String, String)>,
    /// Wait for its end; exits with 0 when it passed, 1 otherwise
    #[arg(long)]
    pub wait: bool,
    /// Print its log while it runs, and exit like --wait
    #[arg(short, long)]
    pub follow: bool,
}

/// `build list`
#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only this project: name or id
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
    /// Only this job: PROJECT/NAME or id
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Only this branch
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Only this state
    #[arg(long, value_name = "STATE")]
    pub status: Option<BuildState>,
    /// Most builds
    #[arg(long, value_name = "N", default_value = "20")]
    pub limit: usize,
}

/// `build log`
#[derive(Debug, Args)]
pub(in crate::cli) struct Log {
    /// Number or id
    #[arg(value_name = "BUILD")]
    pub build: String,
    /// Print new lines as they come, until the build ends
    #[arg(short, long)]
    pub follow: bool,
    /// First line; counts from 1
    #[arg(long, value_name = "LINE", default_value = "1", value_parser = clap::value_parser!(u64).range(1..))]
    pub from: u64,
    /// Attempt; the last when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub attempt: Option<u32>,
    /// The bytes as they were written (cleaned for a terminal)
    #[arg(long, conflicts_with_all = ["follow", "from", "timestamps"])]
    pub raw: bool,
    /// Put the time before each line
    #[arg(long)]
    pub timestamps: bool,
}

/// `build wait`
#[derive(Debug, Args)]
pub(in crate::cli) struct Wait {
    /// Number or id
    #[arg(value_name = "BUILD")]
    pub build: String,
    /// Give up after this time, e.g. 90s, 10m, 1h30m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub timeout: Option<Duration>,
    /// Evaluate its gates then, and exit with 1 also when one of them fails
    #[arg(long)]
    pub gate: bool,
}

/// `build cancel`
#[derive(Debug, Args)]
pub(in crate::cli) struct Cancel {
    /// Number or id
    #[arg(value_name = "BUILD")]
    pub build: String,
    /// Shown to everybody
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `build compare`
#[derive(Debug, Args)]
pub(in crate::cli) struct Compare {
    /// The build before: number or id; or the id of a report
    #[arg(value_name = "BASE")]
    pub base: String,
    /// The build after, or a report
    #[arg(value_name = "HEAD")]
    pub head: String,
}

/// `artifact …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ArtifactCommand {
    /// Download a file
    #[command(
        before_help = "Example:\n  testhide artifact get 0198c1a2-7f3e-7abc-8def-0123456789ab -o report.html"
    )]
    Get(Get),
}

/// `artifact get`
#[derive(Debug, Args)]
pub(in crate::cli) struct Get {
    /// The file's id, from `build artifacts`
    #[arg(value_name = "ID")]
    pub id: ArtifactId,
    /// Where to; stdout when absent
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

fn parse_parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not KEY=VALUE")),
    }
}
