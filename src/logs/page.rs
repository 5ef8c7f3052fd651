//! Reading lines: any range by number, and waiting for those to come.

use super::error::LogsError;
use super::line::{LineEnd, pieces};
use super::model::{LogHead, StoredChunk};
use super::store::{CHUNKS, head};
use crate::storage::{ReadTxn, Storage, StorageError, Volumes};
use std::time::Duration;
use testhide_protocol::api::{LogLine, LogPage, Stream};
use testhide_protocol::wire::decompress_chunk;
use testhide_protocol::{BuildId, Timestamp};

/// Bytes of text after which a page ends early.
const MAX_PAGE: usize = 4 * 1024 * 1024;

/// The logs; clones share them.
#[derive(Clone)]
pub struct Logs {
    pub(super) storage: Storage,
    pub(super) volumes: Volumes,
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
    /// The logs in `storage` and `volumes`.
    #[must_use]
    pub fn new(storage: Storage, volumes: Volumes) -> Self {
        Self { storage, volumes }
    }

    /// How far an attempt's log is.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn head(&self, build: BuildId, attempt: u32) -> Result<LogHead, StorageError> {
        self.storage.read(|rtxn| head(rtxn, build, attempt))
    }

    /// Up to `limit` lines from line `from` on. A page also ends after 4 MiB of text, and holds at least one line when there is one.
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
            Ok(LogPage {
                build_id: build,
                attempt,
                total_lines: head.lines(),
                total_bytes: head.bytes,
                complete: head.complete,
                lines: lines.finish(),
            })
        })
    }

    /// Returns once the log has line `line`, is complete, or `patience` is over.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn wait_for_line(
        &self,
        build: BuildId,
        attempt: u32,
        line: u64,
        patience: Duration,
    ) -> Result<(), StorageError> {
        let mut commits = self.storage.commits();
        let waiting = async {
            loop {
                commits.borrow_and_update();
                let head = self.head(build, attempt)?;
                if head.complete || head.lines() >= line {
                    return Ok(());
                }
                commits.changed().await.map_err(|_| StorageError::Closing)?;
            }
        };
        tokio::time::timeout(patience, waiting)
            .await
            .unwrap_or(Ok(()))
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

/// Collects lines out of consecutive chunks.
struct Lines {
    from: u64,
    limit: usize,
    /// Whether a last line without its end is a line: it may still grow otherwise.
    complete: bool,
    done: Vec<LogLine>,
    text_bytes: usize,
    open: Option<OpenLine>,
}

struct OpenLine {
    number: u64,
    step: u32,
    stream: Stream,
    time: Timestamp,
    text: Vec<u8>,
}

impl Lines {
    fn new(from: u64, limit: usize, complete: bool) -> Self {
        Self {
            from,
            limit,
            complete,
            done: Vec::new(),
            text_bytes: 0,
            open: None,
        }
    }

    fn full(&self) -> bool {
        self.done.len() >= self.limit || (self.text_bytes >= MAX_PAGE && !self.done.is_empty())
    }

    /// Takes a chunk; says whether the page is full.
    fn feed(&mut self, chunk: &StoredChunk, raw: &[u8]) -> bool {
        let mut number = chunk.lines_before + 1;
        for piece in pieces(raw, chunk.open_before as usize) {
            if self.full() {
                break;
            }
            if number >= self.from {
                let line = self.open.get_or_insert_with(|| OpenLine {
                    number,
                    step: chunk.step,
                    stream: stream_at(&chunk.segments, piece.start),
                    time: chunk.time,
                    text: Vec::new(),
                });
                line.text.extend_from_slice(piece.text);
                if piece.end != LineEnd::Open {
                    self.close(piece.end == LineEnd::Cut);
                }
            }
            number += u64::from(piece.end != LineEnd::Open);
        }
        self.full()
    }

    fn close(&mut self, continued: bool) {
        if let Some(mut line) = self.open.take() {
            if !continued && line.text.last() == Some(&b'\r') {
                line.text.pop();
            }
            self.text_bytes += line.text.len();
            let OpenLine {
                number,
                step,
                stream,
                time,
                text,
            } = line;
            let text = String::from_utf8_lossy(&text).into_owned();
            self.done.push(LogLine {
                number,
                step,
                stream,
                time,
                text,
                continued,
            });
        }
    }

    fn finish(mut self) -> Vec<LogLine> {
        if self.complete && !self.full() {
            self.close(false);
        }
        self.done
    }
}

/// Stream of the byte at `at` of a chunk.
pub(super) fn stream_at(segments: &[(Stream, u32)], at: usize) -> Stream {
    let mut end = 0;
    for (stream, length) in segments {
        end += *length as usize;
        if at < end {
            return *stream;
        }
    }
    Stream::Stdout
}
