//! Finds projects.

use super::error::ProjectsError;
use super::handle::Projects;
use super::store;
use crate::accounts::{Principal, Refusal, require};
use testhide_protocol::ProjectId;
use testhide_protocol::api::{Project, ProjectPermission};

impl Projects {
    /// The project with this id, whoever asks; for use inside the server.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn get(&self, id: ProjectId) -> Result<Option<Project>, ProjectsError> {
        Ok(self.storage.read(|rtxn| store::project(rtxn, id))?)
    }

    /// The project that `text` means, by id or by name, if the caller may see it.
    ///
    /// # Errors
    /// [`Refusal::Invisible`] when there is none or the caller may not see it.
    pub fn resolve(&self, principal: &Principal, text: &str) -> Result<Project, ProjectsError> {
        let found = self.storage.read(|rtxn| {
            let id = match text.parse() {
                Ok(id) => Some(id),
                Err(_) => store::id_of_name(rtxn, text)?,
            };
            id.map_or(Ok(None), |id| store::project(rtxn, id))
        });
        let project = found
            .map_err(ProjectsError::Storage)?
            .ok_or(Refusal::Invisible)?;
        require(principal, ProjectPermission::Read, project.id)?;
        Ok(project)
    }

    /// Up to `limit` of the projects that the caller may see after `after`, oldest first.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn list(
        &self,
        principal: &Principal,
        after: Option<ProjectId>,
        limit: usize,
    ) -> Result<Vec<Project>, ProjectsError> {
        let visible = principal.visible_projects();
        Ok(self
            .storage
            .read(|rtxn| store::projects(rtxn, &visible, after, limit))?)
    }
}
