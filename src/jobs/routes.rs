//! The HTTP of jobs.

use super::handle::Jobs;
use crate::accounts::Caller;
use crate::web::{ApiResult, Json, PageQuery, Path, Query, page_of};
use axum::extract::State;
use axum::http::StatusCode;
use testhide_protocol::JobId;
use testhide_protocol::api::{CreateJob, Job, Page, Problem, UpdateJob};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of jobs, below `/api/v3`.
pub fn routes(jobs: Jobs) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_jobs, create_job))
        .routes(routes!(get_job, update_job))
        .with_state(jobs)
}

/// Lists the jobs of a project, oldest first.
#[utoipa::path(
    get, path = "/projects/{project}/jobs", tag = "jobs", security(("bearer" = [])),
    params(
        ("project" = String, Path, description = "id or name"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of jobs", body = Page<Job>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_jobs(
    State(jobs): State<Jobs>,
    Caller(principal): Caller,
    Path(project): Path<String>,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<Page<Job>>> {
    let limit = query.limit()?;
    let project = jobs.projects.resolve(&principal, &project)?;
    let page = jobs.list(&principal, project.id, query.after()?, limit + 1)?;
    Ok(Json(page_of(page, limit, |job| job.id)))
}

/// Makes a job in a project.
#[utoipa::path(
    post, path = "/projects/{project}/jobs", tag = "jobs", request_body = CreateJob, security(("bearer" = [])),
    params(("project" = String, Path, description = "id or name")),
    responses(
        (status = 201, description = "the new job", body = Job),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs WRITE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid name or definition", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create_job(
    State(jobs): State<Jobs>,
    Caller(principal): Caller,
    Path(project): Path<String>,
    Json(new): Json<CreateJob>,
) -> ApiResult<(StatusCode, Json<Job>)> {
    let project = jobs.projects.resolve(&principal, &project)?;
    Ok((
        StatusCode::CREATED,
        Json(jobs.create(&principal, project.id, new).await?),
    ))
}

/// Shows a job.
#[utoipa::path(
    get, path = "/jobs/{job_id}", tag = "jobs", security(("bearer" = [])),
    params(("job_id" = JobId, Path, description = "the job's id")),
    responses(
        (status = 200, description = "the job", body = Job),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such job for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_job(
    State(jobs): State<Jobs>,
    Caller(principal): Caller,
    Path(id): Path<JobId>,
) -> ApiResult<Json<Job>> {
    Ok(Json(jobs.resolve(&principal, id)?))
}

/// Changes a job: its name, its whole definition, or whether it takes triggers.
#[utoipa::path(
    patch, path = "/jobs/{job_id}", tag = "jobs", request_body = UpdateJob, security(("bearer" = [])),
    params(("job_id" = JobId, Path, description = "the job's id")),
    responses(
        (status = 200, description = "the job as it is now", body = Job),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs WRITE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such job for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid name or definition", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn update_job(
    State(jobs): State<Jobs>,
    Caller(principal): Caller,
    Path(id): Path<JobId>,
    Json(update): Json<UpdateJob>,
) -> ApiResult<Json<Job>> {
    Ok(Json(jobs.update(&principal, id, update).await?))
}
