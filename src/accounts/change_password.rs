//! New passwords: by who knows the old one, or by a one-time token from who may change users.

use super::authorize::{GlobalPermission, require_global};
use super::error::AccountsError;
use super::handle::Accounts;
use super::model::StoredReset;
use super::principal::Principal;
use super::tries::Guesser;
use super::{rules, store};
use crate::kit::{random_token, sha256};
use std::net::IpAddr;
use testhide_protocol::UserId;
use testhide_protocol::api::{ChangePassword, PasswordReset, ResetPassword};

/// How a reset token begins.
const RESET_TOKEN_PREFIX: &str = "th_reset_";

/// How long a reset token is good: an hour.
const RESET_MILLIS: i64 = 60 * 60 * 1000;

impl Accounts {
    /// Changes the caller's own password and ends every other session of theirs.
    ///
    /// # Errors
    /// [`AccountsError::WrongPassword`] for a wrong present one, [`AccountsError::TooManyTries`] after five of them, a new one that
    /// cannot be, [`AccountsError::Busy`].
    pub async fn change_password(
        &self,
        principal: &Principal,
        change: ChangePassword,
        address: Option<IpAddr>,
    ) -> Result<(), AccountsError> {
        // A token for one project, or for looking, must not take over the account.
        principal.require_whole()?;
        rules::check_password(&change.new_password)?;
        let user = self
            .storage
            .read(|rtxn| store::user(rtxn, principal.user))?;
        let user = user.ok_or(AccountsError::UserNotFound)?;
        let guesser = Guesser::new(&user.username, address);
        self.tries.check(guesser)?;
        let turn = self.passwords.turn().await?;
        self.tries.check(guesser)?;
        let old = user.password_hash;
        let is_right = turn
            .verify(change.current_password, Some(old.clone()))
            .await?;
        if !is_right {
            self.tries.failed(guesser);
            return Err(AccountsError::WrongPassword);
        }
        self.tries.succeeded(guesser);
        let hash = turn.hash(change.new_password).await?;
        drop(turn);
        let (id, kept) = (principal.user, principal.session());
        let written = self.storage.write(move |wtxn| {
            let mut user = store::user(wtxn, id)?.ok_or(AccountsError::UserNotFound)?;
            // Somebody else was faster: what was proven is true no more.
            if user.password_hash != old {
                return Err(AccountsError::WrongPassword);
            }
            user.password_hash.clone_from(&hash);
            store::put_user(wtxn, id, &user)?;
            store::remove_resets(wtxn, id)?;
            store::remove_sessions(wtxn, id, kept)?;
            Ok(())
        });
        let written = written.await;
        if written.is_ok() {
            self.brief.end_all(id, kept);
        }
        written
    }

    /// Makes a one-time token with which `user` sets a new password. The present one stays good until then.
    ///
    /// # Errors
    /// [`AccountsError::Refused`] for all but superusers, [`AccountsError::UserNotFound`].
    pub async fn make_password_reset(
        &self,
        principal: &Principal,
        user: UserId,
    ) -> Result<PasswordReset, AccountsError> {
        require_global(principal, GlobalPermission::UsersWrite)?;
        let token = random_token(RESET_TOKEN_PREFIX);
        let reset = StoredReset {
            user,
            expires_at: self.clock.now().plus_millis(RESET_MILLIS),
        };
        let hash = sha256(token.as_bytes());
        let stored = reset.clone();
        let written = self.storage.write(move |wtxn| {
            if store::user(wtxn, user)?.is_none() {
                return Err(AccountsError::UserNotFound);
            }
            store::remove_resets(wtxn, user)?;
            store::put_reset(wtxn, &hash, &stored)?;
            Ok(())
        });
        written.await?;
        Ok(PasswordReset {
            reset_token: token,
            expires_at: reset.expires_at,
        })
    }

    /// Sets a new password with a one-time token and ends every session of that user.
    ///
    /// # Errors
    /// [`AccountsError::WrongResetToken`] for one that was used, has ended or never was; a password that cannot be (the token is still good
    /// then); [`AccountsError::Busy`].
    pub async fn reset_password(&self, reset: ResetPassword) -> Result<(), AccountsError> {
        let given = sha256(reset.reset_token.as_bytes());
        let now = self.clock.now();
        let is_good = move |found: Option<StoredReset>| {
            let good = found.filter(|reset| reset.expires_at > now);
            good.ok_or(AccountsError::WrongResetToken)
        };
        // Before the hash of the password, so that strangers cannot make the server work.
        is_good(self.storage.read(|rtxn| store::reset(rtxn, &given))?)?;
        rules::check_password(&reset.new_password)?;
        let hash = self
            .passwords
            .turn()
            .await?
            .hash(reset.new_password)
            .await?;
        let written = self.storage.write(move |wtxn| {
            let id = is_good(store::reset(wtxn, &given)?)?.user;
            let mut user = store::user(wtxn, id)?.ok_or(AccountsError::WrongResetToken)?;
            user.password_hash.clone_from(&hash);
            store::put_user(wtxn, id, &user)?;
            store::remove_resets(wtxn, id)?;
            store::remove_sessions(wtxn, id, None)?;
            Ok::<_, AccountsError>(id)
        });
        let id = written.await?;
        self.brief.end_all(id, None);
        Ok(())
    }
}
