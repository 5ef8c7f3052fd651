//! `POST /job/{job_id}/trigger`.

use crate::accounts::Caller;
use crate::builds::{Builds, StartRequest};
use crate::web::{ApiError, ApiResult, Json, Path};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use testhide_protocol::JobId;
use testhide_protocol::api::{Build, Problem, Trigger};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest `Idempotency-Key`.
const MAX_KEY: usize = 200;

/// The routes of triggers, below `/api/v3`.
pub fn routes(builds: Builds) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(trigger_build))
        .with_state(builds)
}

/// Starts a build of a job. A request that comes again with the same `Idempotency-Key` answers the same build.
#[utoipa::path(
    post, path = "/job/{job_id}/trigger", tag = "builds", request_body = Trigger, security(("bearer" = [])),
    params(
        ("job_id" = JobId, Path, description = "id of the job"),
        ("Idempotency-Key" = Option<String>, Header, description = "the same key answers the same build"),
    ),
    responses(
        (status = 201, description = "the build, waiting", body = Build),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs EXECUTE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such job for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the job is disabled, or the key was used for another request", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "unknown parameter, or a branch or commit that cannot be one", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn trigger_build(
    State(builds): State<Builds>,
    Caller(principal): Caller,
    Path(job): Path<JobId>,
    headers: HeaderMap,
    Json(trigger): Json<Trigger>,
) -> ApiResult<(StatusCode, Json<Build>)> {
    let request = StartRequest {
        job,
        trigger,
        triggered_by: principal.username.clone(),
        idempotency_key: idempotency_key(&headers)?,
    };
    let record = builds.start(&principal, request).await?;
    Ok((StatusCode::CREATED, Json(builds.show(record)?)))
}

fn idempotency_key(headers: &HeaderMap) -> ApiResult<Option<String>> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if !key.is_empty() && key.len() <= MAX_KEY => Ok(Some(key.to_owned())),
        _ => Err(ApiError::invalid(
            "invalid_idempotency_key",
            "Idempotency-Key has 1 to 200 visible characters",
        )),
    }
}
