//! `audit …`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `audit …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AuditCommand {
    /// List who did what, newest first
    #[command(before_help = "Example:\n  testhide audit list --action agent --outcome refused")]
    List(ListAudit),
    /// Check that no entry was changed or taken out; exit code 1 when one was
    #[command(before_help = "Example:\n  testhide audit verify --file audit.jsonl")]
    Verify(VerifyAudit),
    /// Write all of it as JSON lines, oldest first
    #[command(before_help = "Example:\n  testhide audit export -o audit.jsonl")]
    Export(ExportAudit),
}

/// Which entries are wanted.
#[derive(Debug, Args)]
pub(in crate::cli) struct AuditFilter {
    /// Only by these: user, token, agent, system or anonymous, an id or a name
    #[arg(long, value_name = "WHO")]
    pub actor: Option<String>,
    /// Only this: `agent.drained`, or `agent` for all about agents
    #[arg(long, value_name = "ACTION")]
    pub action: Option<String>,
    /// Only to this: a kind such as `agent`, an id or a name
    #[arg(long, value_name = "WHAT")]
    pub object: Option<String>,
    /// Only what was done or what was refused
    #[arg(long, value_name = "OUTCOME", value_parser = ["ok", "refused"])]
    pub outcome: Option<String>,
    /// Not before this time, such as `2026-03-20T10:30:00Z`
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// `audit list`
#[derive(Debug, Args)]
pub(in crate::cli) struct ListAudit {
    #[command(flatten)]
    pub filter: AuditFilter,
    /// Most entries
    #[arg(long, value_name = "N", default_value_t = 50)]
    pub limit: usize,
}

/// `audit verify`
#[derive(Debug, Args)]
pub(in crate::cli) struct VerifyAudit {
    /// Check an export instead of the server's log; needs no server. One that was filtered by more than time has gaps
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seq", "hash"])]
    pub file: Option<PathBuf>,
    /// Number of an entry that was written down earlier: it must still be there
    #[arg(long, value_name = "N", requires = "hash")]
    pub seq: Option<u64>,
    /// Its hash
    #[arg(long, value_name = "HEX", requires = "seq")]
    pub hash: Option<String>,
}

/// `audit export`
#[derive(Debug, Args)]
pub(in crate::cli) struct ExportAudit {
    #[command(flatten)]
    pub filter: AuditFilter,
    /// File to write; stdout when absent
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
