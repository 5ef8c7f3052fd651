//! Ctrl-C and SIGTERM, for commands that have something to clear away; all others simply end.

use super::error::{CliError, Exit};

/// Does `work` until it is interrupted; what it holds (temporary files) is dropped then.
pub(in crate::cli) async fn interruptible<T>(
    work: impl Future<Output = Result<T, CliError>>,
) -> Result<T, CliError> {
    tokio::select! {
        result = work => result,
        () = asked_to_end() => Err(CliError::new(Exit::Interrupted, "interrupted", "stopped before it was done")),
    }
}

/// Returns when the process is asked to end; never where the system cannot tell.
pub(in crate::cli) async fn asked_to_end() {
    tokio::select! {
        () = interrupted() => {}
        () = terminated() => {}
    }
}

async fn interrupted() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(unix)]
async fn terminated() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut signal) => drop(signal.recv().await),
        Err(_) => std::future::pending().await,
    }
}

#[cfg(not(unix))]
async fn terminated() {
    std::future::pending().await
}
