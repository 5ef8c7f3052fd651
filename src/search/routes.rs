//! The HTTP of search.

use super::find::Place;
use super::handle::Search;
use crate::accounts::Caller;
use crate::web::{ApiResult, Cursor, Json, PageQuery, Query};
use axum::extract::State;
use serde::Deserialize;
use testhide_protocol::api::{Problem, SearchAnswer};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The route of search, below `/api/v3`.
pub fn routes(search: Search) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(find_lines))
        .with_state(search)
}

/// `?q=`
#[derive(Deserialize)]
struct Asked {
    q: String,
}

/// Finds lines of logs and failures, newest first.
///
/// The language: words (`timeout`), phrases (`"connection refused"`), beginnings (`time*`), pieces (`*meou*`), expressions
/// (`/took \d{4,} ms/`), fields (`job:nightly branch:release* status:failed test:checkout kind:log before:2026-11-21`), `AND`,
/// `OR`, `NOT` or `-`, and parentheses. A page ends after `limit` lines, or earlier when matches are rare: go on while there is a
/// `next`.
#[utoipa::path(
    get, path = "/search", tag = "search", security(("bearer" = [])),
    params(
        ("q" = String, Query, description = "what to find"),
        ("limit" = Option<usize>, Query, description = "lines wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before, with the same query"),
    ),
    responses(
        (status = 200, description = "a page of lines", body = SearchAnswer),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "a query that cannot be read, with the place; invalid limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn find_lines(
    State(search): State<Search>,
    Caller(principal): Caller,
    Query(asked): Query<Asked>,
    Query(page): Query<PageQuery>,
) -> ApiResult<Json<SearchAnswer>> {
    let after: Option<Place> = page.after()?;
    let (mut answer, next) = search
        .find(&principal, &asked.q, page.limit()?, after)
        .await?;
    answer.next = next.as_ref().map(Cursor::write);
    Ok(Json(answer))
}
