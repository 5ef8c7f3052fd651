//! Makes a job.

use super::error::JobsError;
use super::handle::Jobs;
use super::{rules, store};
use crate::accounts::{Principal, Refusal, require};
use crate::events;
use testhide_protocol::api::{CreateJob, Event, Job, ProjectPermission};
use testhide_protocol::{JobId, ProjectId};

impl Jobs {
    /// Makes an enabled job in a project.
    ///
    /// # Errors
    /// [`JobsError::Refused`] without WRITE in the project, [`JobsError::NameTaken`], and a name or definition that cannot be.
    pub async fn create(
        &self,
        principal: &Principal,
        project_id: ProjectId,
        new: CreateJob,
    ) -> Result<Job, JobsError> {
        require(principal, ProjectPermission::Write, project_id)?;
        rules::check_name(&new.name)?;
        rules::check_definition(&new.definition)?;
        if self.projects.get(project_id)?.is_none() {
            return Err(Refusal::Invisible.into());
        }
        let job = Job {
            id: JobId::generate(),
            project_id,
            name: new.name,
            definition: new.definition,
            enabled: true,
            created_at: self.clock.now(),
        };
        let written = self.storage.write(move |wtxn| {
            store::put(wtxn, &job, None)?;
            events::append(
                wtxn,
                job.created_at,
                Some(project_id),
                &Event::JobCreated { job: job.id },
            )?;
            Ok::<_, JobsError>(job.clone())
        });
        written.await
    }
}
