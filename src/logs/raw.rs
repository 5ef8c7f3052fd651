//! Reading a log, or a part of it, as its bytes were written.

use super::error::LogsError;
use super::page::Logs;
use super::store::CHUNKS;
use std::ops::Range;
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
    /// The bytes in `range` of the log; what is appended later is not read.
    #[must_use]
    pub fn new(logs: Logs, build: BuildId, attempt: u32, range: Range<u64>) -> Self {
        Self {
            logs,
            build,
            attempt,
            next: range.start,
            end: range.end,
        }
    }

    /// The next bytes; `None` at the end. Blocks for a disk read.
    ///
    /// # Errors
    /// Damaged chunks, failures of the store.
    pub fn next_bytes(&mut self) -> Result<Option<Vec<u8>>, LogsError> {
        if self.next >= self.end {
            return Ok(None);
        }
        let log = (self.build, self.attempt);
        let found = self.logs.storage.read(|rtxn| {
            let table = CHUNKS.read(rtxn)?;
            let mut rows = table.prefix_up_to(&log, &(log.0, log.1, self.next))?;
            let Some(((_, _, offset), chunk)) = rows.next_back().transpose()? else {
                return Ok(None);
            };
            let raw = self.logs.raw_of(offset, &chunk)?;
            Ok::<_, LogsError>(Some((offset, raw)))
        })?;
        let place = |bytes: u64| usize::try_from(bytes).unwrap_or(usize::MAX);
        let part = found.and_then(|(offset, mut raw)| {
            raw.truncate(place(self.end - offset));
            let before = place(self.next - offset);
            (before < raw.len()).then(|| raw.split_off(before))
        });
        let Some(part) = part else {
            return Err(LogsError::Gap {
                stored: self.next,
                offset: self.end,
            });
        };
        self.next += part.len() as u64;
        Ok(Some(part))
    }
}
