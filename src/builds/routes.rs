//! The HTTP of builds: lists, one build, its log, its files and its reports.

mod compare;
mod files;
mod log;
mod results;

use super::store::Builds;
use super::view::Wanted;
use crate::accounts::Caller;
use crate::web::{ApiError, ApiResult, Cursor, Json, Path, Query};
use axum::extract::State;
use serde::Deserialize;
use testhide_protocol::api::{Build, BuildState, Cancel, Page, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of builds, below `/api/v3`.
pub fn routes(builds: Builds) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_builds))
        .routes(routes!(get_build))
        .routes(routes!(cancel_build))
        .routes(routes!(log::get_log))
        .routes(routes!(log::get_raw_log))
        .routes(routes!(files::list_artifacts))
        .routes(routes!(files::get_artifact))
        .routes(routes!(
            results::list_build_reports,
            results::add_build_report
        ))
        .routes(routes!(results::list_build_results))
        .routes(routes!(compare::compare))
        .with_state(builds)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct BuildsQuery {
    project: Option<String>,
    job: Option<String>,
    branch: Option<String>,
    status: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Lists the builds that the caller may see, newest first.
#[utoipa::path(
    get, path = "/builds", tag = "builds", security(("bearer" = [])),
    params(
        ("project" = Option<String>, Query, description = "id or name of a project"),
        ("job" = Option<String>, Query, description = "id of a job"),
        ("branch" = Option<String>, Query, description = "exact branch"),
        ("status" = Option<BuildState>, Query, description = "state"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of builds", body = Page<Build>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project or job for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid filter, limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_builds(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Query(query): Query<BuildsQuery>,
) -> ApiResult<Json<Page<Build>>> {
    let invalid = |text: String| ApiError::invalid("invalid_query", text);
    let project = match &query.project {
        Some(text) => Some(builds.projects.resolve(&principal, text)?.id),
        None => None,
    };
    let job = match &query.job {
        Some(text) => {
            let id = text
                .parse()
                .map_err(|error| invalid(format!("job: {error}")))?;
            Some(builds.jobs.resolve(&principal, id)?.id)
        }
        None => None,
    };
    let state = query
        .status
        .as_deref()
        .map(str::parse)
        .transpose()
        .map_err(invalid)?;
    let page = crate::web::PageQuery {
        limit: query.limit,
        cursor: query.cursor,
    };
    let limit = page.limit()?;
    let wanted = Wanted {
        project,
        job,
        branch: query.branch,
        state,
    };
    let (visible, before) = (principal.visible_projects(), page.after()?);
    let listing =
        tokio::task::spawn_blocking(move || builds.list(&visible, &wanted, before, limit));
    let (items, next) = listing
        .await
        .map_err(|error| ApiError::internal(&error))??;
    Ok(Json(Page {
        items,
        next: next.map(|number| Cursor::write(&number)),
    }))
}

/// Shows a build with its steps and earlier attempts.
#[utoipa::path(
    get, path = "/builds/{build}", tag = "builds", security(("bearer" = [])),
    params(("build" = String, Path, description = "id or number")),
    responses(
        (status = 200, description = "the build", body = Build),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_build(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(build): Path<String>,
) -> ApiResult<Json<Build>> {
    let record = builds.resolve(&principal, &build)?;
    Ok(Json(builds.show(record)?))
}

/// Cancels a build: a waiting one at once, a running one as soon as its agent has ended its steps.
#[utoipa::path(
    post, path = "/builds/{build}/cancel", tag = "builds", request_body = Cancel, security(("bearer" = [])),
    params(("build" = String, Path, description = "id or number")),
    responses(
        (status = 202, description = "the build as it is now", body = Build),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs EXECUTE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "it is over already", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn cancel_build(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(build): Path<String>,
    Json(cancel): Json<Cancel>,
) -> ApiResult<(axum::http::StatusCode, Json<Build>)> {
    let record = builds.cancel(&principal, &build, cancel.reason).await?;
    Ok((axum::http::StatusCode::ACCEPTED, Json(builds.show(record)?)))
}
