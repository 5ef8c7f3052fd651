//! Finds jobs.

use super::error::JobsError;
use super::handle::Jobs;
use super::store;
use crate::accounts::{Principal, Refusal, require};
use testhide_protocol::api::{Job, ProjectPermission};
use testhide_protocol::{JobId, ProjectId};

impl Jobs {
    /// The job with this id, whoever asks; for use inside the server.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn get(&self, id: JobId) -> Result<Option<Job>, JobsError> {
        Ok(self.storage.read(|rtxn| store::job(rtxn, id))?)
    }

    /// The job with this id, if the caller may see its project.
    ///
    /// # Errors
    /// [`Refusal::Invisible`] when there is none or the caller may not see it.
    pub fn resolve(&self, principal: &Principal, id: JobId) -> Result<Job, JobsError> {
        let job = self.get(id)?.ok_or(Refusal::Invisible)?;
        require(principal, ProjectPermission::Read, job.project_id)?;
        Ok(job)
    }

    /// Up to `limit` jobs of a project after `after`, oldest first.
    ///
    /// # Errors
    /// [`JobsError::Refused`] without READ in the project.
    pub fn list(
        &self,
        principal: &Principal,
        project: ProjectId,
        after: Option<JobId>,
        limit: usize,
    ) -> Result<Vec<Job>, JobsError> {
        require(principal, ProjectPermission::Read, project)?;
        Ok(self
            .storage
            .read(|rtxn| store::jobs(rtxn, project, after, limit))?)
    }
}
