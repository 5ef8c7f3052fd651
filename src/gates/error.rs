//! What can go wrong with gates, and how HTTP says it.

use super::check::BadGate;
use crate::accounts::Refusal;
use crate::builds::BuildsError;
use crate::history::HistoryError;
use crate::jobs::JobsError;
use crate::projects::ProjectsError;
use crate::reports::ReportsError;
use crate::storage::StorageError;
use crate::web::ApiError;
use testhide_protocol::GateId;

/// A refusal or failure of gates; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum GatesError {
    /// There is no such gate, or the caller may not see it.
    #[error("there is no gate `{0}`")]
    NotFound(GateId),
    /// A gate that cannot be.
    #[error(transparent)]
    Invalid(#[from] BadGate),
    /// Another gate of the project has this name.
    #[error("there is a gate `{0}` in this project already")]
    NameTaken(String),
    /// The project has as many as it may.
    #[error("the project has {0} gates, and that is the most")]
    TooMany(usize),
    /// Nobody has evaluated the build yet.
    #[error("build {0} was not evaluated: it has not ended, or no gate was for it when it did")]
    NotEvaluated(u64),
    /// The caller may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Projects.
    #[error(transparent)]
    Projects(#[from] ProjectsError),
    /// Jobs.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// Builds.
    #[error(transparent)]
    Builds(#[from] BuildsError),
    /// Reports.
    #[error(transparent)]
    Reports(#[from] ReportsError),
    /// History.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// A thread ended without an answer.
    #[error("the evaluation failed: {0}")]
    Panicked(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl GatesError {
    /// Whether the store takes or gives nothing at this moment, which says nothing about what is in it.
    pub(super) fn is_temporary(&self) -> bool {
        let (Self::Storage(error)
        | Self::Reports(ReportsError::Storage(error))
        | Self::History(HistoryError::Storage(error))
        | Self::Builds(BuildsError::Storage(error))
        | Self::Jobs(JobsError::Storage(error))) = self
        else {
            return false;
        };
        error.is_temporary()
    }
}

impl From<GatesError> for ApiError {
    fn from(error: GatesError) -> Self {
        let text = error.to_string();
        match error {
            GatesError::NotFound(_) => Self::not_found("gate_not_found", text),
            GatesError::Invalid(BadGate::Name) => Self::invalid("invalid_name", text),
            GatesError::Invalid(BadGate::Field { .. }) => Self::invalid("invalid_gate", text),
            GatesError::NameTaken(_) => Self::conflict("name_taken", text),
            GatesError::TooMany(_) => Self::conflict("too_many_gates", text),
            GatesError::NotEvaluated(_) => Self::not_found("not_evaluated", text)
                .hint("evaluate it with `testhide gate evaluate BUILD` or over the API"),
            GatesError::Refused(refusal) => refusal.into(),
            GatesError::Projects(error) => error.into(),
            GatesError::Jobs(error) => error.into(),
            GatesError::Builds(error) => error.into(),
            GatesError::Reports(error) => error.into(),
            GatesError::History(error) => error.into(),
            GatesError::Panicked(_) => Self::internal(&text),
            GatesError::Storage(error) => error.into(),
        }
    }
}
