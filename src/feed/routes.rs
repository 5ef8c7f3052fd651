//! The HTTP of the feed: events, and how those stand that follow them inside the server.

mod audit;

pub use audit::audit_routes;

use super::visible::Feed;
use crate::accounts::{Caller, GlobalPermission, require_global};
use crate::web::{ApiError, ApiResult, Json, Path, Query, Turn};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use std::time::Duration;
use testhide_protocol::api::{Consumer, EventRecord, Page, ParkedEvent, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest wait for an event.
const MAX_WAIT_SECONDS: u64 = 30;

/// The routes of the feed, below `/api/v3`.
pub fn routes(feed: Feed) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_events))
        .routes(routes!(list_consumers))
        .routes(routes!(list_parked))
        .routes(routes!(retry_parked))
        .with_state(feed)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct EventsQuery {
    after: Option<u64>,
    limit: Option<usize>,
    wait_seconds: Option<u64>,
}

/// Lists what happened after sequence number `after`, oldest first. `next` is where to go on (as `after`), also when the page is empty
/// because the caller may not see what happened.
#[utoipa::path(
    get, path = "/events", tag = "events", security(("bearer" = [])),
    params(
        ("after" = Option<u64>, Query, description = "sequence number; 0 when absent"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 100 when absent"),
        ("wait_seconds" = Option<u64>, Query, description = "how long to wait for the first, at most 30; 0 when absent"),
    ),
    responses(
        (status = 200, description = "a page of events", body = Page<EventRecord>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid query", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too many waiting requests of this account", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "too many waiting requests", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_events(
    State(feed): State<Feed>,
    Caller(principal): Caller,
    Query(query): Query<EventsQuery>,
) -> ApiResult<Json<Page<EventRecord>>> {
    let limit = query.limit.unwrap_or(100);
    if !(1..=1000).contains(&limit) {
        return Err(ApiError::invalid(
            "invalid_limit",
            format!("limit {limit} is not between 1 and 1000"),
        ));
    }
    let patience = Duration::from_secs(query.wait_seconds.unwrap_or(0).min(MAX_WAIT_SECONDS));
    let _seat = if patience.is_zero() {
        feed.viewers.turn(Turn::Page).await;
        None
    } else {
        let seat = feed.viewers.wait_seat(principal.user)?;
        feed.viewers.turn(Turn::Feed).await;
        Some(seat)
    };
    let heard = feed
        .hear(&principal, query.after.unwrap_or(0), limit, patience)
        .await?;
    Ok(Json(Page {
        items: heard.events,
        next: Some(heard.reached.to_string()),
    }))
}

/// Lists the followers of the event log inside the server: how far each is and what it set aside.
#[utoipa::path(
    get, path = "/consumers", tag = "events", security(("bearer" = [])),
    responses(
        (status = 200, description = "all of them", body = Page<Consumer>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_consumers(
    State(feed): State<Feed>,
    Caller(principal): Caller,
) -> ApiResult<Json<Page<Consumer>>> {
    require_global(&principal, GlobalPermission::MonitoringRead)?;
    Ok(Json(Page {
        items: feed.consumers.status()?,
        next: None,
    }))
}

/// Lists events that kept failing in a follower and were set aside.
#[utoipa::path(
    get, path = "/consumers/parked", tag = "events", security(("bearer" = [])),
    responses(
        (status = 200, description = "all of them", body = Page<ParkedEvent>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs MONITORING_WRITE", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_parked(
    State(feed): State<Feed>,
    Caller(principal): Caller,
) -> ApiResult<Json<Page<ParkedEvent>>> {
    // Errors may quote what belongs to projects that not everybody may see.
    require_global(&principal, GlobalPermission::MonitoringWrite)?;
    Ok(Json(Page {
        items: feed.consumers.parked()?,
        next: None,
    }))
}

/// Gives an event that was set aside to its follower once more; it is no longer set aside when that goes well.
#[utoipa::path(
    post, path = "/consumers/{name}/parked/{seq}/retry", tag = "events", security(("bearer" = [])),
    params(
        ("name" = String, Path, description = "the follower"),
        ("seq" = u64, Path, description = "sequence number of the event"),
    ),
    responses(
        (status = 204, description = "dealt with"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs MONITORING_WRITE", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such event is set aside", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "it failed again", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn retry_parked(
    State(feed): State<Feed>,
    Caller(principal): Caller,
    Path((name, seq)): Path<(String, u64)>,
) -> ApiResult<StatusCode> {
    require_global(&principal, GlobalPermission::MonitoringWrite)?;
    match feed.consumers.retry_named(&name, seq).await {
        Ok(true) => Ok(StatusCode::NO_CONTENT),
        Ok(false) => Err(ApiError::not_found(
            "not_parked",
            "no such event is set aside for that follower",
        )),
        Err(error) => Err(ApiError::conflict(
            "failed_again",
            format!("it failed again: {error:#}"),
        )),
    }
}
