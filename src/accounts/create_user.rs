//! Makes a user.

use super::authorize::{GlobalPermission, require_global};
use super::error::AccountsError;
use super::handle::Accounts;
use super::model::StoredUser;
use super::principal::Principal;
use super::{rules, store};
use crate::events;
use testhide_protocol::UserId;
use testhide_protocol::api::{CreateUser, Event, User};

impl Accounts {
    /// Makes a user that sees no project yet, or everything when it is a superuser.
    ///
    /// # Errors
    /// [`AccountsError::Refused`] for all but superusers, [`AccountsError::UsernameTaken`], and a name or password that
    /// cannot be.
    pub async fn create_user(
        &self,
        principal: &Principal,
        new: CreateUser,
    ) -> Result<User, AccountsError> {
        require_global(principal, GlobalPermission::UsersWrite)?;
        rules::check_username(&new.username)?;
        rules::check_password(&new.password)?;
        let id = UserId::generate();
        let user = StoredUser {
            username: new.username,
            password_hash: self.passwords.turn().await?.hash(new.password).await?,
            superuser: new.superuser,
            disabled: false,
            created_at: self.clock.now(),
        };
        let written = self.storage.write(move |wtxn| {
            store::add_user(wtxn, id, &user)?;
            events::append(
                wtxn,
                user.created_at,
                None,
                &Event::UserCreated { user: id },
            )?;
            Ok::<_, AccountsError>(user.clone().shown(id))
        });
        written.await
    }
}
