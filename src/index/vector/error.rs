//! What can go wrong with the vector index.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A failed operation on a [`VectorIndex`](super::VectorIndex). The index stays usable.
#[derive(Debug, thiserror::Error)]
pub enum VectorError {
    /// The vector has another length than the index was opened with.
    #[error("the vector has {actual} dimensions, the index has {expected}")]
    WrongDimensions {
        /// Dimensions of the index.
        expected: usize,
        /// Dimensions of the vector.
        actual: usize,
    },
    /// The vector has no direction: it is zero or holds a number that is not finite.
    #[error("the vector is zero or not finite, it has no direction to compare")]
    NoDirection,
    /// The largest key marks removed entries inside the engine.
    #[error("key `{0}` is reserved")]
    ReservedKey(u64),
    /// A file or directory could not be read or written.
    #[error("failed to {doing} `{}`", path.display())]
    Io {
        /// What was attempted, as a verb.
        doing: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// The engine refused: memory could not be had, or it found itself inconsistent.
    #[error("failed to {doing}: {message}")]
    Engine {
        /// What was attempted, as a verb.
        doing: &'static str,
        /// The engine's words.
        message: String,
    },
}

impl VectorError {
    pub(super) fn engine(doing: &'static str, answer: &dyn fmt::Display) -> Self {
        Self::Engine {
            doing,
            message: answer.to_string(),
        }
    }

    pub(super) fn io(doing: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io {
            doing,
            path: path.to_path_buf(),
            source,
        }
    }
}
