//! Stored shapes of logs.

use crate::storage::{Record, VolumeRef};
use serde::{Deserialize, Serialize};
use testhide_protocol::Timestamp;
use testhide_protocol::api::Stream;

/// How far an attempt's log is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogHead {
    /// Raw bytes.
    pub bytes: u64,
    /// Line ends among them.
    pub newlines: u64,
    /// Whether the last byte is a line end.
    pub ends_with_newline: bool,
    /// Whether nothing will follow.
    pub complete: bool,
}
impl Record for LogHead {}

impl LogHead {
    /// Lines that will not change any more: a last line without its end counts once nothing will follow.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.newlines + u64::from(self.complete && self.bytes > 0 && !self.ends_with_newline)
    }
}

/// A chunk as the state remembers it, under (build, attempt, offset).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredChunk {
    pub raw_len: u32,
    /// Line ends before this chunk in the log.
    pub newlines_before: u64,
    pub step: u32,
    pub time: Timestamp,
    pub elapsed_ms: u64,
    /// Stream and length of each run of bytes.
    pub segments: Vec<(Stream, u32)>,
    /// The zstd frame.
    pub place: VolumeRef,
}
impl Record for StoredChunk {}
