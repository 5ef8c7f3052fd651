//! `project …`.

use clap::{ArgGroup, Args, Subcommand};

/// `project …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ProjectCommand {
    /// Make a project
    #[command(
        before_help = "Example:\n  testhide project create shop --description 'The web shop'"
    )]
    Create(Create),
    /// List projects
    #[command(before_help = "Example:\n  testhide project list")]
    List,
    /// Show a project and its jobs
    #[command(before_help = "Example:\n  testhide project show shop")]
    Show {
        /// Name or id
        #[arg(value_name = "PROJECT")]
        project: String,
    },
    /// Change a project
    #[command(before_help = "Example:\n  testhide project update shop --name store")]
    Update(Update),
}

/// `project create`
#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// Unique name: letters, digits, `.`, `_`, `-`
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Free text
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub description: String,
}

/// `project update`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").required(true).multiple(true)))]
pub(in crate::cli) struct Update {
    /// Name or id
    #[arg(value_name = "PROJECT")]
    pub project: String,
    /// New name
    #[arg(long, value_name = "NAME", group = "change")]
    pub name: Option<String>,
    /// New description
    #[arg(long, value_name = "TEXT", group = "change")]
    pub description: Option<String>,
}
