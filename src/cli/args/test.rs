//! `test …` and `failure …`.

use clap::{Args, Subcommand};

/// `test …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum TestCommand {
    /// List the tests of a project
    #[command(before_help = "Example:\n  testhide test list shop --query cart")]
    List(ListTests),
    /// Show the runs of a test, newest first
    #[command(
        before_help = "Example:\n  testhide test history 6f1c0a52-8d3e-8abc-9def-0123456789ab --branch main"
    )]
    History(TestHistory),
    /// Show a test: its variants, its last failure, its aliases
    #[command(before_help = "Example:\n  testhide test show 6f1c0a52-8d3e-8abc-9def-0123456789ab")]
    Show {
        /// The test's id, from `test list`
        #[arg(value_name = "TEST")]
        id: String,
    },
    /// List tests that seem to go on under another name
    #[command(before_help = "Example:\n  testhide test aliases shop")]
    Aliases(ListAliases),
    /// Say that both tests of an alias are one: its history goes on under the new name
    #[command(
        before_help = "Example:\n  testhide test accept 3b2f9c1e-0a4d-8abc-9def-0123456789ab"
    )]
    Accept {
        /// The alias's id, from `test aliases`
        #[arg(value_name = "ALIAS")]
        alias: String,
    },
    /// Say that they are two tests; it is not proposed again
    #[command(
        before_help = "Example:\n  testhide test reject 3b2f9c1e-0a4d-8abc-9def-0123456789ab"
    )]
    Reject {
        /// The alias's id
        #[arg(value_name = "ALIAS")]
        alias: String,
    },
    /// Take back what was said of an alias
    #[command(before_help = "Example:\n  testhide test undo 3b2f9c1e-0a4d-8abc-9def-0123456789ab")]
    Undo {
        /// The alias's id
        #[arg(value_name = "ALIAS")]
        alias: String,
    },
}

/// `test aliases`
#[derive(Debug, Args)]
pub(in crate::cli) struct ListAliases {
    /// Name or id of the project
    #[arg(value_name = "PROJECT")]
    pub project: String,
    /// Those that are proposed, accepted or rejected
    #[arg(long, value_name = "STATE", default_value = "proposed", value_parser = ["proposed", "accepted", "rejected"])]
    pub state: String,
    /// Most aliases
    #[arg(long, value_name = "N", default_value = "50")]
    pub limit: usize,
}

/// `test list`
#[derive(Debug, Args)]
pub(in crate::cli) struct ListTests {
    /// Name or id of the project
    #[arg(value_name = "PROJECT")]
    pub project: String,
    /// Only tests whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub query: Option<String>,
    /// Most tests
    #[arg(long, value_name = "N", default_value = "50")]
    pub limit: usize,
}

/// `test history`
#[derive(Debug, Args)]
pub(in crate::cli) struct TestHistory {
    /// The test's id, from `test list`
    #[arg(value_name = "TEST")]
    pub id: String,
    /// Only runs on this branch
    #[arg(long, value_name = "BRANCH")]
    pub branch: Option<String>,
    /// Only runs of this job's builds: PROJECT/NAME or id
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Only runs that ended so, e.g. failed
    #[arg(long, value_name = "OUTCOME", value_parser = ["passed", "failed", "error", "skipped", "known_issue", "not_run"])]
    pub outcome: Option<String>,
    /// Most runs
    #[arg(long, value_name = "N", default_value = "20")]
    pub limit: usize,
}

/// `failure …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum FailureCommand {
    /// Show a failure: verdict, evidence, trace, similar ones
    #[command(
        before_help = "Example:\n  testhide failure show 0198c1a2-7f3e-7abc-8def-0123456789ab"
    )]
    Show {
        /// The result's id, from `build verdicts`
        #[arg(value_name = "RESULT")]
        id: String,
    },
    /// Say what the cause of a failure was; the model learns from it
    #[command(
        before_help = "Example:\n  testhide failure label 0198c1a2-7f3e-7abc-8def-0123456789ab 'Product bug'"
    )]
    Label(Label),
}

/// `failure label`
#[derive(Debug, Args)]
pub(in crate::cli) struct Label {
    /// The result's id
    #[arg(value_name = "RESULT")]
    pub id: String,
    /// Category, e.g. `Product bug`
    #[arg(value_name = "CATEGORY")]
    pub category: String,
}
