//! The first start: a one-time token makes the first superuser.

use super::error::AccountsError;
use super::handle::Accounts;
use super::model::StoredUser;
use super::{rules, store};
use crate::events;
use crate::kit::{constant_time_eq, random_token, sha256};
use crate::storage::Transaction;
use testhide_protocol::UserId;
use testhide_protocol::api::{Event, Setup, User};

/// How a setup token begins.
const SETUP_TOKEN_PREFIX: &str = "th_setup_";

impl Accounts {
    /// A fresh setup token while there are no users, in place of an older one; `None` once there are. Only its hash is kept.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn setup_token(&self) -> Result<Option<String>, AccountsError> {
        if self.storage.read(store::has_users)? {
            return Ok(None);
        }
        let token = random_token(SETUP_TOKEN_PREFIX);
        let hash = sha256(token.as_bytes());
        let stored = self.storage.write(move |wtxn| {
            let is_first = !store::has_users(wtxn)?;
            if is_first {
                store::put_setup_hash(wtxn, &hash)?;
            }
            Ok::<_, AccountsError>(is_first)
        });
        Ok(stored.await?.then_some(token))
    }

    /// Makes the first superuser and uses the setup token up, both or neither.
    ///
    /// # Errors
    /// [`AccountsError::AlreadySetUp`], [`AccountsError::WrongSetupToken`], and a name or password that cannot be; the token
    /// is then still good.
    pub async fn set_up(&self, setup: Setup) -> Result<User, AccountsError> {
        let given = sha256(setup.setup_token.as_bytes());
        // Before the hash of the password, so that strangers cannot make the server work.
        self.storage.read(|rtxn| check_setup_token(rtxn, &given))?;
        rules::check_username(&setup.username)?;
        rules::check_password(&setup.password)?;
        let id = UserId::generate();
        let user = StoredUser {
            username: setup.username,
            password_hash: self.passwords.turn().await?.hash(setup.password).await?,
            superuser: true,
            disabled: false,
            created_at: self.clock.now(),
        };
        let written = self.storage.write(move |wtxn| {
            check_setup_token(wtxn, &given)?;
            store::remove_setup_hash(wtxn)?;
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

fn check_setup_token<T: Transaction>(txn: &T, given: &[u8; 32]) -> Result<(), AccountsError> {
    if store::has_users(txn)? {
        return Err(AccountsError::AlreadySetUp);
    }
    let is_right = store::setup_hash(txn)?.is_some_and(|stored| constant_time_eq(&stored, given));
    if is_right {
        Ok(())
    } else {
        Err(AccountsError::WrongSetupToken)
    }
}
