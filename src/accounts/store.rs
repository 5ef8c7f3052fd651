//! Tables of accounts.

use super::error::AccountsError;
use super::model::{
    StoredGrant, StoredReset, StoredSecret, StoredSession, StoredToken, StoredUser,
};
use super::rules::{PermissionSet, folded};
use crate::storage::{StorageError, Table, TableCheck, Transaction, WriteTxn};
use testhide_protocol::{ProjectId, SessionId, Timestamp, TokenId, UserId};

const USERS: Table<UserId, StoredUser> = Table::new("account_users");

/// Folded user name -> user.
const USER_NAMES: Table<String, [u8; 16]> = Table::new("account_user_names");

const TOKENS: Table<(UserId, TokenId), StoredToken> = Table::new("account_tokens");

/// SHA-256 of a token's secret -> token.
const SECRETS: Table<[u8; 32], StoredSecret> = Table::new("account_secrets");

const SESSIONS: Table<(UserId, SessionId), StoredSession> = Table::new("account_sessions");

/// SHA-256 of a reset token -> whose password it sets.
const RESETS: Table<[u8; 32], StoredReset> = Table::new("account_resets");

const GRANTS: Table<(UserId, ProjectId), StoredGrant> = Table::new("account_grants");

/// Projects that somebody was made the creator of, so that nobody is granted what does not exist.
const PROJECTS: Table<ProjectId, ()> = Table::new("account_projects");

/// SHA-256 of the setup token; one row until the first user is made.
const SETUP: Table<(), [u8; 32]> = Table::new("account_setup");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[
    USERS.check(),
    USER_NAMES.check(),
    TOKENS.check(),
    SECRETS.check(),
    SESSIONS.check(),
    RESETS.check(),
    GRANTS.check(),
    PROJECTS.check(),
    SETUP.check(),
];

pub(super) fn has_users<T: Transaction>(txn: &T) -> Result<bool, StorageError> {
    Ok(!USERS.read(txn)?.is_empty()?)
}

pub(super) fn user<T: Transaction>(
    txn: &T,
    id: UserId,
) -> Result<Option<StoredUser>, StorageError> {
    USERS.read(txn)?.get(&id)
}

pub(super) fn user_by_name<T: Transaction>(
    txn: &T,
    name: &str,
) -> Result<Option<(UserId, StoredUser)>, StorageError> {
    let Some(id) = USER_NAMES
        .read(txn)?
        .get(&folded(name))?
        .map(UserId::from_bytes)
    else {
        return Ok(None);
    };
    Ok(user(txn, id)?.map(|user| (id, user)))
}

/// Up to `limit` users after `after`, oldest first.
pub(super) fn users<T: Transaction>(
    txn: &T,
    after: Option<UserId>,
    limit: usize,
) -> Result<Vec<(UserId, StoredUser)>, StorageError> {
    let users = USERS.read(txn)?;
    match after {
        Some(after) => users.prefix_after(&(), &after)?.take(limit).collect(),
        None => users.all()?.take(limit).collect(),
    }
}

/// Stores a new user; refuses a name that somebody has.
pub(super) fn add_user(
    wtxn: &WriteTxn,
    id: UserId,
    user: &StoredUser,
) -> Result<(), AccountsError> {
    let mut names = USER_NAMES.write(wtxn)?;
    let name = folded(&user.username);
    if names.contains(&name)? {
        return Err(AccountsError::UsernameTaken(user.username.clone()));
    }
    names.put(&name, &id.bytes())?;
    Ok(USERS.write(wtxn)?.put(&id, user)?)
}

pub(super) fn put_user(wtxn: &WriteTxn, id: UserId, user: &StoredUser) -> Result<(), StorageError> {
    USERS.write(wtxn)?.put(&id, user)
}

/// Whether somebody other than `id` may do everything.
pub(super) fn has_others_in_charge<T: Transaction>(
    txn: &T,
    id: UserId,
) -> Result<bool, StorageError> {
    for row in USERS.read(txn)?.all()? {
        let (other, user) = row?;
        if other != id && user.is_in_charge() {
            return Ok(true);
        }
    }
    Ok(false)
}

pub(super) fn session<T: Transaction>(
    txn: &T,
    user: UserId,
    id: SessionId,
) -> Result<Option<StoredSession>, StorageError> {
    SESSIONS.read(txn)?.get(&(user, id))
}

/// The sessions of `user`, the first sign-in first, ended ones too.
pub(super) fn sessions<T: Transaction>(
    txn: &T,
    user: UserId,
) -> Result<Vec<(SessionId, StoredSession)>, StorageError> {
    let sessions = SESSIONS.read(txn)?;
    sessions
        .prefix(&user)?
        .map(|row| row.map(|((_, id), session)| (id, session)))
        .collect()
}

pub(super) fn put_session(
    wtxn: &WriteTxn,
    user: UserId,
    id: SessionId,
    session: &StoredSession,
) -> Result<(), StorageError> {
    SESSIONS.write(wtxn)?.put(&(user, id), session)
}

/// Removes a session; says whether there was one.
pub(super) fn remove_session(
    wtxn: &WriteTxn,
    user: UserId,
    id: SessionId,
) -> Result<bool, StorageError> {
    SESSIONS.write(wtxn)?.remove(&(user, id))
}

/// Removes every session of `user` but `kept`.
pub(super) fn remove_sessions(
    wtxn: &WriteTxn,
    user: UserId,
    kept: Option<SessionId>,
) -> Result<(), StorageError> {
    for (id, _) in sessions(wtxn, user)? {
        if Some(id) != kept {
            remove_session(wtxn, user, id)?;
        }
    }
    Ok(())
}

pub(super) fn reset<T: Transaction>(
    txn: &T,
    hash: &[u8; 32],
) -> Result<Option<StoredReset>, StorageError> {
    RESETS.read(txn)?.get(hash)
}

pub(super) fn put_reset(
    wtxn: &WriteTxn,
    hash: &[u8; 32],
    reset: &StoredReset,
) -> Result<(), StorageError> {
    RESETS.write(wtxn)?.put(hash, reset)
}

/// Removes every reset token of `user`. There are as many rows as users with one, so few.
pub(super) fn remove_resets(wtxn: &WriteTxn, user: UserId) -> Result<(), StorageError> {
    let mut resets = RESETS.write(wtxn)?;
    let of_user: Vec<[u8; 32]> = resets
        .all()?
        .filter_map(|row| match row {
            Ok((hash, reset)) => (reset.user == user).then_some(Ok(hash)),
            Err(error) => Some(Err(error)),
        })
        .collect::<Result<_, StorageError>>()?;
    for hash in of_user {
        resets.remove(&hash)?;
    }
    Ok(())
}

/// Notes when a token was last used; nothing when it is gone.
pub(super) fn note_use(
    wtxn: &WriteTxn,
    user: UserId,
    id: TokenId,
    at: Timestamp,
) -> Result<(), StorageError> {
    let mut tokens = TOKENS.write(wtxn)?;
    let Some(mut token) = tokens.get(&(user, id))? else {
        return Ok(());
    };
    token.last_used_at = token.last_used_at.max(Some(at));
    tokens.put(&(user, id), &token)
}

pub(super) fn token_by_secret<T: Transaction>(
    txn: &T,
    hash: &[u8; 32],
) -> Result<Option<(UserId, TokenId, StoredToken)>, StorageError> {
    let Some(StoredSecret { user, token: id }) = SECRETS.read(txn)?.get(hash)? else {
        return Ok(None);
    };
    let token = TOKENS.read(txn)?.get(&(user, id))?;
    Ok(token.map(|token| (user, id, token)))
}

/// Up to `limit` tokens of `user` after `after`, oldest first.
pub(super) fn tokens<T: Transaction>(
    txn: &T,
    user: UserId,
    after: Option<TokenId>,
    limit: usize,
) -> Result<Vec<(TokenId, StoredToken)>, StorageError> {
    let tokens = TOKENS.read(txn)?;
    let rows = match after {
        Some(after) => tokens.prefix_after(&user, &(user, after))?,
        None => tokens.prefix(&user)?,
    };
    rows.take(limit)
        .map(|row| row.map(|((_, id), token)| (id, token)))
        .collect()
}

pub(super) fn add_token(
    wtxn: &WriteTxn,
    user: UserId,
    id: TokenId,
    token: &StoredToken,
) -> Result<(), StorageError> {
    SECRETS
        .write(wtxn)?
        .put(&token.hash, &StoredSecret { user, token: id })?;
    TOKENS.write(wtxn)?.put(&(user, id), token)
}

/// Removes a token; says whether there was one.
pub(super) fn remove_token(
    wtxn: &WriteTxn,
    user: UserId,
    id: TokenId,
) -> Result<bool, StorageError> {
    let mut tokens = TOKENS.write(wtxn)?;
    let Some(token) = tokens.get(&(user, id))? else {
        return Ok(false);
    };
    tokens.remove(&(user, id))?;
    SECRETS.write(wtxn)?.remove(&token.hash)?;
    Ok(true)
}

pub(super) fn grants<T: Transaction>(
    txn: &T,
    user: UserId,
) -> Result<Vec<(ProjectId, PermissionSet)>, StorageError> {
    let grants = GRANTS.read(txn)?;
    grants
        .prefix(&user)?
        .map(|row| row.map(|((_, project), grant)| (project, grant.permissions)))
        .collect()
}

pub(super) fn set_grant(
    wtxn: &WriteTxn,
    user: UserId,
    project: ProjectId,
    permissions: PermissionSet,
) -> Result<(), StorageError> {
    let mut grants = GRANTS.write(wtxn)?;
    if permissions.is_empty() {
        grants.remove(&(user, project)).map(drop)
    } else {
        grants.put(&(user, project), &StoredGrant { permissions })
    }
}

pub(super) fn add_project(wtxn: &WriteTxn, project: ProjectId) -> Result<(), StorageError> {
    PROJECTS.write(wtxn)?.put(&project, &())
}

pub(super) fn knows_project<T: Transaction>(
    txn: &T,
    project: ProjectId,
) -> Result<bool, StorageError> {
    PROJECTS.read(txn)?.contains(&project)
}

pub(super) fn setup_hash<T: Transaction>(txn: &T) -> Result<Option<[u8; 32]>, StorageError> {
    SETUP.read(txn)?.get(&())
}

pub(super) fn put_setup_hash(wtxn: &WriteTxn, hash: &[u8; 32]) -> Result<(), StorageError> {
    SETUP.write(wtxn)?.put(&(), hash)
}

pub(super) fn remove_setup_hash(wtxn: &WriteTxn) -> Result<(), StorageError> {
    SETUP.write(wtxn)?.remove(&()).map(drop)
}
