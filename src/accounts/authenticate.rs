//! Who a bearer token stands for.

use super::error::AccountsError;
use super::handle::Accounts;
use super::principal::Principal;
use super::store;
use super::tokens::API_TOKEN_PREFIX;
use crate::kit::sha256;
use crate::storage::{ReadTxn, StorageError};
use testhide_protocol::{Timestamp, TokenId, UserId};

impl Accounts {
    /// Whom an access token or an API token stands for, with the rights that user has now. Reads the store, which takes
    /// microseconds.
    ///
    /// # Errors
    /// [`AccountsError::NotAuthenticated`] for a token that is not ours or has ended, and for a user that is gone.
    pub fn authenticate(&self, bearer: &str) -> Result<Principal, AccountsError> {
        let now = self.clock.now();
        self.storage.read(|rtxn| {
            let (user, token) = if bearer.starts_with(API_TOKEN_PREFIX) {
                let (user, token, ends_at) = user_of_api_token(rtxn, bearer, now)?;
                (user, Some((token, ends_at)))
            } else {
                (
                    self.keys
                        .verify(bearer, now)
                        .ok_or(AccountsError::NotAuthenticated)?,
                    None,
                )
            };
            let principal = principal(rtxn, user)?.ok_or(AccountsError::NotAuthenticated)?;
            Ok(principal.by_token(token))
        })
    }
}

fn user_of_api_token(
    rtxn: &ReadTxn,
    secret: &str,
    now: Timestamp,
) -> Result<(UserId, TokenId, Option<Timestamp>), AccountsError> {
    // The look-up is by the hash of 256 random bits, so its time tells nothing that helps to guess.
    let (user, id, token) = store::token_by_secret(rtxn, &sha256(secret.as_bytes()))?
        .ok_or(AccountsError::NotAuthenticated)?;
    if token.expires_at.is_some_and(|end| end <= now) {
        return Err(AccountsError::NotAuthenticated);
    }
    Ok((user, id, token.expires_at))
}

fn principal(rtxn: &ReadTxn, id: UserId) -> Result<Option<Principal>, StorageError> {
    let Some(user) = store::user(rtxn, id)? else {
        return Ok(None);
    };
    let grants = store::grants(rtxn, id)?;
    Ok(Some(
        Principal::new(id, user.username, user.superuser).with_grants(grants),
    ))
}
