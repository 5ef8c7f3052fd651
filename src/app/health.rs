//! Whether the process lives and whether it can work.

use super::wire::App;
use crate::storage::{DiskState, StorageError};
use crate::web::{ApiError, Json};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Serialize;

/// `/livez`, `/readyz` and their aliases.
pub(super) fn routes(app: App) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/health", get(ready))
        .route("/healthz", get(ready))
        .route("/readyz", get(ready))
        .with_state(app)
}

#[derive(Serialize)]
struct Ready {
    status: &'static str,
    version: &'static str,
    disk: &'static str,
    disk_free_bytes: u64,
    /// Why the store takes no writes though the disk has room, for a person.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<String>,
    last_event: u64,
    consumers: Vec<testhide_protocol::api::Consumer>,
}

async fn ready(State(app): State<App>) -> Response {
    match look(&app) {
        Ok(ready) => {
            let status = if ready.status == "ok" {
                StatusCode::OK
            } else {
                StatusCode::SERVICE_UNAVAILABLE
            };
            (status, Json(ready)).into_response()
        }
        Err(error) => ApiError::new(503, "store", error.to_string()).into_response(),
    }
}

fn look(app: &App) -> Result<Ready, StorageError> {
    let disk = match app.disk.state() {
        DiskState::Roomy => "roomy",
        DiskState::Tight => "tight: files are refused",
        DiskState::Full => "full: read-only",
    };
    let store = app.storage.trouble().or_else(|| app.volumes.trouble());
    Ok(Ready {
        status: if app.disk.state() == DiskState::Full || store.is_some() {
            "read_only"
        } else {
            "ok"
        },
        version: env!("CARGO_PKG_VERSION"),
        disk,
        disk_free_bytes: app.disk.free_bytes(),
        store,
        last_event: app.log.last()?,
        consumers: app.consumers.status()?,
    })
}
