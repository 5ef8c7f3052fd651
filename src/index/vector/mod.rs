//! Nearest neighbours of vectors: a usearch index in memory with a checked snapshot on disk.
//!
//! Like every index it is derived: what it holds can be made again from the store, so it never refuses to open. A
//! snapshot names the last event it contains; the caller replays what came after.

mod error;
mod permits;
mod snapshot;
mod vector_index;

pub use error::VectorError;
pub use vector_index::{Opened, VectorIndex};
