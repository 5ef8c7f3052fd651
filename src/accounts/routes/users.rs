//! The HTTP of users and what they may do.

use super::caller::Caller;
use crate::accounts::Accounts;
use crate::web::{ApiResult, Json, PageQuery, Path, Query, page_of};
use axum::extract::State;
use axum::http::StatusCode;
use testhide_protocol::UserId;
use testhide_protocol::api::{
    ChangeUser, CreateUser, GrantPermissions, Page, PasswordReset, Problem, User,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new()
        .routes(routes!(list_users, create_user))
        .routes(routes!(change_user))
        .routes(routes!(make_password_reset))
        .routes(routes!(set_permissions))
}

/// Lists users, oldest first.
#[utoipa::path(
    get, path = "/users", tag = "accounts", security(("bearer" = [])),
    params(
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of users", body = Page<User>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_users(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<Page<User>>> {
    let limit = query.limit()?;
    let users = accounts.list_users(&principal, query.after()?, limit + 1)?;
    Ok(Json(page_of(users, limit, |user| user.id)))
}

/// Makes a user.
#[utoipa::path(
    post, path = "/users", tag = "accounts", request_body = CreateUser, security(("bearer" = [])),
    responses(
        (status = 201, description = "the new user", body = User),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "only for superusers", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "the name is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid name or password", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create_user(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Json(new): Json<CreateUser>,
) -> ApiResult<(StatusCode, Json<User>)> {
    Ok((
        StatusCode::CREATED,
        Json(accounts.create_user(&principal, new).await?),
    ))
}

/// Makes a superuser, shuts a user out, or takes it back. A user that is shut out loses its sessions at once.
#[utoipa::path(
    patch, path = "/users/{id}", tag = "accounts", request_body = ChangeUser, security(("bearer" = [])),
    params(("id" = UserId, Path, description = "the user's id")),
    responses(
        (status = 200, description = "the user as it is now", body = User),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "only for superusers", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such user", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "it is the last superuser", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn change_user(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Path(id): Path<UserId>,
    Json(change): Json<ChangeUser>,
) -> ApiResult<Json<User>> {
    Ok(Json(accounts.change_user(&principal, id, change).await?))
}

/// Makes a one-time token with which a user sets a new password within an hour.
#[utoipa::path(
    post, path = "/users/{id}/reset-password", tag = "accounts", security(("bearer" = [])),
    params(("id" = UserId, Path, description = "the user's id")),
    responses(
        (status = 201, description = "the token, shown this once", body = PasswordReset),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "only for superusers", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such user", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn make_password_reset(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Path(id): Path<UserId>,
) -> ApiResult<(StatusCode, Json<PasswordReset>)> {
    let made = accounts.make_password_reset(&principal, id).await?;
    Ok((StatusCode::CREATED, Json(made)))
}

/// Sets what a user may do in a project, in place of what it was.
#[utoipa::path(
    put, path = "/permissions", tag = "accounts", request_body = GrantPermissions, security(("bearer" = [])),
    responses(
        (status = 200, description = "what the user may do there now", body = GrantPermissions),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "needs all four permissions there", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such project or user", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn set_permissions(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Json(grant): Json<GrantPermissions>,
) -> ApiResult<Json<GrantPermissions>> {
    Ok(Json(accounts.set_permissions(&principal, grant).await?))
}
