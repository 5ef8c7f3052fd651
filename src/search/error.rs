//! What can go wrong with a search, and how HTTP says it.

use super::query::QueryError;
use crate::builds::BuildsError;
use crate::history::HistoryError;
use crate::index::IndexError;
use crate::logs::LogsError;
use crate::projects::ProjectsError;
use crate::reports::ReportsError;
use crate::storage::StorageError;
use crate::web::ApiError;

/// A failure around search.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The query cannot be read.
    #[error("{error}")]
    Query {
        /// Why, and where.
        #[source]
        error: QueryError,
        /// The query with a caret below the place.
        shown: String,
    },
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// Builds.
    #[error(transparent)]
    Builds(#[from] BuildsError),
    /// Reports.
    #[error(transparent)]
    Reports(#[from] ReportsError),
    /// History.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// Logs.
    #[error(transparent)]
    Logs(#[from] LogsError),
    /// Projects.
    #[error(transparent)]
    Projects(#[from] ProjectsError),
    /// A defect of the indexer, met at one event.
    #[error("{0}")]
    Panicked(String),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<SearchError> for ApiError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Query { error, shown } => {
                Self::invalid("invalid_search", error.to_string()).hint(shown)
            }
            SearchError::Index(error) => {
                Self::internal(&format!("{:#}", anyhow::Error::from(error)))
            }
            SearchError::Builds(error) => error.into(),
            SearchError::Reports(error) => error.into(),
            SearchError::History(error) => error.into(),
            SearchError::Logs(error) => error.into(),
            SearchError::Projects(error) => error.into(),
            SearchError::Panicked(what) => Self::internal(&what),
            SearchError::Storage(error) => error.into(),
        }
    }
}
