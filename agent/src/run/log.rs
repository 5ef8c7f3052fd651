//! The attempt's log: the agent's own words between what the steps write.

use std::time::Instant;

use testhide_protocol::api::Stream;
use testhide_protocol::wire::{MAX_CHUNK_RAW, Segment};

use super::harvest::Harvest;
use crate::clock;
use crate::spool::{JournalWriter, RawChunk};

/// Writes the log of one attempt.
pub(crate) struct Log {
    journal: JournalWriter,
    /// When the attempt began, by the monotonic clock.
    began: Instant,
    /// Step that writes now.
    step: u32,
    /// Whether the log ends inside a line.
    open_line: bool,
    /// What reporters print.
    printed: Harvest,
}

impl Log {
    /// A log that begins at `began`.
    pub(crate) fn new(journal: JournalWriter, began: Instant) -> Self {
        Self {
            journal,
            began,
            step: 0,
            open_line: false,
            printed: Harvest::new(),
        }
    }

    /// Where records go.
    pub(crate) fn journal(&self) -> &JournalWriter {
        &self.journal
    }

    /// What follows belongs to this step.
    pub(crate) fn set_step(&mut self, step: u32) {
        self.step = step;
    }

    /// Looks at what pipe 0 or 1 of a step has just given, whole and unchanged.
    pub(crate) fn look_at(&mut self, pipe: usize, bytes: &[u8]) {
        self.printed.read(pipe, bytes);
    }

    /// Tells of the failures that the step's reporter printed.
    pub(crate) async fn tell_printed(&mut self) {
        for record in self.printed.take(self.step) {
            self.journal.record(record).await;
        }
    }

    /// Goes on behind what an earlier agent process wrote.
    pub(crate) fn set_open_line(&mut self, open_line: bool) {
        self.open_line = open_line;
    }

    /// Milliseconds since the attempt began.
    pub(crate) fn elapsed_ms(&self) -> u64 {
        clock::millis_since(self.began)
    }

    /// The agent's own words, on lines of their own.
    pub(crate) async fn say(&mut self, text: &str) {
        let mut bytes = Vec::with_capacity(text.len() + 2);
        if self.open_line {
            bytes.push(b'\n');
        }
        bytes.extend_from_slice(text.as_bytes());
        bytes.truncate(MAX_CHUNK_RAW - 1);
        if bytes.last() != Some(&b'\n') {
            bytes.push(b'\n');
        }
        let len = u32::try_from(bytes.len()).expect("cut to a chunk's length above");
        let segments = vec![Segment {
            stream: Stream::System,
            len,
        }];
        let (time, elapsed_ms) = (clock::now(), self.elapsed_ms());
        self.write(Cut {
            bytes,
            segments,
            time,
            elapsed_ms,
        })
        .await;
    }

    /// A stretch of output.
    pub(crate) async fn write(&mut self, cut: Cut) {
        self.open_line = cut.bytes.last() != Some(&b'\n');
        let Cut {
            bytes,
            segments,
            time,
            elapsed_ms,
        } = cut;
        self.journal
            .chunk(RawChunk {
                bytes,
                segments,
                step: self.step,
                time,
                elapsed_ms,
            })
            .await;
    }
}

/// A stretch of output with the moment of its first byte.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The bytes, at least one and at most a chunk's.
    pub(crate) bytes: Vec<u8>,
    /// Their streams.
    pub(crate) segments: Vec<Segment>,
    /// Wall clock.
    pub(crate) time: testhide_protocol::Timestamp,
    /// Monotonic clock, since the attempt began.
    pub(crate) elapsed_ms: u64,
}
