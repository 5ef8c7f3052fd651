//! `backup`, `verify` and `restore`.

use clap::Args;
use std::path::PathBuf;

/// `backup`
#[derive(Debug, Args)]
pub(in crate::cli) struct Backup {
    /// The file to write, `-` for stdout
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Read a stopped server's data directory instead of asking a running server
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Save what can be read of a damaged directory, and say what is missing
    #[arg(long, requires = "data_dir")]
    pub salvage: bool,
    /// Do not read the file again to prove that it is whole
    #[arg(long)]
    pub no_verify: bool,
    /// Replace the file if it is there
    #[arg(long)]
    pub force: bool,
}

/// `verify`
#[derive(Debug, Args)]
pub(in crate::cli) struct Verify {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// `restore`
#[derive(Debug, Args)]
pub(in crate::cli) struct Restore {
    /// The backup
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// The directory to make; it must be absent or empty
    #[arg(long, value_name = "DIR")]
    pub data_dir: PathBuf,
    /// Restore what is whole of a damaged backup, and say what is missing
    #[arg(long)]
    pub salvage: bool,
}
