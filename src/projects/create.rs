//! Makes a project.

use super::error::ProjectsError;
use super::handle::Projects;
use super::model::StoredProject;
use super::{rules, store};
use crate::accounts::{GlobalPermission, Principal, grant_creator, require_global};
use crate::events;
use testhide_protocol::ProjectId;
use testhide_protocol::api::{CreateProject, Event, Project};

impl Projects {
    /// Makes a project in which the caller may do everything.
    ///
    /// # Errors
    /// [`ProjectsError::NameTaken`], also by a project that the caller does not see, and a name or description that cannot be.
    pub async fn create(
        &self,
        principal: &Principal,
        new: CreateProject,
    ) -> Result<Project, ProjectsError> {
        require_global(principal, GlobalPermission::ProjectsWrite)?;
        rules::check_name(&new.name)?;
        rules::check_description(&new.description)?;
        let (id, creator) = (ProjectId::generate(), principal.user);
        let project = StoredProject {
            name: new.name,
            description: new.description,
            created_at: self.clock.now(),
        };
        let written = self.storage.write(move |wtxn| {
            store::put(wtxn, id, &project, None)?;
            grant_creator(wtxn, creator, id)?;
            events::append(
                wtxn,
                project.created_at,
                Some(id),
                &Event::ProjectCreated { project: id },
            )?;
            Ok::<_, ProjectsError>(project.clone().shown(id))
        });
        written.await
    }
}
