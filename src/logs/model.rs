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
    /// Lines that have ended.
    pub ended: u64,
    /// Bytes of the line that has not.
    pub open: u32,
    /// Whether nothing will follow.
    pub complete: bool,
}
impl Record for LogHead {}

impl LogHead {
    /// Lines that will not change any more: a last line without its end counts once nothing will follow.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.ended + u64::from(self.complete && self.open > 0)
    }
}

/// A chunk as the state remembers it, under (build, attempt, offset).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredChunk {
    pub raw_len: u32,
    /// Lines that end before this chunk in the log.
    pub lines_before: u64,
    /// Bytes before this chunk of the line that is open there.
    pub open_before: u32,
    pub step: u32,
    pub time: Timestamp,
    pub elapsed_ms: u64,
    /// Stream and length of each run of bytes.
    pub segments: Vec<(Stream, u32)>,
    /// The zstd frame.
    pub place: VolumeRef,
}
impl Record for StoredChunk {
    fn places(&self) -> Vec<VolumeRef> {
        vec![self.place]
    }
}
