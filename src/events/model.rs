//! Stored shapes of the event log.

use crate::storage::Record;
use serde::{Deserialize, Serialize};
use testhide_protocol::{ProjectId, Timestamp};

/// An event as stored. The payload is the JSON of `testhide_protocol::api::Event`: it is read back by every later version,
/// and JSON takes new fields without a rewrite.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredEvent {
    pub time: Timestamp,
    pub project: Option<ProjectId>,
    pub payload: Vec<u8>,
}
impl Record for StoredEvent {}

/// An event that kept failing in one consumer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredParked {
    pub error: String,
    pub parked_at: Timestamp,
}
impl Record for StoredParked {}
