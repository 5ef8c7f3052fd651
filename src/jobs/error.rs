//! What can go wrong with jobs, and how HTTP says it.

use super::rules::BadJob;
use crate::accounts::Refusal;
use crate::projects::ProjectsError;
use crate::storage::StorageError;
use crate::web::ApiError;

/// A refusal or failure of jobs; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum JobsError {
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// There is no such job for the caller, or it may not do this to it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A name or definition that cannot be.
    #[error(transparent)]
    Invalid(#[from] BadJob),
    /// Another job of the project has this name.
    #[error("there is a job `{0}` in this project already")]
    NameTaken(String),
    /// The job's project.
    #[error(transparent)]
    Project(#[from] ProjectsError),
}

impl From<JobsError> for ApiError {
    fn from(error: JobsError) -> Self {
        let text = error.to_string();
        match error {
            JobsError::Storage(error) => error.into(),
            JobsError::Refused(refusal) => refusal.into(),
            JobsError::Invalid(BadJob::Name) => Self::invalid("invalid_name", text),
            JobsError::Invalid(BadJob::NoSteps) => Self::invalid("job_without_steps", text)
                .hint("add at least one step, e.g. {\"type\": \"bash\", \"run\": \"make test\"}"),
            JobsError::Invalid(BadJob::TooLarge { .. } | BadJob::Field { .. }) => {
                Self::invalid("invalid_definition", text)
            }
            JobsError::NameTaken(_) => Self::conflict("name_taken", text),
            JobsError::Project(error) => error.into(),
        }
    }
}
