//! Stored shapes of accounts.

use super::rules::PermissionSet;
use crate::storage::Record;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use testhide_protocol::api::{Session, Token, User};
use testhide_protocol::{ProjectId, SessionId, Timestamp, TokenId, UserId};

/// A person or service account.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredUser {
    /// As it was given; compared in its folded form.
    pub username: String,
    /// Argon2id in the PHC format, which names its own parameters, so that they can be raised later.
    pub password_hash: String,
    pub superuser: bool,
    pub disabled: bool,
    pub created_at: Timestamp,
}
impl Record for StoredUser {}

impl StoredUser {
    /// Whether it may do everything now.
    pub(super) fn is_in_charge(&self) -> bool {
        self.superuser && !self.disabled
    }

    /// As the API shows it.
    pub(super) fn shown(self, id: UserId) -> User {
        User {
            id,
            username: self.username,
            superuser: self.superuser,
            disabled: self.disabled,
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
    /// What it may at most do of what its owner may.
    pub scope: StoredScope,
    /// As of a minute ago or so.
    pub last_used_at: Option<Timestamp>,
}
impl Record for StoredToken {}

/// What a token is limited to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredScope {
    /// One project; all when absent.
    pub project: Option<ProjectId>,
    /// These; everything when absent.
    pub permissions: Option<PermissionSet>,
}

impl StoredScope {
    /// Whether it takes nothing away.
    pub(super) fn is_whole(self) -> bool {
        self == Self::default()
    }
}

impl StoredToken {
    /// As the API shows it.
    pub(super) fn shown(self, user: UserId, id: TokenId) -> Token {
        Token {
            id,
            name: self.name,
            user,
            created_at: self.created_at,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
            project: self.scope.project,
            permissions: self.scope.permissions.map(PermissionSet::list),
        }
    }
}

/// A sign-in that goes on as long as its refresh tokens are used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredSession {
    pub created_at: Timestamp,
    pub refreshed_at: Timestamp,
    pub expires_at: Timestamp,
    pub address: Option<IpAddr>,
    pub program: String,
    /// SHA-256 of the refresh token that is good now.
    pub current: [u8; 32],
    /// Hashes of those before it, the newest last.
    pub used: Vec<[u8; 32]>,
}
impl Record for StoredSession {}

impl StoredSession {
    /// As the API shows it.
    pub(super) fn shown(self, id: SessionId, current: bool) -> Session {
        Session {
            id,
            created_at: self.created_at,
            refreshed_at: self.refreshed_at,
            expires_at: self.expires_at,
            address: self.address.map(|address| address.to_string()),
            program: self.program,
            current,
        }
    }
}

/// A one-time token for a new password. Its hash is the key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredReset {
    pub user: UserId,
    pub expires_at: Timestamp,
}
impl Record for StoredReset {}

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
