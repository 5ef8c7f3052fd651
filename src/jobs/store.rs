//! Tables of jobs.

use super::error::JobsError;
use super::model::StoredJob;
use crate::storage::{StorageError, Table, TableCheck, Transaction, WriteTxn};
use testhide_protocol::api::Job;
use testhide_protocol::{JobId, ProjectId};

const JOBS: Table<JobId, StoredJob> = Table::new("jobs");

/// The jobs of each project.
const OF_PROJECT: Table<(ProjectId, JobId), ()> = Table::new("jobs_of_project");

/// (project, folded name) -> job.
const NAMES: Table<(ProjectId, String), [u8; 16]> = Table::new("job_names");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[JOBS.check(), OF_PROJECT.check(), NAMES.check()];

pub(super) fn job<T: Transaction>(txn: &T, id: JobId) -> Result<Option<Job>, StorageError> {
    JOBS.read(txn)?
        .get(&id)?
        .map(|job| job.shown(id))
        .transpose()
}

/// Up to `limit` jobs of `project` after `after`, oldest first.
pub(super) fn jobs<T: Transaction>(
    txn: &T,
    project: ProjectId,
    after: Option<JobId>,
    limit: usize,
) -> Result<Vec<Job>, StorageError> {
    let of_project = OF_PROJECT.read(txn)?;
    let rows = match after {
        Some(after) => of_project.prefix_after(&project, &(project, after))?,
        None => of_project.prefix(&project)?,
    };
    let mut jobs = Vec::new();
    for row in rows.take(limit) {
        let ((_, id), ()) = row?;
        jobs.extend(job(txn, id)?);
    }
    Ok(jobs)
}

/// Stores a job under its name, new or in place of `before`; refuses a name that another job of the project has.
pub(super) fn put(wtxn: &WriteTxn, job: &Job, before: Option<&Job>) -> Result<(), JobsError> {
    let mut names = NAMES.write(wtxn)?;
    let key = name_key(job);
    if names
        .get(&key)?
        .is_some_and(|owner| owner != job.id.bytes())
    {
        return Err(JobsError::NameTaken(job.name.clone()));
    }
    if let Some(before) = before {
        names.remove(&name_key(before))?;
    }
    names.put(&key, &job.id.bytes())?;
    OF_PROJECT
        .write(wtxn)?
        .put(&(job.project_id, job.id), &())?;
    Ok(JOBS.write(wtxn)?.put(&job.id, &job.into())?)
}

fn name_key(job: &Job) -> (ProjectId, String) {
    (job.project_id, job.name.to_ascii_lowercase())
}
