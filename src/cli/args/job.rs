//! `job …`.

use clap::{ArgGroup, Args, Subcommand};
use std::path::PathBuf;

/// A whole definition, for people who write their first.
const CREATE_EXAMPLE: &str = r#"Example:
  testhide job create shop unit --file job.json

with job.json
  {
    "source_management": {"type": "git", "url": "git@example.com:shop.git", "branch": "main"},
    "labels": ["linux"],
    "environment": {"LANG": "C.UTF-8"},
    "parameters": {"SUITE": "all"},
    "timeout_seconds": 1800,
    "steps": [
      {"type": "bash", "name": "build", "run": "make"},
      {"type": "bash", "name": "tests", "run": "./run-tests.sh $SUITE", "timeout_seconds": 900}
    ],
    "post_steps": [
      {"type": "test_provider", "provider": "junit", "path": "**/reports/*.xml"},
      {"type": "copy_artifacts", "source": "logs/**/*.log", "target": "logs"}
    ]
  }

Only "steps" is needed. Steps run in order until one fails; post steps run whatever happened.
Parameters reach steps as environment variables, and a trigger may set those that are declared here.
"timeout_seconds" is 3600 when absent. "infra_retries", 1 when absent, says how often a build is queued
again after its agent was lost, stopped, disabled or removed."#;

/// `job …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum JobCommand {
    /// Make a job from a definition
    #[command(before_help = CREATE_EXAMPLE)]
    Create(Create),
    /// List the jobs of a project
    #[command(before_help = "Example:\n  testhide job list shop")]
    List {
        /// Name or id of the project
        #[arg(value_name = "PROJECT")]
        project: String,
    },
    /// Show a job and its definition
    #[command(before_help = "Example:\n  testhide job show shop/unit")]
    Show {
        /// PROJECT/NAME or id
        #[arg(value_name = "JOB")]
        job: String,
    },
    /// Change a job
    #[command(before_help = "Example:\n  testhide job update shop/unit --file job.json")]
    Update(Update),
}

/// `job create`
#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// Name or id of the project
    #[arg(value_name = "PROJECT")]
    pub project: String,
    /// Unique in its project: letters, digits, `.`, `_`, `-`
    #[arg(value_name = "NAME")]
    pub name: String,
    /// JSON file with the definition; `-` is stdin
    #[arg(long, value_name = "FILE")]
    pub file: PathBuf,
}

/// `job update`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").required(true).multiple(true)))]
pub(in crate::cli) struct Update {
    /// PROJECT/NAME or id
    #[arg(value_name = "JOB")]
    pub job: String,
    /// New name
    #[arg(long, value_name = "NAME", group = "change")]
    pub name: Option<String>,
    /// JSON file with the new definition, whole; `-` is stdin
    #[arg(long, value_name = "FILE", group = "change")]
    pub file: Option<PathBuf>,
    /// Take triggers
    #[arg(long, group = "change")]
    pub enable: bool,
    /// Refuse triggers
    #[arg(long, conflicts_with = "enable", group = "change")]
    pub disable: bool,
}
