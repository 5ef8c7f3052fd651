//! The vector index on disk: one file, whole or not there.
//!
//! ```text
//! bytes  0..8    magic "THVECT01"
//! bytes  8..16   dimensions, u64 little-endian
//! bytes 16..24   cursor: the last event whose vectors are inside, u64 little-endian
//! bytes 24..32   length of the payload, u64 little-endian
//! bytes 32..64   blake3 of bytes 0..32 and the payload
//! bytes 64..     payload: the engine's own form
//! ```
//!
//! A file is written beside the old one, synced and renamed over it; nothing ever maps it into memory. The engine sees a
//! payload only after the checksum has matched.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use super::VectorError;

const MAGIC: &[u8; 8] = b"THVECT01";
const HEADER: usize = 64;
const FILE: &str = "vectors.snapshot";
const TEMPORARY: &str = "vectors.snapshot.tmp";

/// A snapshot's content.
pub(super) struct Snapshot {
    pub(super) cursor: u64,
    bytes: Vec<u8>,
}

impl Snapshot {
    /// The engine's form of the index.
    pub(super) fn payload(&self) -> &[u8] {
        &self.bytes[HEADER..]
    }
}

/// What [`read`] found.
pub(super) enum Found {
    Nothing,
    Whole(Snapshot),
    /// With the reason, a fragment of a sentence.
    Unusable(String),
}

/// Reads the snapshot in `directory`. Only an answer of the system other than "not there" is an error.
pub(super) fn read(directory: &Path, dimensions: usize) -> Result<Found, VectorError> {
    let path = directory.join(FILE);
    match fs::read(&path) {
        Ok(bytes) => Ok(match check(&bytes, dimensions) {
            Ok(cursor) => Found::Whole(Snapshot { cursor, bytes }),
            Err(reason) => Found::Unusable(reason),
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Found::Nothing),
        Err(error) => Err(VectorError::io("read", &path, error)),
    }
}

/// Replaces the snapshot in `directory`. It is on disk when this returns; on an error the old one is still there.
pub(super) fn write(
    directory: &Path,
    dimensions: usize,
    cursor: u64,
    payload: &[u8],
) -> Result<(), VectorError> {
    let (path, temporary) = (directory.join(FILE), directory.join(TEMPORARY));
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(MAGIC);
    header[8..16].copy_from_slice(&to_u64(dimensions).to_le_bytes());
    header[16..24].copy_from_slice(&cursor.to_le_bytes());
    header[24..32].copy_from_slice(&to_u64(payload.len()).to_le_bytes());
    let checksum = checksum(&header[..32], payload);
    header[32..].copy_from_slice(checksum.as_bytes());

    let write_temporary = || -> io::Result<()> {
        let mut file = File::create(&temporary)?;
        file.write_all(&header)?;
        file.write_all(payload)?;
        file.sync_all()
    };
    write_temporary().map_err(|error| VectorError::io("write", &temporary, error))?;
    fs::rename(&temporary, &path).map_err(|error| VectorError::io("replace", &path, error))?;
    sync_directory(directory).map_err(|error| VectorError::io("sync", directory, error))
}

/// The cursor of a whole snapshot, or why it is none.
fn check(bytes: &[u8], dimensions: usize) -> Result<u64, String> {
    let Some((header, payload)) = bytes.split_at_checked(HEADER) else {
        return Err(format!(
            "the snapshot has {} bytes, less than its header",
            bytes.len()
        ));
    };
    if &header[..8] != MAGIC {
        return Err("the snapshot is not of this format".to_owned());
    }
    let number = |start: usize| {
        u64::from_le_bytes(
            header[start..start + 8]
                .try_into()
                .expect("eight bytes were taken"),
        )
    };
    if number(24) != to_u64(payload.len()) {
        return Err(format!(
            "the snapshot holds {} of {} bytes",
            payload.len(),
            number(24)
        ));
    }
    if header[32..] != *checksum(&header[..32], payload).as_bytes() {
        return Err("the snapshot's checksum does not match".to_owned());
    }
    if number(8) != to_u64(dimensions) {
        return Err(format!(
            "the snapshot has {} dimensions, {dimensions} are wanted",
            number(8)
        ));
    }
    Ok(number(16))
}

fn checksum(header: &[u8], payload: &[u8]) -> blake3::Hash {
    blake3::Hasher::new()
        .update(header)
        .update(payload)
        .finalize()
}

fn to_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length in memory fits 64 bits")
}

/// Makes the rename itself durable. Windows offers no such call and needs none.
fn sync_directory(directory: &Path) -> io::Result<()> {
    if cfg!(unix) {
        File::open(directory)?.sync_all()
    } else {
        Ok(())
    }
}
