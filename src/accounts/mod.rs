//! People: who is calling, and what they may do.
//!
//! Owns users, sign-in, API tokens and the permissions that users have in projects. Promises: a password is kept as
//! Argon2id and a token as a hash, so neither can be read out of the store; a request never has more rights than its user
//! has at that moment, whatever was true when its token was made; what a caller may not see answers like what does not
//! exist; the setup token makes exactly one first superuser; what is revoked is worth nothing from that moment on.
//!
//! Deliberately absent: any way to read a secret back.

mod authenticate;
mod authorize;
mod brief;
mod change_password;
mod change_user;
#[cfg(test)]
mod client_tests;
mod create_user;
mod error;
mod handle;
mod jwt;
mod list_users;
mod login;
mod model;
mod password;
mod permissions;
mod principal;
mod refresh_token;
mod routes;
#[cfg(test)]
mod routes_tests;
mod rules;
mod sessions;
#[cfg(test)]
mod sessions_tests;
mod setup;
mod store;
mod tokens;
mod tries;
mod uses;

pub use authorize::{GlobalPermission, Refusal, require, require_global};
#[cfg(test)]
pub(crate) use client_tests::TestServer;
pub use error::AccountsError;
pub use handle::Accounts;
pub use permissions::grant_creator;
pub use principal::{Principal, Visible};
pub use routes::{Caller, identify, routes};
pub use rules::BadValue;
pub use sessions::Origin;
pub use store::TABLES;
