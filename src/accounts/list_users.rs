//! Shows users.

use super::authorize::{GlobalPermission, require_global};
use super::error::AccountsError;
use super::handle::Accounts;
use super::principal::Principal;
use super::store;
use testhide_protocol::UserId;
use testhide_protocol::api::User;

impl Accounts {
    /// The caller.
    ///
    /// # Errors
    /// [`AccountsError::UserNotFound`] for a principal that is no stored user.
    pub fn me(&self, principal: &Principal) -> Result<User, AccountsError> {
        let user = self
            .storage
            .read(|rtxn| store::user(rtxn, principal.user))?;
        user.map(|user| user.shown(principal.user))
            .ok_or(AccountsError::UserNotFound)
    }

    /// Up to `limit` users after `after`, oldest first.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn list_users(
        &self,
        principal: &Principal,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Vec<User>, AccountsError> {
        require_global(principal, GlobalPermission::UsersRead)?;
        let users = self.storage.read(|rtxn| store::users(rtxn, after, limit))?;
        Ok(users.into_iter().map(|(id, user)| user.shown(id)).collect())
    }
}
