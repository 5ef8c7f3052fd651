//! The HTTP of projects.

use super::handle::Projects;
use crate::accounts::Caller;
use crate::web::{ApiResult, Json, PageQuery, Path, Query, page_of};
use axum::extract::State;
use axum::http::StatusCode;
use testhide_protocol::api::{CreateProject, Page, Problem, Project, UpdateProject};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of projects, below `/api/v3`.
pub fn routes(projects: Projects) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_projects, create_project))
        .routes(routes!(get_project, update_project))
        .with_state(projects)
}

/// Lists the projects that the caller may see, oldest first.
#[utoipa::path(
    get, path = "/projects", tag = "projects", security(("bearer" = [])),
    params(
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of projects", body = Page<Project>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_projects(
    State(projects): State<Projects>,
    Caller(principal): Caller,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<Page<Project>>> {
    let limit = query.limit()?;
    let page = projects.list(&principal, query.after()?, limit + 1)?;
    Ok(Json(page_of(page, limit, |project| project.id)))
}

/// Makes a project in which the caller may do everything.
#[utoipa::path(
    post, path = "/projects", tag = "projects", request_body = CreateProject, security(("bearer" = [])),
    responses(
        (status = 201, description = "the new project", body = Project),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid name or description", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create_project(
    State(projects): State<Projects>,
    Caller(principal): Caller,
    Json(new): Json<CreateProject>,
) -> ApiResult<(StatusCode, Json<Project>)> {
    Ok((
        StatusCode::CREATED,
        Json(projects.create(&principal, new).await?),
    ))
}

/// Shows a project.
#[utoipa::path(
    get, path = "/projects/{project}", tag = "projects", security(("bearer" = [])),
    params(("project" = String, Path, description = "id or name")),
    responses(
        (status = 200, description = "the project", body = Project),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_project(
    State(projects): State<Projects>,
    Caller(principal): Caller,
    Path(project): Path<String>,
) -> ApiResult<Json<Project>> {
    Ok(Json(projects.resolve(&principal, &project)?))
}

/// Changes a project's name or description.
#[utoipa::path(
    patch, path = "/projects/{project}", tag = "projects", request_body = UpdateProject, security(("bearer" = [])),
    params(("project" = String, Path, description = "id or name")),
    responses(
        (status = 200, description = "the project as it is now", body = Project),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs WRITE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid name or description", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn update_project(
    State(projects): State<Projects>,
    Caller(principal): Caller,
    Path(project): Path<String>,
    Json(update): Json<UpdateProject>,
) -> ApiResult<Json<Project>> {
    let project = projects.resolve(&principal, &project)?;
    Ok(Json(projects.update(&principal, project.id, update).await?))
}
