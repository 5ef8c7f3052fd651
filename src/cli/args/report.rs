//! `report …`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `report …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ReportCommand {
    /// Upload test reports: JUnit XML, testhide XML, CTRF JSON
    #[command(
        before_help = "Example:\n  testhide report push target/*.xml --project shop --branch main --commit 4f2c91a0b"
    )]
    Push(Push),
    /// List the reports of a build or a project
    #[command(before_help = "Example:\n  testhide report list --build 421")]
    List(ListReports),
    /// Show a report: its failures, its counts, what the parser repaired
    #[command(
        before_help = "Example:\n  testhide report show 0198c1a2-7f3e-7abc-8def-0123456789ab"
    )]
    Show {
        /// The report's id
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// `report push`
#[derive(Debug, Args)]
pub(in crate::cli) struct Push {
    /// Report files
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// The build they belong to: number or id
    #[arg(
        long,
        value_name = "BUILD",
        required_unless_present = "project",
        conflicts_with = "project"
    )]
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
}

/// `report list`
#[derive(Debug, Args)]
pub(in crate::cli) struct ListReports {
    /// Reports of this build: number or id
    #[arg(
        long,
        value_name = "BUILD",
        required_unless_present = "project",
        conflicts_with = "project"
    )]
    pub build: Option<String>,
    /// Reports of this project: name or id
    #[arg(long, value_name = "PROJECT")]
    pub project: Option<String>,
    /// Most reports of a project
    #[arg(long, value_name = "N", default_value = "20")]
    pub limit: usize,
}
