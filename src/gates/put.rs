//! Makes a gate, or puts another in its place.

use super::check::{check_gate, field};
use super::error::GatesError;
use super::handle::Gates;
use super::store;
use crate::accounts::{Principal, Refusal, require};
use crate::events;
use testhide_protocol::api::{Event, Gate, Job, ProjectPermission, PutGate};
use testhide_protocol::{GateId, JobId, ProjectId};

impl Gates {
    /// Makes a gate in a project. Builds that ended are not evaluated by it before somebody asks.
    ///
    /// # Errors
    /// [`GatesError::Refused`] without WRITE in the project, [`GatesError::NameTaken`], [`GatesError::TooMany`], a gate that cannot
    /// be.
    pub async fn create(
        &self,
        principal: &Principal,
        project_id: ProjectId,
        new: PutGate,
    ) -> Result<Gate, GatesError> {
        require(principal, ProjectPermission::Write, project_id)?;
        check_gate(&new)?;
        if self.projects.get(project_id)?.is_none() {
            return Err(Refusal::Invisible.into());
        }
        let now = self.clock.now();
        let gate = Gate {
            id: GateId::generate(),
            project_id,
            job_id: self.job_of(principal, project_id, new.job.as_deref())?,
            job_name: None,
            name: new.name,
            description: new.description,
            enabled: new.enabled.unwrap_or(true),
            rules: new.rules,
            created_at: now,
            updated_at: now,
        };
        let written = self.storage.write(move |wtxn| {
            store::put(wtxn, &gate, None)?;
            let event = Event::GateCreated { gate: gate.id };
            events::append(wtxn, now, Some(project_id), &event)?;
            Ok::<_, GatesError>(gate.clone())
        });
        self.with_job(written.await?)
    }

    /// Puts another gate in the place of one, under the same id; one that says the same leaves no event. What was evaluated stays
    /// as it was.
    ///
    /// # Errors
    /// [`GatesError::NotFound`], [`GatesError::Refused`] without WRITE in its project, [`GatesError::NameTaken`], a gate that
    /// cannot be.
    pub async fn replace(
        &self,
        principal: &Principal,
        id: GateId,
        new: PutGate,
    ) -> Result<Gate, GatesError> {
        let project = self.resolve(principal, id)?.project_id;
        require(principal, ProjectPermission::Write, project)?;
        check_gate(&new)?;
        let job_id = self.job_of(principal, project, new.job.as_deref())?;
        let now = self.clock.now();
        let written = self.storage.write(move |wtxn| {
            // Read again, because another change may have come first.
            let before = store::gate(wtxn, id)?.ok_or(GatesError::NotFound(id))?;
            let mut after = Gate {
                job_id,
                name: new.name.clone(),
                description: new.description.clone(),
                enabled: new.enabled.unwrap_or(before.enabled),
                rules: new.rules.clone(),
                ..before.clone()
            };
            if after != before {
                after.updated_at = now;
                store::put(wtxn, &after, Some(&before))?;
                events::append(wtxn, now, Some(project), &Event::GateChanged { gate: id })?;
            }
            Ok::<_, GatesError>(after)
        });
        self.with_job(written.await?)
    }

    /// The job of the project that `text` means, by id or by name.
    fn job_of(
        &self,
        principal: &Principal,
        project: ProjectId,
        text: Option<&str>,
    ) -> Result<Option<JobId>, GatesError> {
        let Some(text) = text else {
            return Ok(None);
        };
        let found = match text.parse::<JobId>() {
            Ok(id) => self.jobs.get(id)?.filter(|job| job.project_id == project),
            Err(_) => {
                let jobs = self.jobs.list(principal, project, None, usize::MAX)?;
                let named = |job: &Job| job.name.eq_ignore_ascii_case(text);
                jobs.into_iter().find(named)
            }
        };
        let job = found.ok_or_else(|| {
            let shown: String = text.chars().take(100).collect();
            field(
                "job",
                format!("is `{shown}`, and the project has no such job"),
            )
        })?;
        Ok(Some(job.id))
    }
}
