//! The HTTP of agents: the list, enrolment tokens, enrolment.

use super::store::Agents;
use crate::accounts::{Caller, GlobalPermission, require_global};
use crate::web::{ApiResult, Json};
use axum::extract::State;
use axum::http::StatusCode;
use testhide_protocol::api::{Agent, Enroll, Enrolled, NewEnrolment, Page, Problem};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of agents, below `/api/v3`.
pub fn routes(agents: Agents) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_agents))
        .routes(routes!(new_enrolment))
        .routes(routes!(enroll))
        .with_state(agents)
}

/// Lists the agents by name, with the builds they run in projects that the caller may see.
#[utoipa::path(
    get, path = "/agents", tag = "agents", security(("bearer" = [])),
    responses(
        (status = 200, description = "all of them, in one page", body = Page<Agent>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_agents(
    State(agents): State<Agents>,
    Caller(principal): Caller,
) -> ApiResult<Json<Page<Agent>>> {
    require_global(&principal, GlobalPermission::NodesRead)?;
    Ok(Json(Page {
        items: agents.list(&principal.visible_projects())?,
        next: None,
    }))
}

/// Gives a one-time token with which an agent can enrol within an hour.
#[utoipa::path(
    post, path = "/agents/enrolments", tag = "agents", security(("bearer" = [])),
    responses(
        (status = 201, description = "the token; it is not shown again", body = NewEnrolment),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs NODES_WRITE", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn new_enrolment(
    State(agents): State<Agents>,
    Caller(principal): Caller,
) -> ApiResult<(StatusCode, Json<NewEnrolment>)> {
    Ok((
        StatusCode::CREATED,
        Json(agents.new_enrolment(&principal).await?),
    ))
}

/// Exchanges an enrolment token for an identity. Needs no bearer token: the enrolment token is the right.
#[utoipa::path(
    post, path = "/agents/enroll", tag = "agents", request_body = Enroll,
    responses(
        (status = 201, description = "the identity", body = Enrolled),
        (status = 401, description = "the enrolment token is not valid", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "another agent has the name", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid name or key", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn enroll(
    State(agents): State<Agents>,
    Json(request): Json<Enroll>,
) -> ApiResult<(StatusCode, Json<Enrolled>)> {
    let agent_id = agents.enroll(request).await?;
    Ok((StatusCode::CREATED, Json(Enrolled { agent_id })))
}
