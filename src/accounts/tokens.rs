//! API tokens: made, listed, revoked.

use super::error::AccountsError;
use super::handle::Accounts;
use super::model::StoredToken;
use super::principal::Principal;
use super::{rules, store};
use crate::kit::{random_token, sha256};
use testhide_protocol::TokenId;
use testhide_protocol::api::{CreateToken, NewToken, Token};

/// How an API token begins, so that people and secret scanners know it.
pub(super) const API_TOKEN_PREFIX: &str = "th_pat_";

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

impl Accounts {
    /// Makes a token that stands for the caller. Its secret is in the answer and nowhere else. A token that was made with
    /// another token ends no later than that one.
    ///
    /// # Errors
    /// A name or a life that cannot be; [`AccountsError::UserNotFound`] for a principal that is no stored user.
    pub async fn create_token(
        &self,
        principal: &Principal,
        new: CreateToken,
    ) -> Result<NewToken, AccountsError> {
        rules::check_token(&new.name, new.expires_in_days)?;
        let (user, id) = (principal.user, TokenId::generate());
        let secret = random_token(API_TOKEN_PREFIX);
        let created_at = self.clock.now();
        let asked = new
            .expires_in_days
            .map(|days| created_at.plus_millis(i64::from(days) * DAY_MILLIS));
        let token = StoredToken {
            name: new.name,
            hash: sha256(secret.as_bytes()),
            created_at,
            expires_at: asked.into_iter().chain(principal.token_ends_at()).min(),
        };
        let written = self.storage.write(move |wtxn| {
            if store::user(wtxn, user)?.is_none() {
                return Err(AccountsError::UserNotFound);
            }
            store::add_token(wtxn, user, id, &token)?;
            Ok(token.clone().shown(user, id))
        });
        Ok(NewToken {
            token: written.await?,
            secret,
        })
    }

    /// Up to `limit` of the caller's tokens after `after`, oldest first, ended ones too.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn list_tokens(
        &self,
        principal: &Principal,
        after: Option<TokenId>,
        limit: usize,
    ) -> Result<Vec<Token>, AccountsError> {
        let tokens = self
            .storage
            .read(|rtxn| store::tokens(rtxn, principal.user, after, limit))?;
        Ok(tokens
            .into_iter()
            .map(|(id, token)| token.shown(principal.user, id))
            .collect())
    }

    /// Takes one of the caller's tokens away; the next request with it is refused.
    ///
    /// # Errors
    /// [`AccountsError::TokenNotFound`], also for a token of somebody else.
    pub async fn revoke_token(
        &self,
        principal: &Principal,
        id: TokenId,
    ) -> Result<(), AccountsError> {
        let user = principal.user;
        let written = self.storage.write(move |wtxn| {
            if store::remove_token(wtxn, user, id)? {
                Ok(())
            } else {
                Err(AccountsError::TokenNotFound)
            }
        });
        written.await
    }
}
