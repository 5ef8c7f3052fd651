//! Makes superusers, shuts users out, and takes both back.

use super::authorize::{GlobalPermission, require_global};
use super::error::AccountsError;
use super::handle::Accounts;
use super::principal::Principal;
use super::store;
use testhide_protocol::UserId;
use testhide_protocol::api::{ChangeUser, User};

impl Accounts {
    /// Changes a user. A user that is shut out loses every session at once; its API tokens are worth nothing for as long.
    ///
    /// # Errors
    /// [`AccountsError::Refused`] for all but superusers, [`AccountsError::UserNotFound`], and [`AccountsError::LastSuperuser`] when nobody
    /// would be left who may do everything.
    pub async fn change_user(
        &self,
        principal: &Principal,
        id: UserId,
        change: ChangeUser,
    ) -> Result<User, AccountsError> {
        require_global(principal, GlobalPermission::UsersWrite)?;
        let written = self.storage.write(move |wtxn| {
            let mut user = store::user(wtxn, id)?.ok_or(AccountsError::UserNotFound)?;
            let was_in_charge = user.is_in_charge();
            user.superuser = change.superuser.unwrap_or(user.superuser);
            user.disabled = change.disabled.unwrap_or(user.disabled);
            if was_in_charge && !user.is_in_charge() && !store::has_others_in_charge(wtxn, id)? {
                return Err(AccountsError::LastSuperuser);
            }
            store::put_user(wtxn, id, &user)?;
            if user.disabled {
                store::remove_resets(wtxn, id)?;
                store::remove_sessions(wtxn, id, None)?;
            }
            Ok::<_, AccountsError>(user.shown(id))
        });
        let user = written.await?;
        if user.disabled {
            self.brief.end_all(id, None);
        }
        Ok(user)
    }
}
