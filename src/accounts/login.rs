//! Signs in with a password.

use super::error::AccountsError;
use super::handle::Accounts;
use super::sessions::Origin;
use super::store;
use super::tries::Guesser;
use testhide_protocol::api::{Login, LoginAnswer};

impl Accounts {
    /// Opens a session for whoever knows the password.
    ///
    /// # Errors
    /// [`AccountsError::WrongPassword`], the same and after the same work whether there is such a user or not, or it is shut out;
    /// [`AccountsError::TooManyTries`] after five of them from one address; [`AccountsError::Busy`].
    pub async fn log_in(&self, login: Login, origin: Origin) -> Result<LoginAnswer, AccountsError> {
        let guesser = Guesser::new(&login.username, origin.address);
        self.tries.check(guesser)?;
        let turn = self.passwords.turn().await?;
        // Again, because those who waited for their turn together would all have passed the first check.
        self.tries.check(guesser)?;
        let user = self
            .storage
            .read(|rtxn| store::user_by_name(rtxn, &login.username))?;
        let hash = user.as_ref().map(|(_, user)| user.password_hash.clone());
        let is_right = turn.verify(login.password, hash).await?;
        let Some((id, _)) = user.filter(|(_, user)| is_right && !user.disabled) else {
            self.tries.failed(guesser);
            return Err(AccountsError::WrongPassword);
        };
        self.tries.succeeded(guesser);
        self.open_session(id, &origin).await
    }
}
