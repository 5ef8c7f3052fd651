//! Stored shapes of accounts.

use super::rules::PermissionSet;
use crate::storage::Record;
use serde::{Deserialize, Serialize};
use testhide_protocol::api::{Token, User};
use testhide_protocol::{Timestamp, TokenId, UserId};

/// A person or service account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredUser {
    /// As it was given; compared in its folded form.
    pub username: String,
    /// Argon2id in the PHC format, which names its own parameters, so that they can be raised later.
    pub password_hash: String,
    pub superuser: bool,
    pub created_at: Timestamp,
}
impl Record for StoredUser {}

impl StoredUser {
    /// As the API shows it.
    pub(super) fn shown(self, id: UserId) -> User {
        User {
            id,
            username: self.username,
            superuser: self.superuser,
            created_at: self.created_at,
        }
    }
}

/// An API token. Its secret is not here: the hash of it is the key of another table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredToken {
    pub name: String,
    /// SHA-256 of the secret, to take it out of the other table again.
    pub hash: [u8; 32],
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}
impl Record for StoredToken {}

impl StoredToken {
    /// As the API shows it.
    pub(super) fn shown(self, user: UserId, id: TokenId) -> Token {
        Token {
            id,
            name: self.name,
            user,
            created_at: self.created_at,
            expires_at: self.expires_at,
        }
    }
}

/// Which token a secret belongs to.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredSecret {
    pub user: UserId,
    pub token: TokenId,
}
impl Record for StoredSecret {}

/// What a user may do in a project; a row with nothing in it is not kept.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredGrant {
    pub permissions: PermissionSet,
}
impl Record for StoredGrant {}
