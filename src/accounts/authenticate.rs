//! Who a bearer token stands for.

use super::error::AccountsError;
use super::handle::Accounts;
use super::model::StoredToken;
use super::principal::Principal;
use super::store;
use super::tokens::API_TOKEN_PREFIX;
use crate::kit::sha256;
use crate::storage::ReadTxn;
use testhide_protocol::{Timestamp, TokenId, UserId};

impl Accounts {
    /// Whom an access token or an API token stands for, with the rights that user has now. Reads the store, which takes
    /// microseconds.
    ///
    /// # Errors
    /// [`AccountsError::NotAuthenticated`] for a token that is not ours or has ended, for a session that was ended, and for a user that is
    /// gone or shut out.
    pub fn authenticate(&self, bearer: &str) -> Result<Principal, AccountsError> {
        let now = self.clock.now();
        self.storage.read(|rtxn| {
            if bearer.starts_with(API_TOKEN_PREFIX) {
                let (user, id, token) = api_token(rtxn, bearer, now)?;
                let principal = principal(rtxn, user)?;
                self.uses.note(user, id, now);
                return Ok(principal.by_token(id, &token));
            }
            let (user, session) = self
                .keys
                .verify(bearer, now)
                .ok_or(AccountsError::NotAuthenticated)?;
            let is_open = store::session(rtxn, user, session)?.is_some()
                || self.brief.is_open(user, session, now);
            if !is_open {
                return Err(AccountsError::NotAuthenticated);
            }
            Ok(principal(rtxn, user)?.in_session(session))
        })
    }
}

fn api_token(
    rtxn: &ReadTxn,
    secret: &str,
    now: Timestamp,
) -> Result<(UserId, TokenId, StoredToken), AccountsError> {
    // The look-up is by the hash of 256 random bits, so its time tells nothing that helps to guess.
    let found = store::token_by_secret(rtxn, &sha256(secret.as_bytes()))?;
    found
        .filter(|(_, _, token)| token.expires_at.is_none_or(|end| end > now))
        .ok_or(AccountsError::NotAuthenticated)
}

fn principal(rtxn: &ReadTxn, id: UserId) -> Result<Principal, AccountsError> {
    let user = store::user(rtxn, id)?.filter(|user| !user.disabled);
    let user = user.ok_or(AccountsError::NotAuthenticated)?;
    let grants = store::grants(rtxn, id)?;
    Ok(Principal::new(id, user.username, user.superuser).with_grants(grants))
}
