//! The chain in the store, and the handle to it.

use super::chain::{BEFORE_FIRST, hash_of, hex};
use super::model::Entry;
use super::refusals::Refusals;
use crate::kit::Clock;
use crate::storage::{Record, Storage, StorageError, Table, TableCheck, WriteTxn};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use testhide_protocol::Timestamp;
use testhide_protocol::api::AuditEntry;

/// Entries by their number.
pub(super) const ENTRIES: Table<u64, StoredEntry> = Table::new("audit");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[ENTRIES.check()];

/// An entry as it was hashed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredEntry {
    /// JSON of [`AuditEntry`] without its hash.
    pub body: Vec<u8>,
    /// BLAKE3 of the body.
    pub hash: [u8; 32],
}
impl Record for StoredEntry {}

/// The audit log; clones share it.
#[derive(Clone)]
pub struct Audit {
    pub(super) storage: Storage,
    pub(super) clock: Clock,
    pub(super) refusals: Arc<Refusals>,
}

impl Audit {
    /// The audit log in `storage`.
    #[must_use]
    pub fn new(storage: Storage, clock: Clock) -> Self {
        Self {
            storage,
            refusals: Arc::new(Refusals::new(clock.clone())),
            clock,
        }
    }

    /// Writes a refusal down, in full or as a count: few of one kind from one place are written in full, the others are counted and
    /// written together later ([`Audit::write_counts`]). A store that cannot take it loses it, and says so in the
    /// server's log.
    pub async fn refused(&self, entry: Entry) {
        if let Some(entry) = self.refusals.note(entry) {
            self.write(vec![entry]).await;
        }
    }

    /// Writes down how many refusals were only counted; called every minute.
    pub async fn write_counts(&self) {
        let counted = self.refusals.counted();
        if !counted.is_empty() {
            self.write(counted).await;
        }
    }

    async fn write(&self, entries: Vec<Entry>) {
        let now = self.clock.now();
        let written = self.storage.write(move |wtxn| {
            for entry in &entries {
                append(wtxn, now, entry)?;
            }
            Ok::<_, StorageError>(())
        });
        if let Err(error) = written.await {
            tracing::warn!("failed to write a refusal into the audit log: {error}");
        }
    }
}

/// Appends an entry in the caller's transaction, behind the last one; answers its number.
///
/// # Errors
/// Failures of the store.
pub fn append(wtxn: &WriteTxn, now: Timestamp, entry: &Entry) -> Result<u64, StorageError> {
    let mut entries = ENTRIES.write(wtxn)?;
    let (seq, previous) = match entries.last()? {
        Some((last, stored)) => (last + 1, stored.hash),
        None => (1, BEFORE_FIRST),
    };
    let entry = entry.clone();
    let body = AuditEntry {
        seq,
        time: now,
        actor: entry.actor,
        address: entry.address.map(|address| address.to_string()),
        action: entry.action.to_owned(),
        object: entry.object,
        outcome: entry.outcome,
        code: entry.code.map(str::to_owned),
        changes: entry.changes,
        reason: entry.reason,
        times: entry.times,
        previous: hex(&previous),
        hash: String::new(),
    };
    let body = serde_json::to_vec(&body).expect("an entry has no map with keys that are not text");
    let hash = hash_of(&body);
    entries.put(&seq, &StoredEntry { body, hash })?;
    Ok(seq)
}
