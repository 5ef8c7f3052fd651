//! The HTTP of accounts.

mod caller;

pub use caller::{Caller, identify};

use super::handle::Accounts;
use crate::web::{ApiResult, Json, PageQuery, Path, Peer, Query, page_of};
use axum::Extension;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use testhide_protocol::TokenId;
use testhide_protocol::api::{
    CreateToken, CreateUser, GrantPermissions, Login, LoginAnswer, NewToken, Page, Problem, Setup,
    Token, User,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of accounts, below `/api/v3`.
pub fn routes(accounts: Accounts) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(set_up))
        .routes(routes!(log_in))
        .routes(routes!(me))
        .routes(routes!(list_users, create_user))
        .routes(routes!(list_tokens, create_token))
        .routes(routes!(revoke_token))
        .routes(routes!(set_permissions))
        .with_state(accounts)
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

/// Signs in with a password for 15 minutes.
#[utoipa::path(
    post, path = "/auth/login", tag = "accounts", request_body = Login, security(()),
    responses(
        (status = 200, description = "an access token", body = LoginAnswer),
        (status = 401, description = "wrong name or password", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "too many wrong passwords", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "too many sign-ins at once", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn log_in(
    State(accounts): State<Accounts>,
    peer: Option<Extension<ConnectInfo<Peer>>>,
    Json(login): Json<Login>,
) -> ApiResult<Json<LoginAnswer>> {
    let address = peer.map(|Extension(ConnectInfo(Peer(peer)))| peer.ip());
    Ok(Json(accounts.log_in(login, address).await?))
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

/// Lists the caller's API tokens, oldest first, without their secrets.
#[utoipa::path(
    get, path = "/tokens", tag = "accounts", security(("bearer" = [])),
    params(
        ("limit" = Option<usize>, Query, description = "entries wanted, 1 to 1,000; 50 when absent"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"),
    ),
    responses(
        (status = 200, description = "a page of tokens", body = Page<Token>),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid limit or cursor", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_tokens(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Query(query): Query<PageQuery>,
) -> ApiResult<Json<Page<Token>>> {
    let limit = query.limit()?;
    let tokens = accounts.list_tokens(&principal, query.after()?, limit + 1)?;
    Ok(Json(page_of(tokens, limit, |token| token.id)))
}

/// Makes an API token for the caller; its secret is shown this once.
#[utoipa::path(
    post, path = "/tokens", tag = "accounts", request_body = CreateToken, security(("bearer" = [])),
    responses(
        (status = 201, description = "the new token with its secret", body = NewToken),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid name or life", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create_token(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Json(new): Json<CreateToken>,
) -> ApiResult<(StatusCode, Json<NewToken>)> {
    Ok((
        StatusCode::CREATED,
        Json(accounts.create_token(&principal, new).await?),
    ))
}

/// Revokes one of the caller's API tokens.
#[utoipa::path(
    delete, path = "/tokens/{id}", tag = "accounts", security(("bearer" = [])),
    params(("id" = TokenId, Path, description = "the token's id")),
    responses(
        (status = 204, description = "revoked"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "no such token of the caller's", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn revoke_token(
    State(accounts): State<Accounts>,
    Caller(principal): Caller,
    Path(id): Path<TokenId>,
) -> ApiResult<StatusCode> {
    accounts.revoke_token(&principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
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
