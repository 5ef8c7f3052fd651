//! Signs in with a password.

use super::error::AccountsError;
use super::handle::Accounts;
use super::jwt::LIFETIME_SECONDS;
use super::store;
use super::tries::Guesser;
use std::net::IpAddr;
use testhide_protocol::api::{Login, LoginAnswer};

impl Accounts {
    /// An access token for whoever knows the password.
    ///
    /// # Errors
    /// [`AccountsError::WrongPassword`], the same and after the same work whether there is such a user or not;
    /// [`AccountsError::TooManyTries`] after five of them from one address; [`AccountsError::Busy`].
    pub async fn log_in(
        &self,
        login: Login,
        address: Option<IpAddr>,
    ) -> Result<LoginAnswer, AccountsError> {
        let guesser = Guesser::new(&login.username, address);
        self.tries.check(guesser)?;
        let turn = self.passwords.turn().await?;
        // Again, because those who waited for their turn together would all have passed the first check.
        self.tries.check(guesser)?;
        let user = self
            .storage
            .read(|rtxn| store::user_by_name(rtxn, &login.username))?;
        let hash = user.as_ref().map(|(_, user)| user.password_hash.clone());
        let is_right = turn.verify(login.password, hash).await?;
        let Some((id, user)) = user.filter(|_| is_right) else {
            self.tries.failed(guesser);
            return Err(AccountsError::WrongPassword);
        };
        self.tries.succeeded(guesser);
        Ok(LoginAnswer {
            access_token: self.keys.issue(id, self.clock.now()),
            token_type: "Bearer".to_owned(),
            expires_in: LIFETIME_SECONDS,
            user: user.shown(id),
        })
    }
}
