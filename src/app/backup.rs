//! `GET /backup`: the whole instance as one file, while it works.

use super::wire::App;
use crate::accounts::{Caller, GlobalPermission, require_global};
use crate::storage::backup::{BackupOptions, write};
use crate::web::ApiResult;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use std::io;
use testhide_protocol::api::Problem;
use tokio::sync::mpsc;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Blocks between the archive's writer and the connection.
const QUEUE: usize = 4;

pub(super) fn routes(app: App) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(get_backup))
        .with_state(app)
}

/// Takes a backup: a consistent snapshot in one checksummed file, without keys. A stream that breaks off is no backup, and
/// `testhide verify` says so.
#[utoipa::path(
    get, path = "/backup", tag = "operations", security(("bearer" = [])),
    responses(
        (status = 200, description = "the archive", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs CONFIGURATION_WRITE", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_backup(State(app): State<App>, Caller(principal): Caller) -> ApiResult<Response> {
    require_global(&principal, GlobalPermission::ConfigurationWrite)?;
    let (to_body, parts) = mpsc::channel::<io::Result<Bytes>>(QUEUE);
    let options = BackupOptions::new(app.clock.now());
    let tasks = app.tasks.clone();
    tasks.spawn(async move {
        let writing = tokio::task::spawn_blocking(move || {
            let mut out = Pipe {
                to_body: to_body.clone(),
            };
            if let Err(error) = write(&app.storage, &app.volumes, &options, &mut out, &mut |_| {}) {
                tracing::error!("backup failed: {error}");
                drop(to_body.blocking_send(Err(io::Error::other(error))));
            }
        });
        if let Err(error) = writing.await {
            tracing::error!("backup failed: {error}");
        }
    });
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"testhide.backup\"",
        ),
    ];
    let body = futures_util::stream::unfold(parts, |mut parts| async move {
        parts.recv().await.map(|part| (part, parts))
    });
    Ok((headers, Body::from_stream(body)).into_response())
}

/// A writer whose bytes go to the connection, as fast as that takes them.
struct Pipe {
    to_body: mpsc::Sender<io::Result<Bytes>>,
}

impl io::Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let part = Bytes::copy_from_slice(bytes);
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the client is gone");
        self.to_body.blocking_send(Ok(part)).map_err(gone)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
