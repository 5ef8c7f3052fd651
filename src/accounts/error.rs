//! What can go wrong with accounts, and how HTTP says it.

use super::authorize::Refusal;
use super::rules::BadValue;
use crate::storage::StorageError;
use crate::web::ApiError;
use std::path::PathBuf;

/// A refusal or failure of accounts; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountsError {
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The caller may not see it or may not do it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A name, password or life that cannot be.
    #[error(transparent)]
    Invalid(#[from] BadValue),
    /// The bearer token is not one of ours, or has ended, or its user is gone.
    #[error("the token is not valid")]
    NotAuthenticated,
    /// User name or password is wrong; which of them is not told.
    #[error("user name or password is wrong")]
    WrongPassword,
    /// Too many wrong passwords for this user name.
    #[error("too many wrong passwords, the next try is taken in {seconds} s")]
    TooManyTries {
        /// Seconds until the next try.
        seconds: u32,
    },
    /// More people sign in at this moment than the server hashes passwords for.
    #[error("too many sign-ins at this moment")]
    Busy,
    /// The setup token is not the one that was printed last.
    #[error("the setup token is not the one that the server printed at its last start")]
    WrongSetupToken,
    /// There is a user already.
    #[error("this server is set up already")]
    AlreadySetUp,
    /// Somebody has this user name.
    #[error("there is a user `{0}` already")]
    UsernameTaken(String),
    /// There is no such user.
    #[error("there is no such user")]
    UserNotFound,
    /// There is no such token of the caller's.
    #[error("there is no such token")]
    TokenNotFound,
    /// There is no such session of the caller's.
    #[error("there is no such session")]
    SessionNotFound,
    /// The caller came with an API token.
    #[error("an API token belongs to no session")]
    NoSession,
    /// The reset token was used, has ended or never was.
    #[error("the reset token was used, has ended or never was")]
    WrongResetToken,
    /// Nobody would be left who may do everything.
    #[error("this is the last superuser that is not disabled")]
    LastSuperuser,
    /// The secret that signs access tokens is too short to be safe.
    #[error("the secret that signs access tokens has {bytes} bytes, it needs at least {least}")]
    WeakSecret {
        /// Bytes it has.
        bytes: usize,
        /// Bytes it needs.
        least: usize,
    },
    /// The signing key's file cannot be read or made.
    #[error("failed to open the signing key `{path}`: {source}")]
    Key {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A password could not be hashed.
    #[error("failed to hash a password: {0}")]
    Hash(String),
}

impl From<AccountsError> for ApiError {
    fn from(error: AccountsError) -> Self {
        let text = error.to_string();
        match error {
            AccountsError::Storage(error) => error.into(),
            AccountsError::Refused(refusal) => refusal.into(),
            AccountsError::Invalid(what) => Self::invalid(
                match what {
                    BadValue::Username => "invalid_username",
                    BadValue::Password => "invalid_password",
                    BadValue::TokenName => "invalid_token_name",
                    BadValue::TokenLife => "invalid_token_life",
                    BadValue::TokenPermissions => "invalid_token_permissions",
                },
                text,
            ),
            AccountsError::NotAuthenticated => Self::unauthenticated(),
            AccountsError::WrongPassword => Self::new(401, "wrong_password", text),
            AccountsError::TooManyTries { seconds } => {
                Self::new(429, "too_many_tries", text).retry_after(seconds)
            }
            AccountsError::Busy => Self::new(503, "busy", text).retry_after(2),
            AccountsError::WrongSetupToken => Self::new(403, "wrong_setup_token", text)
                .hint("each start without users prints a new one; use the last"),
            AccountsError::AlreadySetUp => {
                Self::conflict("already_set_up", text).hint("log in with POST /api/v3/auth/login")
            }
            AccountsError::UsernameTaken(_) => Self::conflict("username_taken", text),
            AccountsError::UserNotFound => Self::not_found("user_not_found", text),
            AccountsError::TokenNotFound => Self::not_found("token_not_found", text),
            AccountsError::SessionNotFound => Self::not_found("session_not_found", text),
            AccountsError::NoSession => {
                Self::conflict("no_session", text).hint("revoke it with DELETE /api/v3/tokens/{id}")
            }
            AccountsError::WrongResetToken => Self::new(403, "wrong_reset_token", text)
                .hint("a superuser makes a new one; it is good for an hour, once"),
            AccountsError::LastSuperuser => {
                Self::conflict("last_superuser", text).hint("make another superuser first")
            }
            AccountsError::WeakSecret { .. }
            | AccountsError::Key { .. }
            | AccountsError::Hash(_) => Self::internal(&text),
        }
    }
}
