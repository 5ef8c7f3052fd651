//! Stored shape of a job.

use crate::storage::{Record, StorageError};
use serde::{Deserialize, Serialize};
use testhide_protocol::api::{Job, JobDefinition};
use testhide_protocol::{JobId, ProjectId, Timestamp};

/// A job.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredJob {
    pub project: ProjectId,
    /// As it was given; compared in its folded form.
    pub name: String,
    /// The definition as JSON: its tagged enums have no other form, and JSON takes new fields without a rewrite.
    pub definition: Vec<u8>,
    pub enabled: bool,
    pub created_at: Timestamp,
}
impl Record for StoredJob {}

impl From<&Job> for StoredJob {
    fn from(job: &Job) -> Self {
        Self {
            project: job.project_id,
            name: job.name.clone(),
            definition: definition_bytes(&job.definition),
            enabled: job.enabled,
            created_at: job.created_at,
        }
    }
}

impl StoredJob {
    /// As the API shows it.
    pub(super) fn shown(self, id: JobId) -> Result<Job, StorageError> {
        let definition =
            serde_json::from_slice(&self.definition).map_err(|error| StorageError::Corrupt {
                table: "jobs".into(),
                what: error.to_string(),
            })?;
        Ok(Job {
            id,
            project_id: self.project,
            name: self.name,
            definition,
            enabled: self.enabled,
            created_at: self.created_at,
        })
    }
}

/// A definition's JSON.
pub(super) fn definition_bytes(definition: &JobDefinition) -> Vec<u8> {
    serde_json::to_vec(definition).expect("a definition has no map with keys that are not text")
}
