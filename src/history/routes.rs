//! The HTTP of tests and their history.

use super::aliases::{AliasPlace, Aliases, Decision};
use super::error::HistoryError;
use super::list::TestPlace;
use super::model::RunPlace;
use super::runs::RunFilter;
use super::store::History;
use crate::accounts::{Caller, Principal};
use crate::projects::Projects;
use crate::web::{ApiError, ApiResult, Cursor, Json, PageQuery, Path, Query};
use axum::extract::State;
use serde::Deserialize;
use testhide_protocol::api::{
    AliasState, Outcome, Page, Problem, Test, TestAlias, TestDetails, TestRun,
};
use testhide_protocol::{AliasId, JobId, TestId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of tests, below `/api/v3`.
pub fn routes(history: History, projects: Projects) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_tests))
        .routes(routes!(find_tests))
        .routes(routes!(get_test))
        .routes(routes!(get_history))
        .with_state(Handles { history, projects })
}

/// The routes of aliases, below `/api/v3`.
pub fn alias_routes(aliases: Aliases, projects: Projects) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_aliases))
        .routes(routes!(accept_alias))
        .routes(routes!(reject_alias))
        .routes(routes!(undo_alias))
        .with_state(AliasHandles { aliases, projects })
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
    handles.tests(&principal, &project, query).await
}

#[derive(Deserialize)]
struct FindQuery {
    project: String,
    #[serde(default)]
    q: String,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Finds tests of a project by name.
#[utoipa::path(
    get, path = "/tests", tag = "tests", security(("bearer" = [])),
    params(
        ("project" = String, Query, description = "id or name"),
        ("q" = Option<String>, Query, description = "only tests whose name contains this, in any case"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before; a page may be short and still have a next one"),
    ),
    responses(
        (status = 200, description = "a page of tests", body = Page<Test>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "no project, invalid limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn find_tests(
    State(handles): State<Handles>,
    Caller(principal): Caller,
    Query(query): Query<FindQuery>,
) -> ApiResult<Json<Page<Test>>> {
    let FindQuery {
        project,
        q,
        limit,
        cursor,
    } = query;
    let query = TestsQuery { q, limit, cursor };
    handles.tests(&principal, &project, query).await
}

impl Handles {
    async fn tests(
        self,
        principal: &Principal,
        project: &str,
        query: TestsQuery,
    ) -> ApiResult<Json<Page<Test>>> {
        let project = self.projects.resolve(principal, project)?;
        let page = PageQuery {
            limit: query.limit,
            cursor: query.cursor,
        };
        let after: Option<TestPlace> = page.after()?;
        let limit = page.limit()?;
        let (items, next) =
            reading(move || self.history.tests(project.id, &query.q, after, limit)).await?;
        Ok(Json(Page {
            items,
            next: next.map(|place| Cursor::write(&place)),
        }))
    }
}

/// Shows a test over all its runs: its family, its last failure, its aliases. An old name leads to the test that it goes on as.
#[utoipa::path(
    get, path = "/tests/{id}", tag = "tests", security(("bearer" = [])),
    params(("id" = TestId, Path, description = "the test's id")),
    responses(
        (status = 200, description = "the test", body = TestDetails),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such test for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_test(
    State(handles): State<Handles>,
    Caller(principal): Caller,
    Path(id): Path<TestId>,
) -> ApiResult<Json<TestDetails>> {
    let test = handles.history.resolve(&principal, id)?;
    Ok(Json(
        reading(move || handles.history.details(test.id)).await?,
    ))
}

#[derive(Deserialize)]
struct HistoryQuery {
    branch: Option<String>,
    job: Option<JobId>,
    outcome: Option<Outcome>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Lists the runs of a test, newest first.
#[utoipa::path(
    get, path = "/tests/{id}/history", tag = "tests", security(("bearer" = [])),
    params(
        ("id" = TestId, Path, description = "the test's id"),
        ("branch" = Option<String>, Query, description = "only runs of this branch"),
        ("job" = Option<JobId>, Query, description = "only runs of this job's builds"),
        ("outcome" = Option<Outcome>, Query, description = "only runs that ended so"),
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
    let filter = RunFilter {
        branch: query.branch,
        job: query.job,
        outcome: query.outcome,
    };
    let (runs, next) =
        reading(move || handles.history.history(test.id, &filter, before, limit)).await?;
    Ok(Json(Page {
        items: runs.iter().map(TestRun::from).collect(),
        next: next.map(|place| Cursor::write(&place)),
    }))
}

#[derive(Clone)]
struct AliasHandles {
    aliases: Aliases,
    projects: Projects,
}

#[derive(Deserialize)]
struct AliasesQuery {
    state: Option<AliasState>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Lists tests of a project that seem to go on under another name, newest first; those that nobody decided about unless another state is asked for.
#[utoipa::path(
    get, path = "/projects/{project}/aliases", tag = "tests", security(("bearer" = [])),
    params(
        ("project" = String, Path, description = "id or name"),
        ("state" = Option<AliasState>, Query, description = "`proposed` when absent"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of aliases", body = Page<TestAlias>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid state, limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_aliases(
    State(handles): State<AliasHandles>,
    Caller(principal): Caller,
    Path(project): Path<String>,
    Query(query): Query<AliasesQuery>,
) -> ApiResult<Json<Page<TestAlias>>> {
    let project = handles.projects.resolve(&principal, &project)?;
    let page = PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let before: Option<AliasPlace> = page.after()?;
    let limit = page.limit()?;
    let state = query.state.unwrap_or(AliasState::Proposed);
    let (items, next) =
        reading(move || handles.aliases.list(project.id, state, before, limit)).await?;
    Ok(Json(Page {
        items,
        next: next.map(|place| Cursor::write(&place)),
    }))
}

/// Accepts an alias: from now on the old test's runs are shown under the new one, and reports of the old one count for it.
#[utoipa::path(
    post, path = "/aliases/{alias}/accept", tag = "tests", security(("bearer" = [])),
    params(("alias" = AliasId, Path, description = "the alias's id")),
    responses(
        (status = 200, description = "the alias", body = TestAlias),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs WRITE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such alias for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the old test goes on as another one", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn accept_alias(
    State(handles): State<AliasHandles>,
    Caller(principal): Caller,
    Path(alias): Path<AliasId>,
) -> ApiResult<Json<TestAlias>> {
    let decided = handles.aliases.decide(&principal, alias, Decision::Accept);
    Ok(Json(decided.await?))
}

/// Rejects an alias: the two are two tests. It is not proposed again; one that was accepted is taken back.
#[utoipa::path(
    post, path = "/aliases/{alias}/reject", tag = "tests", security(("bearer" = [])),
    params(("alias" = AliasId, Path, description = "the alias's id")),
    responses(
        (status = 200, description = "the alias", body = TestAlias),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs WRITE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such alias for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn reject_alias(
    State(handles): State<AliasHandles>,
    Caller(principal): Caller,
    Path(alias): Path<AliasId>,
) -> ApiResult<Json<TestAlias>> {
    let decided = handles.aliases.decide(&principal, alias, Decision::Reject);
    Ok(Json(decided.await?))
}

/// Takes back what was said of an alias: it is a proposal again, and the two tests are two.
#[utoipa::path(
    post, path = "/aliases/{alias}/undo", tag = "tests", security(("bearer" = [])),
    params(("alias" = AliasId, Path, description = "the alias's id")),
    responses(
        (status = 200, description = "the alias", body = TestAlias),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs WRITE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such alias for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn undo_alias(
    State(handles): State<AliasHandles>,
    Caller(principal): Caller,
    Path(alias): Path<AliasId>,
) -> ApiResult<Json<TestAlias>> {
    let decided = handles.aliases.decide(&principal, alias, Decision::Undo);
    Ok(Json(decided.await?))
}
