//! The HTTP of signing in: the doors that are open to everybody, and what a session's owner does with it.

use super::caller::{Caller, Visitor};
use crate::accounts::{Accounts, Origin};
use crate::web::{ApiResult, Json, Path};
use axum::extract::State;
use axum::http::StatusCode;
use testhide_protocol::SessionId;
use testhide_protocol::api::{
    ChangePassword, Login, LoginAnswer, Page, Problem, Refresh, ResetPassword, Session, Setup, User,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new()
        .routes(routes!(set_up))
        .routes(routes!(log_in))
        .routes(routes!(refresh))
        .routes(routes!(log_out))
        .routes(routes!(me))
        .routes(routes!(list_sessions))
        .routes(routes!(end_session))
        .routes(routes!(change_password))
        .routes(routes!(reset_password))
}

/// Makes the first superuser with the setup token that the server printed.
#[utoipa::path(
    post, path = "/setup", tag = "accounts", request_body = Setup, security(()),
    responses(
        (status = 201, description = "the first superuser", body = User),
        (status = 403, description = "wrong setup token", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "set up already", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid name or password", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn set_up(
    State(accounts): State<Accounts>,
    Json(setup): Json<Setup>,
) -> ApiResult<(StatusCode, Json<User>)> {
    Ok((StatusCode::CREATED, Json(accounts.set_up(setup).await?)))
}

/// Signs in with a password: an access token for 15 minutes, and a refresh token for the next one.
#[utoipa::path(
    post, path = "/auth/login", tag = "accounts", request_body = Login, security(()),
    responses(
        (status = 200, description = "an access token and a refresh token", body = LoginAnswer),
        (status = 401, description = "wrong name or password", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too many wrong passwords", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "too many sign-ins at once", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn log_in(
    State(accounts): State<Accounts>,
    Visitor { address, program }: Visitor,
    Json(login): Json<Login>,
) -> ApiResult<Json<LoginAnswer>> {
    let origin = Origin { address, program };
    Ok(Json(accounts.log_in(login, origin).await?))
}

/// Exchanges a refresh token for a new access token and the next refresh token. A token that was used before ends its session.
#[utoipa::path(
    post, path = "/auth/refresh", tag = "accounts", request_body = Refresh, security(()),
    responses(
        (status = 200, description = "the next tokens of the session", body = LoginAnswer),
        (status = 401, description = "not the newest token of a living session", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn refresh(
    State(accounts): State<Accounts>,
    visitor: Visitor,
    Json(given): Json<Refresh>,
) -> ApiResult<Json<LoginAnswer>> {
    let answer = accounts
        .refresh(&given.refresh_token, visitor.address)
        .await?;
    Ok(Json(answer))
}

/// Ends the session that the request came with.
#[utoipa::path(
    post, path = "/auth/logout", tag = "accounts", security(("bearer" = [])),
    responses(
        (status = 204, description = "ended"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "an API token belongs to no session", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn log_out(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
) -> ApiResult<StatusCode> {
    accounts.log_out(&principal).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows the caller.
#[utoipa::path(
    get, path = "/auth/me", tag = "accounts", security(("bearer" = [])),
    responses(
        (status = 200, description = "the caller", body = User),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn me(State(accounts): State<Accounts>, Caller(principal): Caller) -> ApiResult<Json<User>> {
    Ok(Json(accounts.me(&principal)?))
}

/// Lists the caller's sessions, the latest sign-in first; at most 100.
#[utoipa::path(
    get, path = "/auth/sessions", tag = "accounts", security(("bearer" = [])),
    responses(
        (status = 200, description = "sessions that have not ended", body = Page<Session>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "not with a limited token", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_sessions(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
) -> ApiResult<Json<Page<Session>>> {
    let items = accounts.list_sessions(&principal)?;
    Ok(Json(Page { items, next: None }))
}

/// Ends one of the caller's sessions: its tokens are worth nothing from now on.
#[utoipa::path(
    delete, path = "/auth/sessions/{id}", tag = "accounts", security(("bearer" = [])),
    params(("id" = SessionId, Path, description = "the session's id")),
    responses(
        (status = 204, description = "ended"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "not with a limited token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such session of the caller's", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn end_session(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Path(id): Path<SessionId>,
) -> ApiResult<StatusCode> {
    accounts.end_session(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the caller's own password; every other session of theirs ends.
#[utoipa::path(
    post, path = "/auth/password", tag = "accounts", request_body = ChangePassword, security(("bearer" = [])),
    responses(
        (status = 204, description = "changed"),
        (status = 401, description = "no valid token, or the present password is wrong", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "not with a limited token", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid new password", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too many wrong passwords", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "too many sign-ins at once", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn change_password(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    visitor: Visitor,
    Json(change): Json<ChangePassword>,
) -> ApiResult<StatusCode> {
    accounts
        .change_password(&principal, change, visitor.address)
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets a new password with a one-time token; every session of that user ends.
#[utoipa::path(
    post, path = "/auth/password/reset", tag = "accounts", request_body = ResetPassword, security(()),
    responses(
        (status = 204, description = "set"),
        (status = 403, description = "the token was used, has ended or never was", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid new password; the token is still good", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "too many sign-ins at once", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn reset_password(
    State(accounts): State<Accounts>,
    Json(reset): Json<ResetPassword>,
) -> ApiResult<StatusCode> {
    accounts.reset_password(reset).await?;
    Ok(StatusCode::NO_CONTENT)
}
