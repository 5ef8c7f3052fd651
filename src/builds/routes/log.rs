//! A build's log: lines by number, and its bytes as written.

use super::Builds;
use crate::accounts::Caller;
use crate::logs::RawLog;
use crate::web::{ApiError, ApiResult, Json, Path, Query};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::time::Duration;
use testhide_protocol::api::{LogPage, Problem};

/// Most lines of one page.
const MAX_LINES: usize = 10_000;

/// Longest wait for lines that are not there yet.
const MAX_WAIT_SECONDS: u64 = 30;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogQuery {
    attempt: Option<u32>,
    from: Option<u64>,
    limit: Option<usize>,
    wait_seconds: Option<u64>,
}

/// Reads lines of a build's log by number; with `wait_seconds` it waits for line `from` (or the end of the attempt).
#[utoipa::path(
    get, path = "/builds/{build}/log", tag = "builds", security(("bearer" = [])),
    params(
        ("build" = String, Path, description = "id or number"),
        ("attempt" = Option<u32>, Query, description = "attempt; the last when absent"),
        ("from" = Option<u64>, Query, description = "first line wanted, counts from 1; 1 when absent"),
        ("limit" = Option<usize>, Query, description = "most lines, 1 to 10,000; 1,000 when absent"),
        ("wait_seconds" = Option<u64>, Query, description = "how long to wait for line `from`, at most 30; 0 when absent"),
    ),
    responses(
        (status = 200, description = "lines", body = LogPage),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller, or no such attempt", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid range", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_log(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(build): Path<String>,
    Query(query): Query<LogQuery>,
) -> ApiResult<Json<LogPage>> {
    let record = builds.resolve(&principal, &build)?;
    let attempt = record.attempt_or_present(query.attempt)?;
    let from = query.from.unwrap_or(1);
    let limit = query.limit.unwrap_or(1000);
    if !(1..=MAX_LINES).contains(&limit) {
        return Err(ApiError::invalid(
            "invalid_limit",
            format!("limit {limit} is not between 1 and {MAX_LINES}"),
        ));
    }
    let patience = Duration::from_secs(query.wait_seconds.unwrap_or(0).min(MAX_WAIT_SECONDS));
    if !patience.is_zero() {
        builds
            .logs
            .wait_for_line(record.id, attempt, from, patience)
            .await?;
    }
    let logs = builds.logs.clone();
    let reading = tokio::task::spawn_blocking(move || logs.page(record.id, attempt, from, limit));
    let page = reading
        .await
        .map_err(|error| ApiError::internal(&error))??;
    Ok(Json(page))
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLogQuery {
    attempt: Option<u32>,
}

/// Reads a build's log as its bytes were written.
#[utoipa::path(
    get, path = "/builds/{build}/log/raw", tag = "builds", security(("bearer" = [])),
    params(
        ("build" = String, Path, description = "id or number"),
        ("attempt" = Option<u32>, Query, description = "attempt; the last when absent"),
    ),
    responses(
        (status = 200, description = "bytes", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller, or no such attempt", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid attempt", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_raw_log(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(build): Path<String>,
    Query(query): Query<RawLogQuery>,
) -> ApiResult<Response> {
    let record = builds.resolve(&principal, &build)?;
    let attempt = record.attempt_or_present(query.attempt)?;
    let log = RawLog::new(builds.logs, record.id, attempt)?;
    let length = log.len();
    let name = format!(
        "attachment; filename=\"build-{}-{attempt}.log\"",
        record.number
    );
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (header::CONTENT_LENGTH, length.to_string()),
        (header::CONTENT_DISPOSITION, name),
    ];
    let body = super::files::streamed(log, |mut log| {
        log.next_bytes()
            .map(|part| part.map(|bytes| (Bytes::from(bytes), log)))
    });
    Ok((headers, Body::from_stream(body)).into_response())
}
