//! Why the text index could not be opened, written or searched.

use std::io;
use std::path::PathBuf;

use tantivy::TantivyError;

/// Why the text index could not be opened, written or searched.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The directory holds no readable index; `TextIndex::recreate` makes an empty one.
    #[error("text index `{path}` is damaged: {reason}")]
    Damaged {
        /// The directory.
        path: PathBuf,
        /// What could not be read.
        reason: String,
    },
    /// The index was written with other rules; `TextIndex::recreate` makes an empty one.
    #[error("text index `{path}` was written by another version")]
    OtherVersion {
        /// The directory.
        path: PathBuf,
    },
    /// Somebody else writes: there is one writer at a time.
    #[error("text index `{path}` already has a writer")]
    WriterTaken {
        /// The directory.
        path: PathBuf,
    },
    /// The directory could not be made or emptied.
    #[error("failed to prepare the text index directory `{path}`")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// The system's answer.
        #[source]
        source: io::Error,
    },
    /// An answer of the index could not be read; the index should be made again.
    #[error("the text index holds an unreadable record")]
    Record,
    /// The index failed; nothing of an unfinished commit is visible.
    #[error("the text index failed")]
    Engine(#[from] TantivyError),
}
