//! Files kept from a build.

use super::Builds;
use crate::accounts::{Caller, require};
use crate::artifacts::ArtifactsError;
use crate::web::{ApiResult, Json, Path, Turn, Viewers};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::Stream;
use futures_util::stream;
use std::io;
use testhide_protocol::ArtifactId;
use testhide_protocol::api::{Artifact, Page, Problem, ProjectPermission};

/// Lists the files kept from a build, by attempt and path.
#[utoipa::path(
    get, path = "/builds/{build}/artifacts", tag = "builds", security(("bearer" = [])),
    params(("build" = String, Path, description = "id or number")),
    responses(
        (status = 200, description = "all of them, in one page", body = Page<Artifact>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list_artifacts(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(build): Path<String>,
) -> ApiResult<Json<Page<Artifact>>> {
    let record = builds.resolve(&principal, &build)?;
    let items = builds
        .artifacts
        .of_build(record.id)?
        .into_iter()
        .map(Artifact::from)
        .collect();
    Ok(Json(Page { items, next: None }))
}

/// Reads a file kept from a build. It is always a download: nothing in it runs in this server's origin.
#[utoipa::path(
    get, path = "/artifacts/{id}", tag = "builds", security(("bearer" = [])),
    params(("id" = ArtifactId, Path, description = "id")),
    responses(
        (status = 200, description = "bytes", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such artifact for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too many downloads of this account", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "too many downloads", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_artifact(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(id): Path<ArtifactId>,
) -> ApiResult<Response> {
    let record = builds.artifacts.get(id)?;
    if require(&principal, ProjectPermission::Read, record.project).is_err() {
        return Err(ArtifactsError::NotFound(id).into());
    }
    let name: String = record
        .path
        .rsplit('/')
        .next()
        .unwrap_or("file")
        .chars()
        .filter(|c| is_header_safe(*c))
        .collect();
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, record.file.size.to_string()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
        (
            header::ETAG,
            format!("\"{}\"", crate::kit::to_hex(&record.file.blake3)),
        ),
    ];
    let viewers = builds.logs.viewers().clone();
    // Held until the last byte has left: each download has a part of its file in memory.
    let seat = viewers.download_seat(principal.user)?;
    let reader = builds.artifacts.open(&record);
    let body = streamed(viewers, (reader, seat), |(mut reader, seat)| {
        reader
            .next_part()
            .map(|part| part.map(|bytes| (bytes, (reader, seat))))
    });
    Ok((headers, Body::from_stream(body)).into_response())
}

fn is_header_safe(c: char) -> bool {
    c.is_ascii_graphic() && c != '"' && c != '\\'
}

/// Bytes that are handed to the connection at once. It takes sixteen pieces ahead of what the reader takes, whatever their size: 64 KiB.
const PIECE: usize = 4 * 1024;

/// A body made part by part on a blocking thread, each when its turn comes; an error ends it, and the client sees that it broke off.
pub(super) fn streamed<S, E, F>(
    viewers: Viewers,
    source: S,
    next: F,
) -> impl Stream<Item = Result<Bytes, io::Error>>
where
    S: Send + 'static,
    E: std::error::Error + Send + Sync + 'static,
    F: Fn(S) -> Result<Option<(Bytes, S)>, E> + Clone + Send + 'static,
{
    let begin = (source, Bytes::new());
    stream::try_unfold(begin, move |(source, mut part)| {
        let (next, viewers) = (next.clone(), viewers.clone());
        async move {
            if !part.is_empty() {
                let piece = part.split_to(part.len().min(PIECE));
                return Ok(Some((piece, (source, part))));
            }
            viewers.turn(Turn::Download).await;
            let read = tokio::task::spawn_blocking(move || next(source))
                .await
                .map_err(io::Error::other)?;
            let read = read.map_err(|error| {
                tracing::error!("failed to read a stored file: {error}");
                io::Error::other(error)
            })?;
            Ok(read.map(|(mut part, source)| {
                viewers.took(part.len());
                let piece = part.split_to(part.len().min(PIECE));
                (piece, (source, part))
            }))
        }
    })
}
