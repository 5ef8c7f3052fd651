//! Changes a job.

use super::error::JobsError;
use super::handle::Jobs;
use super::{rules, store};
use crate::accounts::{Principal, Refusal, require};
use crate::events;
use testhide_protocol::JobId;
use testhide_protocol::api::{Event, Job, ProjectPermission, UpdateJob};

impl Jobs {
    /// Changes what `update` names; a change to what it is already leaves no event. Builds that exist keep their definition.
    ///
    /// # Errors
    /// [`JobsError::Refused`] without WRITE in its project, [`JobsError::NameTaken`], and a name or definition that cannot be.
    pub async fn update(
        &self,
        principal: &Principal,
        id: JobId,
        update: UpdateJob,
    ) -> Result<Job, JobsError> {
        let job = self.resolve(principal, id)?;
        require(principal, ProjectPermission::Write, job.project_id)?;
        update.name.as_deref().map_or(Ok(()), rules::check_name)?;
        update
            .definition
            .as_ref()
            .map_or(Ok(()), rules::check_definition)?;
        let now = self.clock.now();
        let written = self.storage.write(move |wtxn| {
            // Read again, because another change may have come first.
            let before = store::job(wtxn, id)?.ok_or(Refusal::Invisible)?;
            let after = changed(&before, &update);
            if after != before {
                store::put(wtxn, &after, Some(&before))?;
                events::append(
                    wtxn,
                    now,
                    Some(after.project_id),
                    &Event::JobChanged { job: id },
                )?;
            }
            Ok::<_, JobsError>(after)
        });
        written.await
    }
}

fn changed(job: &Job, update: &UpdateJob) -> Job {
    let mut job = job.clone();
    if let Some(name) = &update.name {
        job.name.clone_from(name);
    }
    if let Some(definition) = &update.definition {
        job.definition.clone_from(definition);
    }
    if let Some(enabled) = update.enabled {
        job.enabled = enabled;
    }
    job
}
