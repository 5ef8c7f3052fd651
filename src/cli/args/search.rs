//! `search` and `events`.

use clap::Args;

/// `search`
#[derive(Debug, Args)]
pub(in crate::cli) struct Search {
    /// Words, "phrases", /regex/, field:value
    #[arg(value_name = "QUERY", required = true)]
    pub query: Vec<String>,
    /// Most lines
    #[arg(long, value_name = "N", default_value = "20")]
    pub limit: usize,
}

/// `events`
#[derive(Debug, Args)]
pub(in crate::cli) struct Events {
    /// Only what came after this event
    #[arg(long, value_name = "SEQ", default_value = "0")]
    pub after: u64,
    /// Go on with what happens next
    #[arg(short, long)]
    pub follow: bool,
}
