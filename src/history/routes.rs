//! The HTTP of tests and their history.

use super::error::HistoryError;
use super::list::TestPlace;
use super::model::RunPlace;
use super::store::History;
use crate::accounts::Caller;
use crate::projects::Projects;
use crate::web::{ApiError, ApiResult, Cursor, Json, PageQuery, Path, Query};
use axum::extract::State;
use serde::Deserialize;
use testhide_protocol::TestId;
use testhide_protocol::api::{Page, Problem, Test, TestRun};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of tests, below `/api/v3`.
pub fn routes(history: History, projects: Projects) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_tests))
        .routes(routes!(get_test))
        .routes(routes!(get_history))
        .with_state(Handles { history, projects })
}

#[derive(Clone)]
struct Handles {
    history: History,
    projects: Projects,
}

/// Runs what may look at thousands of rows where it holds up nobody.
async fn reading<T: Send + 'static>(
    read: impl FnOnce() -> Result<T, HistoryError> + Send + 'static,
) -> Result<T, ApiError> {
    match tokio::task::spawn_blocking(read).await {
        Ok(answer) => Ok(answer?),
        Err(error) => Err(ApiError::internal(&error)),
    }
}

#[derive(Deserialize)]
struct TestsQuery {
    #[serde(default)]
    q: String,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Lists the tests of a project by name.
#[utoipa::path(
    get, path = "/projects/{project}/tests", tag = "tests", security(("bearer" = [])),
    params(
        ("project" = String, Path, description = "id or name"),
        ("q" = Option<String>, Query, description = "only tests whose name contains this, in any case"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before; a page may be short and still have a next one"),
    ),
    responses(
        (status = 200, description = "a page of tests", body = Page<Test>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_tests(
    State(handles): State<Handles>,
    Caller(principal): Caller,
    Path(project): Path<String>,
    Query(query): Query<TestsQuery>,
) -> ApiResult<Json<Page<Test>>> {
    let project = handles.projects.resolve(&principal, &project)?;
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let after: Option<TestPlace> = page.after()?;
    let limit = page.limit()?;
    let (items, next) =
        reading(move || handles.history.tests(project.id, &query.q, after, limit)).await?;
    Ok(Json(Page {
        items,
        next: next.map(|place| Cursor::write(&place)),
    }))
}

/// Shows a test over all its runs.
#[utoipa::path(
    get, path = "/tests/{id}", tag = "tests", security(("bearer" = [])),
    params(("id" = TestId, Path, description = "the test's id")),
    responses(
        (status = 200, description = "the test", body = Test),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such test for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_test(
    State(handles): State<Handles>,
    Caller(principal): Caller,
    Path(id): Path<TestId>,
) -> ApiResult<Json<Test>> {
    Ok(Json(handles.history.resolve(&principal, id)?))
}

#[derive(Deserialize)]
struct HistoryQuery {
    branch: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Lists the runs of a test, newest first.
#[utoipa::path(
    get, path = "/tests/{id}/history", tag = "tests", security(("bearer" = [])),
    params(
        ("id" = TestId, Path, description = "the test's id"),
        ("branch" = Option<String>, Query, description = "only runs of this branch"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before; a page may be short and still have a next one"),
    ),
    responses(
        (status = 200, description = "a page of runs", body = Page<TestRun>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such test for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_history(
    State(handles): State<Handles>,
    Caller(principal): Caller,
    Path(id): Path<TestId>,
    Query(query): Query<HistoryQuery>,
) -> ApiResult<Json<Page<TestRun>>> {
    let test = handles.history.resolve(&principal, id)?;
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let before: Option<RunPlace> = page.after()?;
    let limit = page.limit()?;
    let found = reading(move || {
        handles
            .history
            .runs(test.id, query.branch.as_deref(), before, limit)
    })
    .await?;
    let items = found.runs.iter().map(TestRun::from).collect();
    Ok(Json(Page {
        items,
        next: found.next.map(|place| Cursor::write(&place)),
    }))
}
