//! Flags that every command takes.

use clap::Args;
use std::path::PathBuf;

/// Flags of every command.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct GlobalArgs {
    /// Address of the server [env: TESTHIDE_SERVER] [default: that of the last login, else http://127.0.0.1:8000]
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = "Global options"
    )]
    pub server: Option<String>,
    /// File that holds an API token [env: TESTHIDE_TOKEN_FILE, or TESTHIDE_TOKEN with the token itself]
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = "Global options"
    )]
    pub token_file: Option<PathBuf>,
    /// Print results as JSON
    #[arg(long, global = true, help_heading = "Global options")]
    pub json: bool,
    /// Say nothing on stderr but errors
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// No colours [env: NO_COLOR]
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_color: bool,
    /// Never ask: fail where an answer is missing
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_input: bool,
}
