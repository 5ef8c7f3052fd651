//! `agent …`: the agent's own commands, and those about the server's agents.

use clap::Subcommand;
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
}
