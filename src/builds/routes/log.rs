//! A build's log: lines by number, and its bytes as written.

use super::Builds;
use crate::accounts::Caller;
use crate::logs::{RawLog, Wanted};
use crate::web::{ApiError, ApiResult, ByteRange, Path, Query, Turn};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
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
    known_bytes: Option<u64>,
}

/// Reads lines of a build's log by number; with `wait_seconds` it waits for line `from` (or the end of the attempt), and with `known_bytes`
/// also for more of the line that is being written.
#[utoipa::path(
    get, path = "/builds/{build}/log", tag = "builds", security(("bearer" = [])),
    params(
        ("build" = String, Path, description = "id or number"),
        ("attempt" = Option<u32>, Query, description = "attempt; the last when absent"),
        ("from" = Option<u64>, Query, description = "first line wanted, counts from 1; 1 when absent"),
        ("limit" = Option<usize>, Query, description = "most lines, 1 to 10,000; 1,000 when absent"),
        ("wait_seconds" = Option<u64>, Query, description = "how long to wait for line `from`, at most 30; 0 when absent"),
        ("known_bytes" = Option<u64>, Query, description = "wait only while the log has no more than so many bytes: `total_bytes` of the page before, for clients that show `running`"),
    ),
    responses(
        (status = 200, description = "lines", body = LogPage),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller, or no such attempt", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid range", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too many waiting requests of this account", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "too many waiting requests", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_log(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(build): Path<String>,
    Query(query): Query<LogQuery>,
) -> ApiResult<Response> {
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
    if from == 0 {
        return Err(crate::logs::LogsError::LineZero.into());
    }
    let patience = Duration::from_secs(query.wait_seconds.unwrap_or(0).min(MAX_WAIT_SECONDS));
    let viewers = builds.logs.viewers();
    let mut turn = Turn::Page;
    let mut seat = None;
    if !patience.is_zero() {
        turn = Turn::Follow;
        seat = Some(viewers.wait_seat(principal.user)?);
        let wanted = Wanted {
            line: from,
            bytes_beyond: query.known_bytes,
        };
        builds
            .logs
            .wait_for(record.id, attempt, wanted, patience)
            .await?;
    }
    viewers.turn(turn).await;
    let page = builds
        .logs
        .page_json(record.id, attempt, from, limit)
        .await?;
    viewers.took(page.len());
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (header::CONTENT_LENGTH, page.len().to_string()),
    ];
    // The seat is held until the answer has left: a reader that does not take it counts.
    let parts = page.0.into_iter().map(move |part| {
        let _held = &seat;
        Ok::<_, std::io::Error>(part)
    });
    Ok((headers, Body::from_stream(stream::iter(parts))).into_response())
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawLogQuery {
    attempt: Option<u32>,
}

/// Reads a build's log as its bytes were written; `Range: bytes=N-` goes on where a download broke off.
#[utoipa::path(
    get, path = "/builds/{build}/log/raw", tag = "builds", security(("bearer" = [])),
    params(
        ("build" = String, Path, description = "id or number"),
        ("attempt" = Option<u32>, Query, description = "attempt; the last when absent"),
    ),
    responses(
        (status = 200, description = "bytes", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 206, description = "the bytes of the range", body = Vec<u8>, content_type = "application/octet-stream"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller, or no such attempt", body = Problem, content_type = "application/problem+json"),
        (status = 416, description = "the range is behind the end", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid attempt", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too many downloads of this account", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "too many downloads", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn get_raw_log(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(build): Path<String>,
    Query(query): Query<RawLogQuery>,
    request: HeaderMap,
) -> ApiResult<Response> {
    let record = builds.resolve(&principal, &build)?;
    let attempt = record.attempt_or_present(query.attempt)?;
    let length = builds.logs.head(record.id, attempt)?.bytes;
    let wanted = request.get(header::RANGE);
    let wanted = ByteRange::of(wanted.and_then(|value| value.to_str().ok()), length);
    let (status, range) = match wanted {
        ByteRange::Whole => (StatusCode::OK, 0..length),
        ByteRange::Part(range) => (StatusCode::PARTIAL_CONTENT, range),
        ByteRange::Outside => return Ok(outside(length)),
    };
    let viewers = builds.logs.viewers().clone();
    let seat = viewers.download_seat(principal.user)?;
    let name = format!(
        "attachment; filename=\"build-{}-{attempt}.log\"",
        record.number
    );
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            header::CONTENT_LENGTH,
            (range.end - range.start).to_string(),
        ),
        (header::CONTENT_DISPOSITION, name),
        (header::ACCEPT_RANGES, "bytes".to_owned()),
    ];
    let place = (status == StatusCode::PARTIAL_CONTENT).then(|| {
        let last = range.end - 1;
        let place = format!("bytes {}-{last}/{length}", range.start);
        [(header::CONTENT_RANGE, place)]
    });
    let log = RawLog::new(builds.logs, record.id, attempt, range);
    let body = super::files::streamed(viewers, (log, seat), |(mut log, seat)| {
        log.next_bytes()
            .map(|part| part.map(|bytes| (Bytes::from(bytes), (log, seat))))
    });
    Ok((status, headers, place, Body::from_stream(body)).into_response())
}

/// The refusal of a range that begins where the log ends; it says how long the log is, so that a reader knows that it has everything.
fn outside(length: u64) -> Response {
    let detail = format!("the log has {length} bytes, and the range has none of them");
    let size = [(header::CONTENT_RANGE, format!("bytes */{length}"))];
    (size, ApiError::new(416, "no_such_range", detail)).into_response()
}
