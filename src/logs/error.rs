//! What can go wrong with logs.

use crate::storage::StorageError;
use crate::web::ApiError;
use testhide_protocol::wire::ChunkError;

/// A failure around logs.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The chunk is not what it says.
    #[error(transparent)]
    Chunk(#[from] ChunkError),
    /// The chunk does not begin where the log ends.
    #[error("log has {stored} bytes, the chunk begins at {offset}")]
    Gap {
        /// Bytes that are there.
        stored: u64,
        /// Where the chunk begins.
        offset: u64,
    },
    /// Line numbers count from 1.
    #[error("lines count from 1")]
    LineZero,
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<LogsError> for ApiError {
    fn from(error: LogsError) -> Self {
        match error {
            LogsError::LineZero => Self::invalid("invalid_line", error.to_string()),
            LogsError::Storage(error) => error.into(),
            LogsError::Chunk(_) | LogsError::Gap { .. } => Self::internal(&error),
        }
    }
}
