//! Stored shape of a project.

use crate::storage::Record;
use serde::{Deserialize, Serialize};
use testhide_protocol::api::Project;
use testhide_protocol::{ProjectId, Timestamp};

/// A project.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredProject {
    /// As it was given; compared in its folded form.
    pub name: String,
    pub description: String,
    pub created_at: Timestamp,
}
impl Record for StoredProject {}

impl StoredProject {
    /// As the API shows it.
    pub(super) fn shown(self, id: ProjectId) -> Project {
        Project {
            id,
            name: self.name,
            description: self.description,
            created_at: self.created_at,
        }
    }
}
