//! Tables of projects.

use super::error::ProjectsError;
use super::model::StoredProject;
use super::rules::folded;
use crate::accounts::Visible;
use crate::storage::{StorageError, Table, TableCheck, Transaction, WriteTxn};
use std::ops::Bound;
use testhide_protocol::ProjectId;
use testhide_protocol::api::Project;

const PROJECTS: Table<ProjectId, StoredProject> = Table::new("projects");

/// Folded name -> project.
const NAMES: Table<String, [u8; 16]> = Table::new("project_names");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[PROJECTS.check(), NAMES.check()];

pub(super) fn project<T: Transaction>(
    txn: &T,
    id: ProjectId,
) -> Result<Option<Project>, StorageError> {
    Ok(PROJECTS
        .read(txn)?
        .get(&id)?
        .map(|project| project.shown(id)))
}

pub(super) fn id_of_name<T: Transaction>(
    txn: &T,
    name: &str,
) -> Result<Option<ProjectId>, StorageError> {
    Ok(NAMES
        .read(txn)?
        .get(&folded(name))?
        .map(ProjectId::from_bytes))
}

/// Up to `limit` of the visible projects after `after`, oldest first.
pub(super) fn projects<T: Transaction>(
    txn: &T,
    visible: &Visible,
    after: Option<ProjectId>,
    limit: usize,
) -> Result<Vec<Project>, StorageError> {
    match visible {
        Visible::All => {
            let projects = PROJECTS.read(txn)?;
            let rows = match after {
                Some(after) => projects.prefix_after(&(), &after)?,
                None => projects.all()?,
            };
            rows.take(limit)
                .map(|row| row.map(|(id, project)| project.shown(id)))
                .collect()
        }
        Visible::Only(ids) => {
            let start = after.map_or(Bound::Unbounded, Bound::Excluded);
            let found = ids
                .range((start, Bound::Unbounded))
                .filter_map(|id| project(txn, *id).transpose());
            found.take(limit).collect()
        }
    }
}

/// Stores a project under its name, new or in place of `before`; refuses a name that another project has.
pub(super) fn put(
    wtxn: &WriteTxn,
    id: ProjectId,
    project: &StoredProject,
    before: Option<&Project>,
) -> Result<(), ProjectsError> {
    let mut names = NAMES.write(wtxn)?;
    let name = folded(&project.name);
    if names.get(&name)?.is_some_and(|owner| owner != id.bytes()) {
        return Err(ProjectsError::NameTaken(project.name.clone()));
    }
    if let Some(before) = before {
        names.remove(&folded(&before.name))?;
    }
    names.put(&name, &id.bytes())?;
    Ok(PROJECTS.write(wtxn)?.put(&id, project)?)
}
