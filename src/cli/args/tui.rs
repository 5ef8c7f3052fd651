//! `tui`.

use clap::Args;

/// `tui`
#[derive(Debug, Args)]
pub(in crate::cli) struct Tui {
    /// Hide and refuse everything that changes something
    #[arg(long)]
    pub readonly: bool,
    /// Begin with this build
    #[arg(long, value_name = "NUMBER")]
    pub build: Option<u64>,
}
