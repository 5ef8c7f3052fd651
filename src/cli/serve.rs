//! `testhide serve`: the server, until it is told to end.

use crate::app::{App, serve};
use crate::config::{Environment, Overrides, Settings};
use crate::kit::Clock;
use crate::storage::StorageError;
use anyhow::Context;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Exit code when another process holds the data directory.
const IN_USE: u8 = 5;

/// Runs the server. Messages go to stderr; the first line on stdout is the address, for programs that wait for it.
pub async fn run(overrides: Overrides) -> ExitCode {
    match served(&overrides).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let held = matches!(
                error.downcast_ref::<StorageError>(),
                Some(StorageError::Locked(_))
            );
            drop(writeln!(std::io::stderr(), "testhide: {error:#}"));
            if held {
                ExitCode::from(IN_USE)
            } else {
                ExitCode::FAILURE
            }
        }
    }
}

async fn served(overrides: &Overrides) -> anyhow::Result<()> {
    let settings = Settings::load(overrides, &Environment::of_process())?;
    log_to_stderr(settings.debug);
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("failed to listen on {}", settings.listen))?;
    let app = App::open(&settings, Clock::system())?;
    let shutdown = stop_signal()?;
    let setup = app.accounts.setup_token().await?;
    let serving = serve(app, listener, shutdown)?;
    let scheme = if settings.tls.is_some() {
        "https"
    } else {
        "http"
    };
    let address = format!("{scheme}://{}", serving.address);
    writeln!(
        std::io::stdout(),
        "testhide {} listens on {address}",
        env!("CARGO_PKG_VERSION")
    )?;
    std::io::stdout().flush()?;
    if let Some(token) = setup {
        let link = settings.public_url.as_deref().unwrap_or(&address);
        let mut out = std::io::stderr();
        writeln!(
            out,
            "\nThere is no user yet. Make the first superuser with this one-time token:\n\n    {token}\n"
        )?;
        writeln!(
            out,
            "    testhide user create NAME --superuser --setup --server {link}\n"
        )?;
        writeln!(
            out,
            "The token is good once; each start without a user makes another.\n"
        )?;
    }
    serving.ended().await
}

/// Sentences on a terminal, JSON lines elsewhere; `TESTHIDE_LOG` filters as `RUST_LOG` does in other programs.
pub(super) fn log_to_stderr(debug: bool) {
    let default = if debug {
        "debug,hyper=info,tantivy=info"
    } else {
        "info,tantivy=warn,tower_http=warn"
    };
    let filter =
        EnvFilter::try_from_env("TESTHIDE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // A second call (the demo after a test) finds a subscriber in place and leaves it.
    let outcome = if std::io::stderr().is_terminal() {
        builder.try_init()
    } else {
        builder.json().try_init()
    };
    drop(outcome);
}

/// Fires at ctrl-c and SIGTERM.
#[expect(
    clippy::disallowed_methods,
    reason = "waits for the signal that ends everything; nobody needs to wait for it"
)]
pub(super) fn stop_signal() -> anyhow::Result<CancellationToken> {
    let shutdown = CancellationToken::new();
    let fire = shutdown.clone();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate =
            signal(SignalKind::terminate()).context("failed to listen for SIGTERM")?;
        drop(tokio::spawn(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            fire.cancel();
        }));
    }
    #[cfg(not(unix))]
    drop(tokio::spawn(async move {
        drop(tokio::signal::ctrl_c().await);
        fire.cancel();
    }));
    Ok(shutdown)
}
