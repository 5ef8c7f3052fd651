//! What runs by itself: followers of the event log, and passes that repeat.

use super::wire::App;
use std::time::Duration;

/// How often leases are looked at.
const RECONCILE_EVERY: Duration = Duration::from_secs(5);

/// How often a store whose disk failed is tried again: it is back about so long after the disk is.
const MEND_EVERY: Duration = Duration::from_secs(1);

/// How often samples of agents' machines are stored.
const METRICS_EVERY: Duration = Duration::from_secs(60);

/// How often refusals that were only counted are written down.
const AUDIT_EVERY: Duration = Duration::from_secs(60);
/// How often the certificate's files are read.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(30);

/// How often it is stored when tokens were used.
const USES_EVERY: Duration = Duration::from_secs(60);

/// Starts everything that runs by itself; it ends with the tasks.
pub(super) fn start(app: &App) {
    app.consumers.start(app.history.consumer(), &app.tasks);
    for consumer in app.analysis.consumers() {
        app.consumers.start(consumer, &app.tasks);
    }
    app.consumers.start(app.search.indexer(), &app.tasks);
    app.consumers.start(app.gates.consumer(), &app.tasks);
    let (broken, stopping) = (app.storage.broken(), app.tasks.stopping());
    app.tasks.spawn_essential("state store", async move {
        tokio::select! {
            () = broken.cancelled() => {}
            () = stopping.cancelled() => {}
        }
    });
    mend_store(app);
    store_metrics(app);
    let audit = app.audit.clone();
    every(app, "audit", AUDIT_EVERY, move || {
        let audit = audit.clone();
        async move { audit.write_counts().await }
    });
    store_uses(app);
    follow_certificate(app);
    let reconcile = app.reconcile.clone();
    every(app, "reconcile", RECONCILE_EVERY, move || {
        let reconcile = reconcile.clone();
        async move {
            if let Err(error) = reconcile.pass_once().await {
                tracing::warn!("failed to reconcile leases: {error}");
            }
        }
    });
}

fn mend_store(app: &App) {
    let (storage, volumes) = (app.storage.clone(), app.volumes.clone());
    every(app, "mend", MEND_EVERY, move || {
        let (storage, volumes) = (storage.clone(), volumes.clone());
        async move {
            for mended in [storage.mend().await, volumes.mend().await] {
                if let Err(error) = mended {
                    tracing::debug!("the store is still read-only: {error}");
                }
            }
        }
    });
}

fn store_metrics(app: &App) {
    let agents = app.agents.clone();
    every(app, "metrics", METRICS_EVERY, move || {
        let agents = agents.clone();
        async move {
            if let Err(error) = agents.store_metrics().await {
                tracing::warn!("failed to store metrics of agents: {error}");
            }
            if let Err(error) = agents.store_troubles().await {
                tracing::warn!("failed to store what went wrong with agents: {error}");
            }
        }
    });
}

fn store_uses(app: &App) {
    let accounts = app.accounts.clone();
    every(app, "token uses", USES_EVERY, move || {
        let accounts = accounts.clone();
        async move {
            if let Err(error) = accounts.store_uses().await {
                tracing::warn!("failed to store when tokens were used: {error}");
            }
        }
    });
}

/// Takes up a certificate that was renewed. A file that cannot be used changes nothing.
fn follow_certificate(app: &App) {
    let Some(certificate) = app.certificate.clone() else {
        return;
    };
    every(app, "certificate", CERTIFICATE_EVERY, move || {
        let certificate = certificate.clone();
        async move {
            let reading = tokio::task::spawn_blocking(move || certificate.reload());
            match reading.await {
                Ok(Ok(true)) => tracing::info!("the server has a new certificate"),
                Ok(Ok(false)) => {}
                Ok(Err(error)) => tracing::warn!("the certificate in force stays: {error}"),
                Err(error) => tracing::warn!("failed to read the certificate: {error}"),
            }
        }
    });
}

fn every<F, P>(app: &App, name: &'static str, period: Duration, mut pass: F)
where
    F: FnMut() -> P + Send + 'static,
    P: Future<Output = ()> + Send,
{
    let stopping = app.tasks.stopping();
    app.tasks.spawn_essential(name, async move {
        let mut tick = tokio::time::interval(period);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stopping.cancelled() => return,
                _ = tick.tick() => pass().await,
            }
        }
    });
}
