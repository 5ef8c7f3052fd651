//! Every URL of the server on one screen.

use super::wire::App;
use super::{backup, documentation, health};
use crate::accounts::identify;
use crate::{
    accounts, agents, analysis, builds, feed, gates, history, jobs, projects, reports, search,
    triggers, web,
};
use axum::Router;
use axum::middleware;
use utoipa_axum::router::OpenApiRouter;

/// The server's router.
pub fn router(app: &App) -> Router {
    let api = OpenApiRouter::new()
        .merge(accounts::routes(app.accounts.clone()))
        .merge(projects::routes(app.projects.clone()))
        .merge(jobs::routes(app.jobs.clone()))
        .merge(history::routes(app.history.clone(), app.projects.clone()))
        .merge(history::alias_routes(
            app.aliases.clone(),
            app.projects.clone(),
        ))
        .merge(reports::routes(app.reports.clone(), app.projects.clone()))
        .merge(builds::routes(app.builds.clone()))
        .merge(agents::routes(app.agents.clone()))
        .merge(triggers::routes(app.builds.clone()))
        .merge(search::routes(app.search.clone()))
        .merge(analysis::routes(app.analysis.clone()))
        .merge(gates::routes(app.gates.clone()))
        .merge(feed::routes(app.feed.clone()))
        .merge(feed::audit_routes(app.audit.clone()))
        .merge(backup::routes(app.clone()));
    let (api, description) = OpenApiRouter::with_openapi(documentation::openapi())
        .nest("/api/v3", api)
        .split_for_parts();
    let router = api
        .merge(documentation::routes(&description))
        .merge(health::routes(app.clone()))
        .merge(feed::socket_routes(app.feed.clone()))
        .layer(middleware::from_fn_with_state(app.accounts.clone(), identify))
        // Agents prove who they are inside their connection; a bearer token means nothing there.
        .merge(agents::socket_routes(app.agents.clone()));
    let find_client = middleware::from_fn_with_state(app.trusted_proxies.clone(), web::find_client);
    web::with_layers(router.layer(find_client))
}
