//! `login`.

use clap::Args;

/// `login`
#[derive(Debug, Args)]
pub(in crate::cli) struct Login {
    /// Log-in name; asked for when absent
    #[arg(long, value_name = "NAME")]
    pub username: Option<String>,
    /// Read the password from the first line of stdin
    #[arg(long)]
    pub password_stdin: bool,
}
