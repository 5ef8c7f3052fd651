//! The HTTP of gates and of their verdicts.

use super::handle::Gates;
use crate::accounts::Caller;
use crate::web::{ApiResult, Json, PageQuery, Path, Query, page_of};
use axum::extract::State;
use axum::http::StatusCode;
use testhide_protocol::GateId;
use testhide_protocol::api::{Gate, GateEvaluation, Page, Problem, PutGate};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of gates, below `/api/v3`.
pub fn routes(gates: Gates) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_gates, create_gate))
        .routes(routes!(get_gate, put_gate, delete_gate))
        .routes(routes!(get_build_gates))
        .routes(routes!(evaluate_build_gates))
        .with_state(gates)
}

/// Lists the gates of a project, oldest first.
#[utoipa::path(
    get, path = "/projects/{project}/gates", tag = "gates", security(("bearer" = [])),
    params(
        ("project" = String, Path, description = "id or name"),
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of gates", body = Page<Gate>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_gates(
    State(gates): State<Gates>,
    Caller(principal): Caller,
    Path(project): Path<String>,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<Page<Gate>>> {
    let limit = query.limit()?;
    let project = gates.projects.resolve(&principal, &project)?;
    let page = gates.list(&principal, project.id, query.after()?, limit + 1)?;
    Ok(Json(page_of(page, limit, |gate| gate.id)))
}

/// Makes a gate in a project, for all its builds or for those of one job. A project has at most 100.
#[utoipa::path(
    post, path = "/projects/{project}/gates", tag = "gates", request_body = PutGate, security(("bearer" = [])),
    params(("project" = String, Path, description = "id or name")),
    responses(
        (status = 201, description = "the new gate", body = Gate),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs WRITE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the name is taken, or the project has 100 gates", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid name, job or rule", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create_gate(
    State(gates): State<Gates>,
    Caller(principal): Caller,
    Path(project): Path<String>,
    Json(new): Json<PutGate>,
) -> ApiResult<(StatusCode, Json<Gate>)> {
    let project = gates.projects.resolve(&principal, &project)?;
    Ok((
        StatusCode::CREATED,
        Json(gates.create(&principal, project.id, new).await?),
    ))
}

/// Shows a gate.
#[utoipa::path(
    get, path = "/gates/{gate}", tag = "gates", security(("bearer" = [])),
    params(("gate" = GateId, Path, description = "the gate's id")),
    responses(
        (status = 200, description = "the gate", body = Gate),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such gate for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_gate(
    State(gates): State<Gates>,
    Caller(principal): Caller,
    Path(id): Path<GateId>,
) -> ApiResult<Json<Gate>> {
    Ok(Json(gates.resolve(&principal, id)?))
}

/// Puts another gate in the place of one: name, description, job and rules, whole. `enabled` stays as it is when absent.
#[utoipa::path(
    put, path = "/gates/{gate}", tag = "gates", request_body = PutGate, security(("bearer" = [])),
    params(("gate" = GateId, Path, description = "the gate's id")),
    responses(
        (status = 200, description = "the gate as it is now", body = Gate),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs WRITE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such gate for the caller", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid name, job or rule", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn put_gate(
    State(gates): State<Gates>,
    Caller(principal): Caller,
    Path(id): Path<GateId>,
    Json(new): Json<PutGate>,
) -> ApiResult<Json<Gate>> {
    Ok(Json(gates.replace(&principal, id, new).await?))
}

/// Removes a gate. What it said of builds stays with them.
#[utoipa::path(
    delete, path = "/gates/{gate}", tag = "gates", security(("bearer" = [])),
    params(("gate" = GateId, Path, description = "the gate's id")),
    responses(
        (status = 204, description = "it is gone"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs WRITE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such gate for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn delete_gate(
    State(gates): State<Gates>,
    Caller(principal): Caller,
    Path(id): Path<GateId>,
) -> ApiResult<StatusCode> {
    gates.delete(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Says how a build stood against its gates when it was last evaluated: at its end, when a report came after it, or on request.
#[utoipa::path(
    get, path = "/builds/{build}/gates", tag = "gates", security(("bearer" = [])),
    params(("build" = String, Path, description = "id or number")),
    responses(
        (status = 200, description = "the last evaluation", body = GateEvaluation),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller, or it was not evaluated", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_build_gates(
    State(gates): State<Gates>,
    Caller(principal): Caller,
    Path(build): Path<String>,
) -> ApiResult<Json<GateEvaluation>> {
    Ok(Json(gates.last_evaluation(&principal, &build)?))
}

/// Holds a build against all enabled gates that are for it, by what is there now, and keeps the verdict. What cannot be known does
/// not hold. With `gates` 0 there was no gate for it, and it passed.
#[utoipa::path(
    post, path = "/builds/{build}/gates/evaluate", tag = "gates", security(("bearer" = [])),
    params(("build" = String, Path, description = "id or number")),
    responses(
        (status = 200, description = "the evaluation", body = GateEvaluation),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs EXECUTE in the project", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such build for the caller", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn evaluate_build_gates(
    State(gates): State<Gates>,
    Caller(principal): Caller,
    Path(build): Path<String>,
) -> ApiResult<Json<GateEvaluation>> {
    Ok(Json(gates.evaluate(&principal, &build).await?))
}
