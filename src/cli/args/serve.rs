//! `serve` and `demo`.

use crate::config::Overrides;
use clap::Args;
use std::path::PathBuf;

/// `serve`
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct ServeArgs {
    /// Config file [env: TESTHIDE_CONFIG] [default: testhide.toml here or in /etc/testhide]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Directory that holds everything [env: TESTHIDE_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Address and port [env: TESTHIDE_LISTEN]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
}

impl From<ServeArgs> for Overrides {
    fn from(args: ServeArgs) -> Self {
        Self {
            config_file: args.config,
            data_dir: args.data_dir,
            listen: args.listen,
        }
    }
}

/// `demo`
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct DemoArgs {
    /// End after the verdicts instead of serving on
    #[arg(long)]
    pub exit: bool,
    /// Address and port; a free port of this machine when absent
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<String>,
}
