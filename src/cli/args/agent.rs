//! `agent …`: the agent's own commands, and those about the server's agents.

use clap::{Args, Subcommand};
use testhide_agent::cli::AgentCommand;

/// `agent …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum AgentNoun {
    #[command(flatten)]
    Here(AgentCommand),
    /// List the server's agents and what they work on
    #[command(before_help = "Example:\n  testhide agent list")]
    List,
    /// Make a one-time token that enrols an agent
    #[command(
        before_help = "Example:\n  testhide agent token | ssh builder testhide agent enroll --token-file -"
    )]
    Token,
    /// Show one of the server's agents
    #[command(before_help = "Example:\n  testhide agent show builder-1")]
    Show(AgentName),
    /// Show how an agent's machine was
    #[command(before_help = "Example:\n  testhide agent metrics builder-1 --minutes 240")]
    Metrics(AgentMetrics),
    /// Let an agent end the builds that it has, and give it no more
    #[command(
        before_help = "Example:\n  testhide agent drain builder-1 --reason 'new disk tonight'"
    )]
    Drain(ChangeAgent),
    /// Take an agent out at once: its builds are queued again while their retries last, it is not let in
    #[command(
        before_help = "Example:\n  testhide agent disable builder-1 --reason 'broken compiler'"
    )]
    Disable(ChangeAgent),
    /// Let a drained or disabled agent take builds again
    #[command(before_help = "Example:\n  testhide agent resume builder-1")]
    Resume(ChangeAgent),
    /// Remove an agent for good; its builds are queued again while their retries last
    #[command(before_help = "Example:\n  testhide agent remove builder-1")]
    Remove(AgentName),
    /// Make a one-time token that gives an agent a new key
    #[command(
        before_help = "Example:\n  testhide agent rotate-key builder-1 | ssh builder-1 testhide agent enroll --token-file -"
    )]
    RotateKey(AgentName),
}

/// One of the server's agents.
#[derive(Debug, Args)]
pub(in crate::cli) struct AgentName {
    /// Name or id of the agent
    #[arg(value_name = "AGENT")]
    pub agent: String,
}

/// `agent metrics`
#[derive(Debug, Args)]
pub(in crate::cli) struct AgentMetrics {
    /// Name or id of the agent
    #[arg(value_name = "AGENT")]
    pub agent: String,
    /// How far back, up to a day
    #[arg(long, value_name = "N", default_value = "60")]
    pub minutes: u32,
}

/// `agent drain`, `agent disable`, `agent resume`
#[derive(Debug, Args)]
pub(in crate::cli) struct ChangeAgent {
    /// Name or id of the agent
    #[arg(value_name = "AGENT")]
    pub agent: String,
    /// Why; shown to everybody
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}
