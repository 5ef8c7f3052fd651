//! The agent alone, for machines that carry no server.

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use testhide_agent::cli::{AgentCommand, execute};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// testhide's build agent
#[derive(Parser)]
#[command(name = "testhide-agent", version)]
struct Cli {
    #[command(subcommand)]
    command: AgentCommand,
}

fn main() -> anyhow::Result<ExitCode> {
    let cli = Cli::parse();
    if matches!(cli.command, AgentCommand::Attempt(_)) {
        testhide_agent::log_to_stderr();
    } else {
        log_to_stderr();
    }
    testhide_agent::install_crypto();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(async {
        let shutdown = CancellationToken::new();
        let end = shutdown.clone();
        tokio::spawn(async move {
            asked_to_end().await;
            end.cancel();
        });
        execute(cli.command, &[], shutdown).await
    }))
}

fn log_to_stderr() {
    let filter = EnvFilter::try_from_env("TESTHIDE_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .init();
}

/// Waits for Ctrl-C, or for the service manager's signal.
async fn asked_to_end() {
    let interrupt = async {
        if let Err(error) = tokio::signal::ctrl_c().await {
            tracing::warn!(%error, "cannot hear Ctrl-C");
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = interrupt => {}
        () = terminate() => {}
    }
}

#[cfg(unix)]
async fn terminate() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(error) => {
            tracing::warn!(%error, "cannot hear SIGTERM");
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(not(unix))]
async fn terminate() {
    std::future::pending::<()>().await;
}
