//! The handle that the rest of the server holds.

use crate::kit::Clock;
use crate::projects::Projects;
use crate::storage::Storage;

/// Jobs; clones share them.
#[derive(Clone)]
pub struct Jobs {
    pub(super) storage: Storage,
    pub(super) clock: Clock,
    pub(super) projects: Projects,
}

impl Jobs {
    /// The jobs in `storage`, of these projects.
    #[must_use]
    pub fn new(storage: Storage, clock: Clock, projects: Projects) -> Self {
        Self {
            storage,
            clock,
            projects,
        }
    }
}
