//! The life of a server: open, listen, and end in order.

use super::loops;
use super::router::router;
use super::wire::App;
use crate::web::TlsListener;
use anyhow::{Context, anyhow};
use axum::serve::{Listener, ListenerExt, TapIo};
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
    loops::start(&app);
    let ended = if let Some(certificate) = &app.certificate {
        let (listener, accepting) = TlsListener::new(listener, certificate)
            .context("failed to read the listener's address")?;
        app.tasks.spawn(accepting);
        // Its connections have no delays already; this is only how a listener of another kind tells its peers.
        tokio::spawn(live(app.clone(), listener.tap_io(|_| ()), shutdown))
    } else {
        // Nagle's algorithm would hold an assignment back until the agent's kernel acknowledges the frame before it: 40 ms a build.
        let listener = listener.tap_io(|connection| {
            if let Err(error) = connection.set_nodelay(true) {
                tracing::debug!("a connection keeps its delays: {error}");
            }
        });
        tokio::spawn(live(app.clone(), listener, shutdown))
    };
    Ok(Serving {
        app,
        address,
        ended,
    })
}

/// The server's life on one listener.
async fn live<L, F>(
    app: App,
    listener: TapIo<L, F>,
    shutdown: CancellationToken,
) -> anyhow::Result<()>
where
    L: Listener<Addr = SocketAddr>,
    F: FnMut(&mut L::Io) + Send + 'static,
{
    let router = router(&app).into_make_service_with_connect_info::<SocketAddr>();
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
