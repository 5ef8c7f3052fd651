//! The HTTP of agents: the list, enrolment tokens, enrolment, what operators do with them.

use super::store::Agents;
use crate::accounts::{Caller, GlobalPermission, Principal, require_global};
use crate::web::{ApiError, ApiResult, ClientAddress, Json, Path, Query};
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use testhide_protocol::api::{
    Agent, AgentDetails, AgentMode, ChangeAgent, Enroll, Enrolled, HostSample, NewEnrolment, Page,
    Problem,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of agents, below `/api/v3`.
pub fn routes(agents: Agents) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list_agents))
        .routes(routes!(new_enrolment))
        .routes(routes!(enroll))
        .routes(routes!(show_agent, remove_agent))
        .routes(routes!(drain_agent))
        .routes(routes!(disable_agent))
        .routes(routes!(resume_agent))
        .routes(routes!(rotate_key))
        .routes(routes!(agent_metrics))
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
    ClientAddress(address): ClientAddress,
    Json(request): Json<Enroll>,
) -> ApiResult<(StatusCode, Json<Enrolled>)> {
    let agent_id = agents.enroll(request, address).await?;
    Ok((StatusCode::CREATED, Json(Enrolled { agent_id })))
}

/// Shows one agent with its past: its connections, and what was refused of it. Of its builds it names those in projects that the caller may
/// see.
#[utoipa::path(
    get, path = "/agents/{agent}", tag = "agents", security(("bearer" = [])),
    params(("agent" = String, Path, description = "name or id")),
    responses(
        (status = 200, description = "the agent", body = AgentDetails),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such agent", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn show_agent(
    State(agents): State<Agents>,
    Caller(principal): Caller,
    Path(agent): Path<String>,
) -> ApiResult<Json<AgentDetails>> {
    require_global(&principal, GlobalPermission::NodesRead)?;
    Ok(Json(agents.details(&principal.visible_projects(), &agent)?))
}

/// How far back samples go when nobody says.
const METRICS_MINUTES: u32 = 60;

/// Which samples are wanted.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsQuery {
    minutes: Option<u32>,
}

/// Shows how an agent's machine was, oldest sample first.
#[utoipa::path(
    get, path = "/agents/{agent}/metrics", tag = "agents", security(("bearer" = [])),
    params(
        ("agent" = String, Path, description = "name or id"),
        ("minutes" = Option<u32>, Query, description = "how far back, 1 to 1,440; 60 when absent"),
    ),
    responses(
        (status = 200, description = "at most 1,000 samples, in one page", body = Page<HostSample>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such agent", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid number of minutes", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn agent_metrics(
    State(agents): State<Agents>,
    Caller(principal): Caller,
    Path(agent): Path<String>,
    Query(query): Query<MetricsQuery>,
) -> ApiResult<Json<Page<HostSample>>> {
    require_global(&principal, GlobalPermission::NodesRead)?;
    let minutes = query.minutes.unwrap_or(METRICS_MINUTES);
    if !(1..=1440).contains(&minutes) {
        let text = format!("minutes {minutes} is not between 1 and 1440");
        return Err(ApiError::invalid("invalid_minutes", text));
    }
    Ok(Json(Page {
        items: agents.metrics_of(&agent, minutes)?,
        next: None,
    }))
}

/// Removes an agent: its key is good for nothing any more, its builds are queued again.
#[utoipa::path(
    delete, path = "/agents/{agent}", tag = "agents", security(("bearer" = [])),
    params(("agent" = String, Path, description = "name or id")),
    responses(
        (status = 204, description = "removed"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs NODES_WRITE", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such agent", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn remove_agent(
    State(agents): State<Agents>,
    Caller(principal): Caller,
    Path(agent): Path<String>,
) -> ApiResult<StatusCode> {
    agents.remove(&principal, &agent).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets an agent end the builds that it has, and gives it no more.
#[utoipa::path(
    post, path = "/agents/{agent}/drain", tag = "agents", security(("bearer" = [])), request_body = ChangeAgent,
    params(("agent" = String, Path, description = "name or id")),
    responses(
        (status = 200, description = "the agent", body = Agent),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs NODES_WRITE", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such agent", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "the reason is too long", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn drain_agent(
    State(agents): State<Agents>,
    Caller(principal): Caller,
    Path(agent): Path<String>,
    Json(change): Json<ChangeAgent>,
) -> ApiResult<Json<Agent>> {
    set_mode(&agents, &principal, &agent, AgentMode::Draining, change).await
}

/// Takes an agent out at once: its builds are queued again, and it is not let in.
#[utoipa::path(
    post, path = "/agents/{agent}/disable", tag = "agents", security(("bearer" = [])), request_body = ChangeAgent,
    params(("agent" = String, Path, description = "name or id")),
    responses(
        (status = 200, description = "the agent", body = Agent),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs NODES_WRITE", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such agent", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "the reason is too long", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn disable_agent(
    State(agents): State<Agents>,
    Caller(principal): Caller,
    Path(agent): Path<String>,
    Json(change): Json<ChangeAgent>,
) -> ApiResult<Json<Agent>> {
    set_mode(&agents, &principal, &agent, AgentMode::Disabled, change).await
}

/// Lets a drained or disabled agent take builds again.
#[utoipa::path(
    post, path = "/agents/{agent}/resume", tag = "agents", security(("bearer" = [])), request_body = ChangeAgent,
    params(("agent" = String, Path, description = "name or id")),
    responses(
        (status = 200, description = "the agent", body = Agent),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs NODES_WRITE", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such agent", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "the reason is too long", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn resume_agent(
    State(agents): State<Agents>,
    Caller(principal): Caller,
    Path(agent): Path<String>,
    Json(change): Json<ChangeAgent>,
) -> ApiResult<Json<Agent>> {
    set_mode(&agents, &principal, &agent, AgentMode::Ready, change).await
}

/// Gives a one-time token with which this agent can enrol again with a new key within an hour.
#[utoipa::path(
    post, path = "/agents/{agent}/rotate-key", tag = "agents", security(("bearer" = [])),
    params(("agent" = String, Path, description = "name or id")),
    responses(
        (status = 201, description = "the token; it is not shown again", body = NewEnrolment),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs NODES_WRITE", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such agent", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn rotate_key(
    State(agents): State<Agents>,
    Caller(principal): Caller,
    Path(agent): Path<String>,
) -> ApiResult<(StatusCode, Json<NewEnrolment>)> {
    Ok((
        StatusCode::CREATED,
        Json(agents.rotate_key(&principal, &agent).await?),
    ))
}

async fn set_mode(
    agents: &Agents,
    principal: &Principal,
    agent: &str,
    mode: AgentMode,
    change: ChangeAgent,
) -> ApiResult<Json<Agent>> {
    let id = agents
        .set_mode(principal, agent, mode, change.reason)
        .await?;
    Ok(Json(
        agents.show(&principal.visible_projects(), &id.to_string())?,
    ))
}
