//! Tables of logs, and the second half of an append.

use super::append::PlacedChunk;
use super::error::LogsError;
use super::model::{LogHead, StoredChunk};
use crate::storage::{StorageError, Table, TableCheck, Transaction, WriteTxn};
use testhide_protocol::BuildId;

/// How far each attempt's log is.
pub(super) const HEADS: Table<(BuildId, u32), LogHead> = Table::new("log_heads");

/// Chunks by (build, attempt, offset).
pub(super) const CHUNKS: Table<(BuildId, u32, u64), StoredChunk> = Table::new("log_chunks");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[HEADS.check(), CHUNKS.check()];

/// What an append added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// First new byte.
    pub from: u64,
    /// Byte after the last new one.
    pub to: u64,
    /// Lines the log has now.
    pub lines: u64,
}

/// Makes placed chunks part of an attempt's log. Chunks that the log has already are left out; `None` when all are.
///
/// # Errors
/// [`LogsError::Gap`] when a chunk begins past the end of the log or inside what is stored; failures of the store.
pub fn append(
    wtxn: &WriteTxn,
    build: BuildId,
    attempt: u32,
    chunks: &[PlacedChunk],
) -> Result<Option<Appended>, LogsError> {
    let mut heads = HEADS.write(wtxn)?;
    let mut table = CHUNKS.write(wtxn)?;
    let mut head = heads.get(&(build, attempt))?.unwrap_or_default();
    let from = head.bytes;
    for placed in chunks {
        let chunk = &placed.chunk;
        if chunk.offset + u64::from(chunk.raw_len) <= head.bytes {
            continue;
        }
        if chunk.offset != head.bytes {
            return Err(LogsError::Gap {
                stored: head.bytes,
                offset: chunk.offset,
            });
        }
        let stored = StoredChunk {
            raw_len: chunk.raw_len,
            lines_before: head.ended,
            open_before: head.open,
            step: chunk.step,
            time: chunk.time,
            elapsed_ms: chunk.elapsed_ms,
            segments: chunk
                .segments
                .iter()
                .map(|segment| (segment.stream, segment.len))
                .collect(),
            place: placed.place,
        };
        table.put(&(build, attempt, chunk.offset), &stored)?;
        head.bytes += u64::from(chunk.raw_len);
        let (ended, open) = placed.shape.behind(head.open);
        head.ended += ended;
        head.open = open;
    }
    if head.bytes == from {
        return Ok(None);
    }
    heads.put(&(build, attempt), &head)?;
    Ok(Some(Appended {
        from,
        to: head.bytes,
        lines: head.lines(),
    }))
}

/// Says that nothing will follow in an attempt's log.
///
/// # Errors
/// Failures of the store.
pub fn complete(wtxn: &WriteTxn, build: BuildId, attempt: u32) -> Result<(), StorageError> {
    let mut heads = HEADS.write(wtxn)?;
    let mut head = heads.get(&(build, attempt))?.unwrap_or_default();
    head.complete = true;
    heads.put(&(build, attempt), &head)
}

/// How far an attempt's log is; an empty head when it has none.
///
/// # Errors
/// Failures of the store.
pub fn head<T: Transaction>(
    txn: &T,
    build: BuildId,
    attempt: u32,
) -> Result<LogHead, StorageError> {
    Ok(HEADS.read(txn)?.get(&(build, attempt))?.unwrap_or_default())
}
