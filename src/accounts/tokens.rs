//! API tokens: made, listed, revoked.

use super::authorize::{Refusal, require};
use super::error::AccountsError;
use super::handle::Accounts;
use super::model::{StoredScope, StoredToken};
use super::principal::Principal;
use super::rules::{BadValue, PermissionSet};
use super::{rules, store};
use crate::kit::{random_token, sha256};
use testhide_protocol::TokenId;
use testhide_protocol::api::{CreateToken, NewToken, ProjectPermission, Token};

/// How an API token begins, so that people and secret scanners know it.
pub(super) const API_TOKEN_PREFIX: &str = "th_pat_";

const DAY_MILLIS: i64 = 24 * 60 * 60 * 1000;

impl Accounts {
    /// Makes a token that stands for the caller, whole or within a scope. Its secret is in the answer and nowhere else. A token that was
    /// made with another token ends no later than that one.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] for a caller with a limited token; a name, life or scope that cannot be; [`Refusal::Invisible`] for a project that the caller does not see; [`AccountsError::UserNotFound`] for a principal that is no stored user.
    pub async fn create_token(
        &self,
        principal: &Principal,
        new: CreateToken,
    ) -> Result<NewToken, AccountsError> {
        principal.require_whole()?;
        rules::check_token(&new.name, new.expires_in_days)?;
        let scope = self.scope_of(principal, &new)?;
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
            scope,
            last_used_at: None,
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
    /// [`Refusal::NotAllowed`] for a caller with a limited token, failures of the store.
    pub fn list_tokens(
        &self,
        principal: &Principal,
        after: Option<TokenId>,
        limit: usize,
    ) -> Result<Vec<Token>, AccountsError> {
        principal.require_whole()?;
        let tokens = self
            .storage
            .read(|rtxn| store::tokens(rtxn, principal.user, after, limit))?;
        let shown = tokens.into_iter().map(|(id, mut token)| {
            token.last_used_at = token.last_used_at.max(self.uses.of(principal.user, id));
            token.shown(principal.user, id)
        });
        Ok(shown.collect())
    }

    /// Takes one of the caller's tokens away; the next request with it is refused.
    ///
    /// # Errors
    /// [`Refusal::NotAllowed`] for a caller with a limited token; [`AccountsError::TokenNotFound`], also for a token of somebody else.
    pub async fn revoke_token(
        &self,
        principal: &Principal,
        id: TokenId,
    ) -> Result<(), AccountsError> {
        principal.require_whole()?;
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

    /// Stores when tokens were last used; to be called now and then.
    ///
    /// # Errors
    /// Failures of the store; what was not stored is tried again.
    pub async fn store_uses(&self) -> Result<(), AccountsError> {
        let uses = self.uses.take();
        if uses.is_empty() {
            return Ok(());
        }
        let noted = uses.clone();
        let written = self.storage.write(move |wtxn| {
            for ((user, id), at) in &noted {
                store::note_use(wtxn, *user, *id, *at)?;
            }
            Ok::<_, AccountsError>(())
        });
        let written = written.await;
        if written.is_err() {
            self.uses.put_back(uses);
        }
        written
    }

    fn scope_of(
        &self,
        principal: &Principal,
        new: &CreateToken,
    ) -> Result<StoredScope, AccountsError> {
        if let Some(project) = new.project {
            require(principal, ProjectPermission::Read, project)?;
            if !self
                .storage
                .read(|rtxn| store::knows_project(rtxn, project))?
            {
                return Err(Refusal::Invisible.into());
            }
        }
        let asked: Option<PermissionSet> = match &new.permissions {
            Some(asked) if asked.is_empty() => return Err(BadValue::TokenPermissions.into()),
            // Without READ there nothing else could be done.
            Some(asked) => Some(
                asked
                    .iter()
                    .copied()
                    .chain([ProjectPermission::Read])
                    .collect(),
            ),
            None => None,
        };
        Ok(StoredScope {
            project: new.project,
            permissions: asked,
        })
    }
}
