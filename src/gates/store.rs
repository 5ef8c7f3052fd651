//! Tables of gates and of evaluations.

use super::error::GatesError;
use super::model::{StoredEvaluation, StoredGate};
use crate::storage::{StorageError, Table, TableCheck, Transaction, WriteTxn};
use testhide_protocol::api::Gate;
use testhide_protocol::{BuildId, GateId, ProjectId};

/// Gates of one project; all of them are read for each build that ends.
const GATES_MAX: usize = 100;

const GATES: Table<GateId, StoredGate> = Table::new("gates");

/// The gates of each project.
const OF_PROJECT: Table<(ProjectId, GateId), ()> = Table::new("gates_of_project");

/// (project, folded name) -> gate.
const NAMES: Table<(ProjectId, String), [u8; 16]> = Table::new("gate_names");

/// The last evaluation of each build.
pub(super) const EVALUATIONS: Table<BuildId, StoredEvaluation> = Table::new("gate_evaluations");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[
    GATES.check(),
    OF_PROJECT.check(),
    NAMES.check(),
    EVALUATIONS.check(),
];

pub(super) fn gate<T: Transaction>(txn: &T, id: GateId) -> Result<Option<Gate>, StorageError> {
    GATES
        .read(txn)?
        .get(&id)?
        .map(|gate| gate.shown(id))
        .transpose()
}

/// Up to `limit` gates of `project` after `after`, oldest first.
pub(super) fn gates<T: Transaction>(
    txn: &T,
    project: ProjectId,
    after: Option<GateId>,
    limit: usize,
) -> Result<Vec<Gate>, StorageError> {
    let of_project = OF_PROJECT.read(txn)?;
    let rows = match after {
        Some(after) => of_project.prefix_after(&project, &(project, after))?,
        None => of_project.prefix(&project)?,
    };
    let mut gates = Vec::new();
    for row in rows.take(limit) {
        let ((_, id), ()) = row?;
        gates.extend(gate(txn, id)?);
    }
    Ok(gates)
}

/// Stores a gate under its name, new or in place of `before`; refuses a name that another gate of the project has, and a gate too
/// many.
pub(super) fn put(wtxn: &WriteTxn, gate: &Gate, before: Option<&Gate>) -> Result<(), GatesError> {
    let mut names = NAMES.write(wtxn)?;
    let key = name_key(gate);
    if names
        .get(&key)?
        .is_some_and(|owner| owner != gate.id.bytes())
    {
        return Err(GatesError::NameTaken(gate.name.clone()));
    }
    let mut of_project = OF_PROJECT.write(wtxn)?;
    match before {
        Some(before) => names.remove(&name_key(before)).map(drop)?,
        None if of_project.prefix(&gate.project_id)?.count() >= GATES_MAX => {
            return Err(GatesError::TooMany(GATES_MAX));
        }
        None => {}
    }
    names.put(&key, &gate.id.bytes())?;
    of_project.put(&(gate.project_id, gate.id), &())?;
    Ok(GATES.write(wtxn)?.put(&gate.id, &gate.into())?)
}

/// Removes a gate. What it said of builds stays with them.
pub(super) fn remove(wtxn: &WriteTxn, gate: &Gate) -> Result<(), StorageError> {
    NAMES.write(wtxn)?.remove(&name_key(gate))?;
    OF_PROJECT
        .write(wtxn)?
        .remove(&(gate.project_id, gate.id))?;
    GATES.write(wtxn)?.remove(&gate.id)?;
    Ok(())
}

fn name_key(gate: &Gate) -> (ProjectId, String) {
    (gate.project_id, gate.name.to_ascii_lowercase())
}
