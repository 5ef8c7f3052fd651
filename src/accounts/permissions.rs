//! Who may do what in a project: set by those who may everything there.

use super::authorize::{Refusal, require};
use super::error::AccountsError;
use super::handle::Accounts;
use super::principal::Principal;
use super::rules::PermissionSet;
use super::store;
use crate::storage::{StorageError, WriteTxn};
use testhide_protocol::api::{GrantPermissions, ProjectPermission};
use testhide_protocol::{ProjectId, UserId};

impl Accounts {
    /// Sets what a user may do in a project, in place of what it was; answers it without
    /// repetitions, with READ added to anything else.
    ///
    /// # Errors
    /// [`Refusal::Invisible`] for a project that the caller does not see or that does not exist, [`Refusal::NotAllowed`] for
    /// a caller who does not have all four permissions there, [`AccountsError::UserNotFound`].
    pub async fn set_permissions(
        &self,
        principal: &Principal,
        grant: GrantPermissions,
    ) -> Result<GrantPermissions, AccountsError> {
        let GrantPermissions {
            user,
            project,
            permissions,
        } = grant;
        for needed in PermissionSet::ALL.list() {
            require(principal, needed, project)?;
        }
        // Whoever may do something in a project may look at it; without that the rest would be worth nothing.
        let read = (!permissions.is_empty()).then_some(ProjectPermission::Read);
        let set: PermissionSet = permissions.into_iter().chain(read).collect();
        let written = self.storage.write(move |wtxn| {
            if !store::knows_project(wtxn, project)? {
                return Err(Refusal::Invisible.into());
            }
            if store::user(wtxn, user)?.is_none() {
                return Err(AccountsError::UserNotFound);
            }
            store::set_grant(wtxn, user, project, set)?;
            Ok(GrantPermissions {
                user,
                project,
                permissions: set.list(),
            })
        });
        written.await
    }
}

/// Makes a new project known here and gives its creator all four permissions, in the transaction that makes the project.
/// The server itself is no stored user and is given nothing.
///
/// # Errors
/// Failures of the store.
pub fn grant_creator(
    wtxn: &WriteTxn,
    user: UserId,
    project: ProjectId,
) -> Result<(), StorageError> {
    store::add_project(wtxn, project)?;
    if store::user(wtxn, user)?.is_some() {
        store::set_grant(wtxn, user, project, PermissionSet::ALL)?;
    }
    Ok(())
}
