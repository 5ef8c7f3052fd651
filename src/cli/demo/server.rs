//! The demo's server: what `testhide serve` runs, in this process, so that it can be stopped and started again.

use crate::app::{App, Serving, serve};
use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A server that listens.
pub(super) struct Server {
    /// Its parts.
    pub app: App,
    /// Where it listens, as `host:port`.
    pub listens: String,
    serving: Serving,
    shutdown: CancellationToken,
}

impl Server {
    /// Serves `app` on `listen` until it is stopped or `shutdown` fires.
    pub(super) async fn start(
        app: App,
        listen: &str,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("failed to listen on {listen}"))?;
        let shutdown = shutdown.child_token();
        let serving = serve(app.clone(), listener, shutdown.clone())?;
        Ok(Self {
            app,
            listens: serving.address.to_string(),
            serving,
            shutdown,
        })
    }

    /// Ends it in order: when this returns, nothing of it runs and its directory is free.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        let Self {
            app,
            serving,
            shutdown,
            ..
        } = self;
        drop(app);
        shutdown.cancel();
        serving.ended().await
    }
}
