//! What can go wrong with histories, and how HTTP says it.

use crate::accounts::Refusal;
use crate::projects::ProjectsError;
use crate::storage::StorageError;
use crate::web::ApiError;
use testhide_protocol::{AliasId, TestId};

/// A failure around tests and their runs.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// There is none of that id, or the caller may not see it.
    #[error("there is no test `{0}`")]
    TestNotFound(TestId),
    /// There is no alias of that id, or the caller may not see it.
    #[error("there is no alias `{0}`")]
    AliasNotFound(AliasId),
    /// It cannot be accepted beside those that are.
    #[error("the alias cannot be accepted: {0}")]
    AliasConflict(String),
    /// The caller may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Its project.
    #[error(transparent)]
    Projects(#[from] ProjectsError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<HistoryError> for ApiError {
    fn from(error: HistoryError) -> Self {
        match error {
            HistoryError::TestNotFound(_) => Self::not_found("test_not_found", error.to_string()),
            HistoryError::AliasNotFound(_) => Self::not_found("alias_not_found", error.to_string()),
            HistoryError::AliasConflict(_) => Self::conflict("alias_conflict", error.to_string())
                .hint("take the other alias back first"),
            HistoryError::Refused(refusal) => refusal.into(),
            HistoryError::Projects(error) => error.into(),
            HistoryError::Storage(error) => error.into(),
        }
    }
}
