//! Journal records on their way into the store, and what became of them.

use crate::logs::PlacedChunk;
use crate::reports::PreparedReport;
use crate::storage::StoredFile;
use std::sync::Arc;
use testhide_protocol::Timestamp;
use testhide_protocol::wire::{Lease, RecordBody};

/// One journal record, with its bulk bytes already on disk.
#[derive(Debug, Clone)]
pub enum Entry {
    /// A stretch of the log.
    Chunk(PlacedChunk),
    /// A step or the end.
    Body(RecordBody),
    /// A report that was read.
    Report {
        /// It.
        report: Arc<PreparedReport>,
        /// Step that delivered it.
        step: u32,
        /// When its file was written, by the agent's clock.
        modified_at: Option<Timestamp>,
        /// Whether the agent put it together from what a killed reporter left.
        partial: bool,
    },
    /// A report file that could not be read; the file is kept.
    Unreadable {
        /// Step that delivered it.
        step: u32,
        /// Its path.
        path: String,
        /// Its bytes.
        file: StoredFile,
        /// What is wrong with it.
        reason: String,
    },
    /// A file that is not kept. Its step fails, and the build does not pass.
    Refused {
        /// Step that delivered it.
        step: u32,
        /// Why, as a sentence that names the file.
        reason: String,
    },
    /// A file to keep.
    Artifact {
        /// Step that delivered it.
        step: u32,
        /// Its path, clean.
        path: String,
        /// Its bytes.
        file: StoredFile,
    },
}

/// Consecutive records of one attempt.
#[derive(Debug, Clone)]
pub struct JournalBatch {
    /// Under which right.
    pub lease: Lease,
    /// Records with their place in the journal.
    pub entries: Vec<(u64, Entry)>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppliedBatch {
    /// The last record that is stored now.
    pub seq: u64,
    /// What was not believed and kept otherwise, in words.
    pub doubts: Vec<String>,
    /// Whether the attempt ended with it.
    pub(super) ended: bool,
}
