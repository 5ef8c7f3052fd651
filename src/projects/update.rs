//! Changes a project.

use super::error::ProjectsError;
use super::handle::Projects;
use super::model::StoredProject;
use super::{rules, store};
use crate::accounts::{Principal, Refusal, require};
use crate::events;
use testhide_protocol::ProjectId;
use testhide_protocol::api::{Event, Project, ProjectPermission, UpdateProject};

impl Projects {
    /// Changes what `update` names; a change to what it is already leaves no event.
    ///
    /// # Errors
    /// [`ProjectsError::Refused`] without WRITE, [`ProjectsError::NameTaken`], and a name or description that cannot be.
    pub async fn update(
        &self,
        principal: &Principal,
        id: ProjectId,
        update: UpdateProject,
    ) -> Result<Project, ProjectsError> {
        require(principal, ProjectPermission::Write, id)?;
        update.name.as_deref().map_or(Ok(()), rules::check_name)?;
        update
            .description
            .as_deref()
            .map_or(Ok(()), rules::check_description)?;
        let now = self.clock.now();
        let written = self.storage.write(move |wtxn| {
            let before = store::project(wtxn, id)?.ok_or(Refusal::Invisible)?;
            let after = Project {
                name: update.name.clone().unwrap_or_else(|| before.name.clone()),
                description: update
                    .description
                    .clone()
                    .unwrap_or_else(|| before.description.clone()),
                ..before
            };
            if after != before {
                let stored = StoredProject {
                    name: after.name.clone(),
                    description: after.description.clone(),
                    created_at: after.created_at,
                };
                store::put(wtxn, id, &stored, Some(&before))?;
                events::append(wtxn, now, Some(id), &Event::ProjectChanged { project: id })?;
            }
            Ok::<_, ProjectsError>(after)
        });
        written.await
    }
}
