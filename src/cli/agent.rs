//! Use case: the agent's own commands.

use super::error::CliError;
use super::serve::{log_to_stderr, stop_signal};
use std::process::ExitCode;
use testhide_agent::cli::{AgentCommand, execute};

/// Hands a command to the agent, which is told when the process is asked to end.
pub(super) async fn run(command: AgentCommand) -> Result<ExitCode, CliError> {
    if matches!(command, AgentCommand::Attempt(_)) {
        testhide_agent::log_to_stderr();
    } else {
        log_to_stderr(false);
    }
    let shutdown = stop_signal()?;
    Ok(Box::pin(execute(command, &["agent"], shutdown)).await)
}
