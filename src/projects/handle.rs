//! The handle that the rest of the server holds.

use crate::kit::Clock;
use crate::storage::Storage;

/// Projects; clones share them.
#[derive(Clone)]
pub struct Projects {
    pub(super) storage: Storage,
    pub(super) clock: Clock,
}

impl Projects {
    /// The projects in `storage`.
    #[must_use]
    pub fn new(storage: Storage, clock: Clock) -> Self {
        Self { storage, clock }
    }
}
