//! Tables of accounts.

use super::error::AccountsError;
use super::model::{StoredGrant, StoredSecret, StoredToken, StoredUser};
use super::rules::{PermissionSet, folded};
use crate::storage::{StorageError, Table, TableCheck, Transaction, WriteTxn};
use testhide_protocol::{ProjectId, TokenId, UserId};

const USERS: Table<UserId, StoredUser> = Table::new("account_users");

/// Folded user name -> user.
const USER_NAMES: Table<String, [u8; 16]> = Table::new("account_user_names");

const TOKENS: Table<(UserId, TokenId), StoredToken> = Table::new("account_tokens");

/// SHA-256 of a token's secret -> token.
const SECRETS: Table<[u8; 32], StoredSecret> = Table::new("account_secrets");

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

pub(super) fn token_by_secret<T: Transaction>(
    txn: &T,
    hash: &[u8; 32],
) -> Result<Option<(UserId, TokenId, StoredToken)>, StorageError> {
    let Some(StoredSecret { user, token }) = SECRETS.read(txn)?.get(hash)? else {
        return Ok(None);
    };
    let stored = TOKENS.read(txn)?.get(&(user, token))?;
    Ok(stored.map(|stored| (user, token, stored)))
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
