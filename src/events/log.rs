//! Appending to the log and reading it.

use super::consume::{CURSORS, PARKED};
use super::model::StoredEvent;
use crate::storage::{Storage, StorageError, Table, TableCheck, Transaction, Watched, WriteTxn};
use std::sync::Arc;
use std::time::Duration;
use testhide_protocol::api::{Event, EventRecord};
use testhide_protocol::{ProjectId, Timestamp};

pub(super) const EVENTS: Table<u64, StoredEvent> = Table::new("events");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[EVENTS.check(), CURSORS.check(), PARKED.check()];

/// Appends an event in the caller's transaction; answers its sequence number.
///
/// # Errors
/// Failures of the store.
pub fn append(
    wtxn: &WriteTxn,
    time: Timestamp,
    project: Option<ProjectId>,
    event: &Event,
) -> Result<u64, StorageError> {
    let mut events = EVENTS.write(wtxn)?;
    let seq = events.last()?.map_or(1, |(last, _)| last + 1);
    let payload =
        serde_json::to_vec(event).expect("an event has no map with keys that are not text");
    events.put(
        &seq,
        &StoredEvent {
            time,
            project,
            payload,
        },
    )?;
    Ok(seq)
}

/// Readers' view of the log; clones share it.
#[derive(Clone)]
pub struct EventLog {
    storage: Storage,
    /// The last number, for those who wait for the next.
    newest: Arc<Watched<u64>>,
}

impl EventLog {
    /// The log in `storage`.
    #[must_use]
    pub fn new(storage: Storage) -> Self {
        Self {
            storage,
            newest: Arc::default(),
        }
    }

    /// Sequence number of the last event; 0 when there is none.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn last(&self) -> Result<u64, StorageError> {
        self.storage.read(last_of)
    }

    /// Up to `limit` events after sequence number `seq`, in order.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn after(&self, seq: u64, limit: usize) -> Result<Vec<EventRecord>, StorageError> {
        self.storage.read(|rtxn| {
            let events = EVENTS.read(rtxn)?;
            events
                .prefix_after(&(), &seq)?
                .take(limit)
                .map(|row| row.and_then(|(seq, stored)| record(seq, &stored)))
                .collect()
        })
    }

    /// One event.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn get(&self, seq: u64) -> Result<Option<EventRecord>, StorageError> {
        self.storage.read(|rtxn| {
            EVENTS
                .read(rtxn)?
                .get(&seq)?
                .map(|stored| record(seq, &stored))
                .transpose()
        })
    }

    /// Returns once there is an event after `seq`, or when `patience` is over.
    ///
    /// # Errors
    /// Failures of the store, and [`StorageError::Closing`] when the writer has ended.
    pub async fn wait_after(&self, seq: u64, patience: Duration) -> Result<(), StorageError> {
        let waiting = self
            .newest
            .until(&self.storage, last_of, |last| *last > seq);
        tokio::time::timeout(patience, waiting)
            .await
            .map_or(Ok(()), |found| found.map(drop))
    }
}

pub(super) fn last_of<T: Transaction>(txn: &T) -> Result<u64, StorageError> {
    Ok(EVENTS.read(txn)?.last()?.map_or(0, |(seq, _)| seq))
}

fn record(seq: u64, stored: &StoredEvent) -> Result<EventRecord, StorageError> {
    let event = serde_json::from_slice(&stored.payload).map_err(|error| StorageError::Corrupt {
        table: "events".into(),
        what: error.to_string(),
    })?;
    Ok(EventRecord {
        seq,
        time: stored.time,
        project_id: stored.project,
        event,
    })
}
