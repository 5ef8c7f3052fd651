//! Packing records into compressed blocks, and back.

use super::model::StoredBlock;
use crate::storage::{Record, StorageError, Value, Volumes};
use bytes::Bytes;

/// Bytes of records in one block before compression: large enough to compress well, small enough that one result is read
/// in well under a millisecond.
pub(super) const BLOCK_BYTES: usize = 48 * 1024;

/// Level of zstd: reports are full of repetition, higher levels cost time and win little.
const LEVEL: i32 = 1;

/// A packed block on its way to the volumes.
#[derive(Debug)]
pub(super) struct Packed {
    /// Number of the first record in it.
    pub first: u32,
    pub raw_len: u32,
    pub outcomes: u8,
    pub bytes: Bytes,
}

/// Compresses a block.
///
/// # Errors
/// A block that cannot be one, which the caller's limits on rows rule out.
pub(super) fn pack<R: Record>(first: u32, outcomes: u8, block: &R) -> Result<Packed, StorageError> {
    let raw = block.encode();
    let damaged = |what: String| StorageError::Corrupt {
        table: "report_blocks".into(),
        what,
    };
    let raw_len =
        u32::try_from(raw.len()).map_err(|_| damaged("a block is larger than 4 GiB".into()))?;
    let bytes = zstd::bulk::compress(&raw, LEVEL).map_err(|error| damaged(error.to_string()))?;
    Ok(Packed {
        first,
        raw_len,
        outcomes,
        bytes: bytes.into(),
    })
}

/// Reads a block from the volumes. Blocks for a disk read.
///
/// # Errors
/// Failures of the store, damaged bytes.
pub(super) fn unpack<R: Record>(volumes: &Volumes, block: &StoredBlock) -> Result<R, StorageError> {
    let damaged = |what: String| StorageError::Corrupt {
        table: "report_blocks".into(),
        what,
    };
    let bytes = volumes.read(&block.place)?;
    let raw = zstd::bulk::decompress(&bytes, block.raw_len as usize)
        .map_err(|error| damaged(error.to_string()))?;
    R::decode(&raw).map_err(damaged)
}
