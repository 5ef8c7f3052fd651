//! The HTTP of API tokens.

use super::caller::Caller;
use crate::accounts::Accounts;
use crate::web::{ApiResult, Json, PageQuery, Path, Query, page_of};
use axum::extract::State;
use axum::http::StatusCode;
use testhide_protocol::TokenId;
use testhide_protocol::api::{CreateToken, NewToken, Page, Problem, Token};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(super) fn routes() -> OpenApiRouter<Accounts> {
    OpenApiRouter::new()
        .routes(routes!(list_tokens, create_token))
        .routes(routes!(revoke_token))
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
        (status = 403, description = "not with a limited token", body = Problem, content_type = "application/problem+json"),
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
        (status = 404, description = "no such project", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "no valid token", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "not with a limited token", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "invalid name, life or permissions", body = Problem, content_type = "application/problem+json"),
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
        (status = 403, description = "not with a limited token", body = Problem, content_type = "application/problem+json"),
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
