//! What can go wrong with the analysis, and how HTTP says it.

use crate::accounts::Refusal;
use crate::builds::BuildsError;
use crate::history::HistoryError;
use crate::index::VectorError;
use crate::jobs::JobsError;
use crate::reports::ReportsError;
use crate::storage::StorageError;
use crate::web::ApiError;
use testhide_protocol::ResultId;

/// A failure around verdicts, labels and their index.
#[derive(Debug, thiserror::Error)]
pub enum AnalysisError {
    /// There is no such result, or the caller may not see it.
    #[error("there is no result `{0}`")]
    ResultNotFound(ResultId),
    /// The result is no failure and no recovery.
    #[error("there is no verdict on `{0}`: it did not fail, and it had not failed before")]
    NoVerdict(ResultId),
    /// Only failures have a cause.
    #[error("`{0}` did not fail, so its failure has no cause")]
    NotAFailure(ResultId),
    /// A category that cannot be.
    #[error("a category has 1 to 60 characters that can be printed")]
    InvalidCategory,
    /// The caller may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Builds.
    #[error(transparent)]
    Builds(#[from] BuildsError),
    /// Jobs.
    #[error(transparent)]
    Jobs(#[from] JobsError),
    /// Reports.
    #[error(transparent)]
    Reports(#[from] ReportsError),
    /// History.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The vector index.
    #[error(transparent)]
    Vector(#[from] VectorError),
    /// A thread ended without an answer.
    #[error("the analysis failed: {0}")]
    Panicked(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<AnalysisError> for ApiError {
    fn from(error: AnalysisError) -> Self {
        let text = error.to_string();
        match error {
            AnalysisError::ResultNotFound(_) => Self::not_found("result_not_found", text),
            AnalysisError::NoVerdict(_) => Self::not_found("no_verdict", text),
            AnalysisError::NotAFailure(_) => Self::invalid("not_a_failure", text),
            AnalysisError::InvalidCategory => Self::invalid("invalid_category", text),
            AnalysisError::Refused(refusal) => refusal.into(),
            AnalysisError::Builds(error) => error.into(),
            AnalysisError::Jobs(error) => error.into(),
            AnalysisError::Reports(error) => error.into(),
            AnalysisError::History(error) => error.into(),
            AnalysisError::Vector(_) | AnalysisError::Panicked(_) => Self::internal(&text),
            AnalysisError::Storage(error) => error.into(),
        }
    }
}
