//! The HTTP of verdicts and labels.

use super::handle::Analysis;
use crate::accounts::Caller;
use crate::web::{ApiResult, Json, Path};
use axum::extract::State;
use testhide_protocol::ResultId;
use testhide_protocol::api::{BuildVerdicts, FailureVerdict, LabelFailure, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of the analysis, below `/api/v3`.
pub fn routes(analysis: Analysis) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(get_build_verdicts))
        .routes(routes!(get_failure_verdict))
        .routes(routes!(label_failure))
        .with_state(analysis)
}

/// Says what testhide makes of a build: new, flaky and known failures, then what recovered. Up to 5,000; similar failures and
/// causes come with the first 100.
#[utoipa::path(
    get, path = "/builds/{build}/verdicts", tag = "verdicts", security(("bearer" = [])),
    params(("build" = String, Path, description = "id or number")),
    responses(
        (status = 200, description = "the verdicts of its present attempt", body = BuildVerdicts),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_build_verdicts(
    State(analysis): State<Analysis>,
    Caller(principal): Caller,
    Path(build): Path<String>,
) -> ApiResult<Json<BuildVerdicts>> {
    Ok(Json(analysis.verdicts_of_build(&principal, &build).await?))
}

/// Says what testhide makes of one failure, or of one test that recovered.
#[utoipa::path(
    get, path = "/failures/{result_id}", tag = "verdicts", security(("bearer" = [])),
    params(("result_id" = ResultId, Path, description = "the result")),
    responses(
        (status = 200, description = "the verdict, similar earlier failures and the cause", body = FailureVerdict),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such result for the caller, or nothing to say of it", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_failure_verdict(
    State(analysis): State<Analysis>,
    Caller(principal): Caller,
    Path(result_id): Path<ResultId>,
) -> ApiResult<Json<FailureVerdict>> {
    Ok(Json(analysis.verdict_of(&principal, result_id).await?))
}

/// Says what the cause of a failure was, over what was said before. The project's model learns from it.
#[utoipa::path(
    post, path = "/failures/{result_id}/label", tag = "verdicts", request_body = LabelFailure, security(("bearer" = [])),
    params(("result_id" = ResultId, Path, description = "the result")),
    responses(
        (status = 200, description = "what is said of the failure now", body = FailureVerdict),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs WRITE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such result for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid category, or the result is no failure", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn label_failure(
    State(analysis): State<Analysis>,
    Caller(principal): Caller,
    Path(result_id): Path<ResultId>,
    Json(label): Json<LabelFailure>,
) -> ApiResult<Json<FailureVerdict>> {
    Ok(Json(
        analysis
            .label(&principal, result_id, &label.category)
            .await?,
    ))
}
