//! Reading a whole log as its bytes were written.

use super::error::LogsError;
use super::page::Logs;
use super::store::CHUNKS;
use testhide_protocol::BuildId;

/// A cursor over the raw bytes of an attempt's log; holds one chunk at a time.
pub struct RawLog {
    logs: Logs,
    build: BuildId,
    attempt: u32,
    next: u64,
    end: u64,
}

impl RawLog {
    /// The log as it is now; what is appended later is not read.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn new(logs: Logs, build: BuildId, attempt: u32) -> Result<Self, LogsError> {
        let end = logs.head(build, attempt)?.bytes;
        Ok(Self {
            logs,
            build,
            attempt,
            next: 0,
            end,
        })
    }

    /// Bytes of the whole log.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.end
    }

    /// Whether the log has no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// The next bytes; `None` at the end. Blocks for a disk read.
    ///
    /// # Errors
    /// Damaged chunks, failures of the store.
    pub fn next_bytes(&mut self) -> Result<Option<Vec<u8>>, LogsError> {
        if self.next >= self.end {
            return Ok(None);
        }
        let key = (self.build, self.attempt, self.next);
        let raw = self.logs.storage.read(|rtxn| {
            let Some(chunk) = CHUNKS.read(rtxn)?.get(&key)? else {
                return Ok(None);
            };
            self.logs.raw_of(self.next, &chunk).map(Some)
        })?;
        let Some(raw) = raw else {
            return Err(LogsError::Gap {
                stored: self.next,
                offset: self.end,
            });
        };
        self.next += raw.len() as u64;
        Ok(Some(raw))
    }
}
