//! Reading lines: any range by number, and waiting for those to come.

use super::error::LogsError;
use super::lines::Lines;
use super::model::{LogHead, StoredChunk};
use super::shared::{Pages, Readers};
use super::store::{CHUNKS, head};
use crate::storage::{ReadTxn, Storage, StorageError, Volumes};
use crate::web::Viewers;
use std::sync::Arc;
use testhide_protocol::api::{LogPage, Stream};
use testhide_protocol::wire::decompress_chunk;
use testhide_protocol::{BuildId, Timestamp};

/// The logs; clones share them.
#[derive(Clone)]
pub struct Logs {
    pub(super) storage: Storage,
    pub(super) volumes: Volumes,
    pub(super) viewers: Viewers,
    /// Who reads which log at the moment.
    pub(super) readers: Arc<Readers>,
    /// Pages that were asked for lately.
    pub(super) pages: Arc<Pages>,
}

/// One chunk's text with what is needed to name its lines; what the search scans.
#[derive(Debug, Clone)]
pub struct Block {
    /// Raw bytes.
    pub raw: Vec<u8>,
    /// Number of the line that is open where the chunk begins, or that begins there.
    pub first_line: u64,
    /// Bytes of that line before the chunk.
    pub open_before: usize,
    /// Streams and lengths of its runs of bytes.
    pub segments: Vec<(Stream, u32)>,
    /// Step that wrote it.
    pub step: u32,
    /// When its first byte was read.
    pub time: Timestamp,
}

impl Logs {
    /// The logs in `storage` and `volumes`, with viewers of their own.
    #[must_use]
    pub fn new(storage: Storage, volumes: Volumes) -> Self {
        Self::with_viewers(storage, volumes, Viewers::default())
    }

    /// The logs in `storage` and `volumes`; `viewers` read them.
    #[must_use]
    pub fn with_viewers(storage: Storage, volumes: Volumes, viewers: Viewers) -> Self {
        Self {
            storage,
            volumes,
            viewers,
            readers: Arc::default(),
            pages: Arc::default(),
        }
    }

    /// Everybody who looks at the server.
    #[must_use]
    pub fn viewers(&self) -> &Viewers {
        &self.viewers
    }

    /// How far an attempt's log is.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn head(&self, build: BuildId, attempt: u32) -> Result<LogHead, StorageError> {
        self.storage.read(|rtxn| head(rtxn, build, attempt))
    }

    /// Up to `limit` lines from line `from` on, and the line that is being written when the page reaches it. A page also ends after 1 MiB of
    /// text, and holds at least one line when there is one.
    ///
    /// # Errors
    /// [`LogsError::LineZero`], damaged chunks, failures of the store.
    pub fn page(
        &self,
        build: BuildId,
        attempt: u32,
        from: u64,
        limit: usize,
    ) -> Result<LogPage, LogsError> {
        let ended_before = from.checked_sub(1).ok_or(LogsError::LineZero)?;
        self.storage.read(|rtxn| {
            let head = head(rtxn, build, attempt)?;
            let mut lines = Lines::new(from, limit, head.complete);
            if from <= head.lines() {
                let start = self.chunk_before(rtxn, build, attempt, ended_before, head.bytes)?;
                for row in CHUNKS
                    .read(rtxn)?
                    .prefix_from(&(build, attempt), &(build, attempt, start))?
                {
                    let ((_, _, offset), chunk) = row?;
                    let raw = self.raw_of(offset, &chunk)?;
                    if lines.feed(&chunk, &raw) {
                        break;
                    }
                }
            }
            let reaches_the_end = !lines.is_full() && ended_before <= head.ended;
            let running = if reaches_the_end {
                self.running_line(rtxn, build, attempt, &head)?
            } else {
                None
            };
            Ok(LogPage {
                build_id: build,
                attempt,
                lines: lines.finish(),
                running,
                total_lines: head.lines(),
                total_bytes: head.bytes,
                complete: head.complete,
            })
        })
    }

    /// The chunk at `offset`, or `None` when no chunk begins there.
    ///
    /// # Errors
    /// Damaged chunks, failures of the store.
    pub fn block(
        &self,
        build: BuildId,
        attempt: u32,
        offset: u64,
    ) -> Result<Option<Block>, LogsError> {
        self.storage.read(|rtxn| {
            let Some(chunk) = CHUNKS.read(rtxn)?.get(&(build, attempt, offset))? else {
                return Ok(None);
            };
            let raw = self.raw_of(offset, &chunk)?;
            Ok(Some(Block {
                raw,
                first_line: chunk.lines_before + 1,
                open_before: chunk.open_before as usize,
                segments: chunk.segments,
                step: chunk.step,
                time: chunk.time,
            }))
        })
    }

    /// Offsets of the chunks in `from..to`, in order.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn offsets(
        &self,
        build: BuildId,
        attempt: u32,
        from: u64,
        to: u64,
    ) -> Result<Vec<u64>, StorageError> {
        self.storage.read(|rtxn| {
            let table = CHUNKS.read(rtxn)?;
            let rows = table.prefix_from(&(build, attempt), &(build, attempt, from))?;
            let mut offsets = Vec::new();
            for row in rows {
                let ((_, _, offset), _) = row?;
                if offset >= to {
                    break;
                }
                offsets.push(offset);
            }
            Ok(offsets)
        })
    }

    pub(super) fn raw_of(&self, offset: u64, chunk: &StoredChunk) -> Result<Vec<u8>, LogsError> {
        let data = self.volumes.read(&chunk.place)?;
        Ok(decompress_chunk(offset, chunk.raw_len, &data)?)
    }

    /// Offset of the last chunk before which fewer than `lines` lines end (the first chunk for 0): the line after them begins in
    /// it. Found by halving the log's bytes.
    fn chunk_before(
        &self,
        rtxn: &ReadTxn,
        build: BuildId,
        attempt: u32,
        lines: u64,
        bytes: u64,
    ) -> Result<u64, StorageError> {
        let table = CHUNKS.read(rtxn)?;
        let prefix = (build, attempt);
        let (mut low, mut high) = (0u64, bytes);
        // Invariant: the chunk that begins at `low` qualifies (or is the first); no chunk that begins at `high` or later does.
        while low < high {
            let middle = low + (high - low).div_ceil(2);
            let mut rows = table.prefix_up_to(&prefix, &(build, attempt, middle))?;
            let Some(((_, _, offset), chunk)) = rows.next_back().transpose()? else {
                return Ok(0);
            };
            if offset <= low {
                low = middle.min(high);
                if middle == high {
                    return Ok(offset);
                }
            } else if chunk.lines_before < lines {
                low = middle;
            } else {
                high = offset - 1;
            }
        }
        let mut rows = table.prefix_up_to(&prefix, &(build, attempt, low))?;
        Ok(rows
            .next_back()
            .transpose()?
            .map_or(0, |((_, _, offset), _)| offset))
    }
}
