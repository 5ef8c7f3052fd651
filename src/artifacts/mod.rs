//! Files kept from builds: what `copy_artifacts` delivered.
//!
//! Bytes lie in the volumes; the state holds path, size and hash. A path under one attempt is kept once: the last delivery wins.

mod error;
mod model;
mod store;

pub use error::ArtifactsError;
pub use model::{ArtifactRecord, clean_path};
pub use store::{Artifacts, TABLES, keep, list};
