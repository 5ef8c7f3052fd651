//! From the `Authorization` header to the principal that handlers take.

use crate::accounts::{Accounts, AccountsError, Principal};
use crate::web::{ApiError, ClientAddress};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, USER_AGENT};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use std::convert::Infallible;
use std::net::IpAddr;

/// The caller of a request; without one the answer is 401.
pub struct Caller(pub Principal);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts
            .extensions
            .get::<Principal>()
            .cloned()
            .map(Self)
            .ok_or_else(ApiError::unauthenticated)
    }
}

/// Where a request comes from, as far as that is known.
pub(super) struct Visitor {
    /// Its address.
    pub address: Option<IpAddr>,
    /// What the program calls itself.
    pub program: String,
}

impl<S: Send + Sync> FromRequestParts<S> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        let program = parts.headers.get(USER_AGENT);
        let program = program.and_then(|program| program.to_str().ok());
        Ok(Self {
            address,
            program: program.unwrap_or_default().to_owned(),
        })
    }
}

/// Middleware (`from_fn_with_state`) that puts the principal into the request's extensions. A request without the header
/// goes on as nobody; one whose token is not good is refused here, whatever it asks for.
///
/// # Errors
/// 401 for a token that is not ours or has ended; failures of the store.
pub async fn identify(
    State(accounts): State<Accounts>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    if let Some(bearer) = bearer(request.headers())? {
        let address = request.extensions().get::<ClientAddress>();
        let address = address.and_then(|ClientAddress(address)| *address);
        let principal = accounts.authenticate(bearer)?.coming_from(address);
        request.extensions_mut().insert(principal);
    }
    Ok(next.run(request).await)
}

/// The token of the header, if there is such a header.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, AccountsError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    // Two headers may be read differently by something in between.
    if values.next().is_some() {
        return Err(AccountsError::NotAuthenticated);
    }
    let (scheme, token) = value
        .to_str()
        .ok()
        .and_then(|value| value.split_once(' '))
        .ok_or(AccountsError::NotAuthenticated)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        Ok(Some(token.trim()))
    } else {
        Err(AccountsError::NotAuthenticated)
    }
}

#[cfg(test)]
mod tests {
    use super::bearer;
    use axum::http::HeaderMap;
    use axum::http::header::AUTHORIZATION;

    #[test]
    fn headers() {
        let check = |values: &[&str], expected: Result<Option<&str>, ()>| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, value.parse().unwrap());
            }
            assert_eq!(bearer(&headers).map_err(drop), expected, "{values:?}");
        };
        check(&[], Ok(None));
        check(&["Bearer abc"], Ok(Some("abc")));
        check(&["bearer  abc "], Ok(Some("abc")));
        check(&["Bearer "], Ok(Some("")));
        check(&["Bearer"], Err(()));
        check(&[""], Err(()));
        check(&["Basic abc"], Err(()));
        check(&["Bearer abc", "Bearer def"], Err(()));
    }
}
