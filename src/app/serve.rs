//! The life of a server: open, listen, and end in order.

use super::loops;
use super::router::router;
use super::wire::App;
use crate::web::{PatientListener, Peer, TlsListener};
use anyhow::{Context, anyhow};
use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long open requests may take when the server ends.
const DRAIN: Duration = Duration::from_secs(5);

/// A server that listens.
pub struct Serving {
    /// Its parts.
    pub app: App,
    /// Where it listens.
    pub address: SocketAddr,
    ended: tokio::task::JoinHandle<anyhow::Result<()>>,
}

/// Serves `app` on `listener` until `shutdown` fires or an essential task fails.
///
/// # Errors
/// A listener that cannot be used.
#[expect(
    clippy::disallowed_methods,
    reason = "this task is the server itself; `Serving::ended` waits for it"
)]
pub fn serve(
    app: App,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> anyhow::Result<Serving> {
    let address = listener
        .local_addr()
        .context("failed to read the listener's address")?;
    let patience = app.logs.viewers().limits().patience;
    let listener = PatientListener::new(listener, patience);
    loops::start(&app);
    let ended = if let Some(certificate) = &app.certificate {
        let (listener, accepting) = TlsListener::new(listener, certificate)
            .context("failed to read the listener's address")?;
        app.tasks.spawn(accepting);
        tokio::spawn(live(app.clone(), listener, shutdown))
    } else {
        tokio::spawn(live(app.clone(), listener, shutdown))
    };
    Ok(Serving {
        app,
        address,
        ended,
    })
}

/// The server's life on one listener.
async fn live<L>(app: App, listener: L, shutdown: CancellationToken) -> anyhow::Result<()>
where
    L: Listener<Addr = SocketAddr>,
    Peer: for<'a> Connected<IncomingStream<'a, L>>,
{
    let router = router(&app).into_make_service_with_connect_info::<Peer>();
    let (tasks, stopping) = (app.tasks.clone(), app.tasks.stopping());
    let stop = stopping.clone();
    let server =
        axum::serve(listener, router).with_graceful_shutdown(async move { stop.cancelled().await });
    let mut server = std::pin::pin!(server.into_future());
    let early = tokio::select! {
        result = &mut server => Some(result),
        () = shutdown.cancelled() => None,
        () = stopping.cancelled() => None,
    };
    // Stop accepting, tell agents to come back later, drain requests with a deadline, stop followers at an event border, close.
    tasks.stop();
    if let Some(result) = early {
        result.context("the listener failed")?;
    } else if tokio::time::timeout(DRAIN, &mut server).await.is_err() {
        tracing::info!("some requests did not end within {} s", DRAIN.as_secs());
    }
    if tokio::time::timeout(DRAIN, tasks.finished()).await.is_err() {
        tracing::warn!("some tasks did not end within {} s", DRAIN.as_secs());
    }
    let failure = tasks.failure();
    app.close().await;
    match failure {
        Some(failure) => Err(anyhow!(failure)),
        None => Ok(()),
    }
}

impl Serving {
    /// Waits until the server has ended.
    ///
    /// # Errors
    /// Why it ended, when nobody asked it to.
    pub async fn ended(self) -> anyhow::Result<()> {
        let Self { app, ended, .. } = self;
        drop(app);
        ended.await.context("the server panicked")?
    }
}
