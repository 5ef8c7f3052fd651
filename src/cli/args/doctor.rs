//! `doctor`.

use crate::config::Overrides;
use clap::Args;
use std::path::PathBuf;

/// `doctor`
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct Doctor {
    /// Config file [env: TESTHIDE_CONFIG] [default: testhide.toml here or in /etc/testhide]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory to look at [env: TESTHIDE_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

impl From<Doctor> for Overrides {
    fn from(args: Doctor) -> Self {
        Self {
            config_file: args.config,
            data_dir: args.data_dir,
            listen: None,
        }
    }
}
