//! What can go wrong with projects, and how HTTP says it.

use super::rules::BadProject;
use crate::accounts::Refusal;
use crate::storage::StorageError;
use crate::web::ApiError;

/// A refusal or failure of projects; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ProjectsError {
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no such project for the caller, or it may not do this to it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A name or description that cannot be.
    #[error(transparent)]
    Invalid(#[from] BadProject),
    /// Another project has this name.
    #[error("there is a project `{0}` already")]
    NameTaken(String),
}

impl From<ProjectsError> for ApiError {
    fn from(error: ProjectsError) -> Self {
        let text = error.to_string();
        match error {
            ProjectsError::Storage(error) => error.into(),
            ProjectsError::Refused(refusal) => refusal.into(),
            ProjectsError::Invalid(BadProject::Name) => Self::invalid("invalid_name", text),
            ProjectsError::Invalid(BadProject::Description) => {
                Self::invalid("invalid_description", text)
            }
            ProjectsError::NameTaken(_) => Self::conflict("name_taken", text),
        }
    }
}
