//! `report …`.

use crate::reports::convert::TargetFormat;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `report …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ReportCommand {
    /// Upload test reports of any known format, and ask the gates what they say
    #[command(
        before_help = "Example:\n  testhide report push target/*.xml --project shop --branch main --commit 4f2c91a0b"
    )]
    Push(Push),
    /// List the reports of a build or a project
    #[command(before_help = "Example:\n  testhide report list --build 421")]
    List(ListReports),
    /// Show reports: findings, failures, counts; needs no server for files
    #[command(before_help = "Example:\n  testhide report show target/surefire-reports")]
    Show(Show),
    /// Check reports: warnings with line numbers, findings; needs no server
    #[command(before_help = "Example:\n  testhide report validate build/junit.xml --strict")]
    Validate(Validate),
    /// Write reports in another format; needs no server
    #[command(
        before_help = "Example:\n  testhide report convert results.trx --to ctrf -o ctrf.json"
    )]
    Convert(Convert),
    /// Put the reports of shards and reruns together; needs no server
    #[command(
        before_help = "Example:\n  testhide report merge shard-1.xml shard-2.xml rerun.xml -o all.xml"
    )]
    Merge(Merge),
    /// Show what differs between two runs; needs no server
    #[command(before_help = "Example:\n  testhide report compare main/junit.xml branch/junit.xml")]
    Compare(CompareReports),
}

/// `report show`
#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// Report files, folders, patterns such as '**/junit*.xml', - for standard input; or the id of a report on the server
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// `report validate`
#[derive(Debug, Args)]
pub(in crate::cli) struct Validate {
    /// Report files, folders, patterns, - for standard input
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Fail (exit code 1) also when there is a warning or a finding
    #[arg(long)]
    pub strict: bool,
}

/// `report convert`
#[derive(Debug, Args)]
pub(in crate::cli) struct Convert {
    /// Report files, folders, patterns, - for standard input; several become one report, as with `report merge`
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The format to write
    #[arg(long, value_name = "FORMAT")]
    pub to: Target,
    /// Where to; stdout when absent
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// `report merge`
#[derive(Debug, Args)]
pub(in crate::cli) struct Merge {
    /// Report files, folders, patterns, - for standard input; a test that comes again is its next attempt
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The format to write; testhide is the one that keeps most
    #[arg(long, value_name = "FORMAT", default_value = "testhide")]
    pub to: Target,
    /// Where to; stdout when absent
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// A format that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Target {
    /// Common Test Report Format, JSON
    Ctrf,
    /// JUnit XML, attempts as Surefire writes them
    Junit,
    /// Testhide XML
    Testhide,
}

impl From<Target> for TargetFormat {
    fn from(target: Target) -> Self {
        match target {
            Target::Ctrf => Self::Ctrf,
            Target::Junit => Self::Junit,
            Target::Testhide => Self::Testhide,
        }
    }
}

/// `report compare`
#[derive(Debug, Args)]
pub(in crate::cli) struct CompareReports {
    /// The run before: a file, folder or pattern; or the id of a report on the server
    #[arg(value_name = "BASE")]
    pub base: PathBuf,
    /// The run after: of the same kind
    #[arg(value_name = "HEAD")]
    pub head: PathBuf,
    /// Fail (exit code 1) when there is such a difference
    #[arg(long, value_name = "WHAT")]
    pub fail_on: Option<FailOn>,
}

/// A difference that fails a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum FailOn {
    /// Tests that fail after and did not before
    NewFailures,
}

/// `report push`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("owner").args(["build", "project"]).required(true)))]
pub(in crate::cli) struct Push {
    /// Report files, folders, patterns
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The build they belong to: number or id
    #[arg(long, value_name = "BUILD")]
    pub build: Option<String>,
    /// The project they belong to, when no build of testhide made them
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
    /// Branch they were made on
    #[arg(long, value_name = "BRANCH", conflicts_with = "build")]
    pub branch: Option<String>,
    /// Commit they were made on
    #[arg(long, value_name = "COMMIT", conflicts_with = "build")]
    pub commit: Option<String>,
    /// Then hold the build against its quality gates; exit code 1 when one fails
    #[arg(long, conflicts_with = "project")]
    pub gate: bool,
}

/// `report list`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("owner").args(["build", "project"]).required(true)))]
pub(in crate::cli) struct ListReports {
    /// Reports of this build: number or id
    #[arg(long, value_name = "BUILD")]
    pub build: Option<String>,
    /// Reports of this project: name or id
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
    /// Most reports of a project
    #[arg(long, value_name = "N", default_value = "20")]
    pub limit: usize,
}
