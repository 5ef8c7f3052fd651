//! A small record that one process overwrites in place and another reads: no name changes, and no room is needed on a full disk.
//!
//! `length u32, checksum u32, payload`, little-endian, in a file whose bytes were written once before. A reader that meets a writer
//! half-way finds that the checksum does not fit, and reads again.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use super::format::{Kind, checksum};

/// Bytes before the payload.
const HEAD: usize = 8;

/// How often a record that does not fit its checksum is read again before it counts as not there.
const READS: usize = 3;

/// An open slot.
#[derive(Debug)]
pub(super) struct Slot {
    file: File,
    size: usize,
}

impl Slot {
    /// Makes an empty slot that takes `size` bytes.
    ///
    /// # Errors
    /// When the file exists or the disk refuses it.
    pub(super) fn create(path: &Path, size: usize) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(path)?;
        place::write_all(&file, &vec![0u8; HEAD + size])?;
        Ok(Self { file, size })
    }

    /// Opens a slot to read and to overwrite it; makes it when a crash has taken it.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(super) fn open(path: &Path, size: usize) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        match file {
            Ok(file) => Ok(Self { file, size }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::create(path, size),
            Err(error) => Err(error),
        }
    }

    /// Overwrites the record.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(super) fn write(&self, payload: &[u8]) -> io::Result<()> {
        assert!(payload.len() <= self.size, "a slot is made for its record");
        let length = u32::try_from(payload.len()).expect("a slot is small");
        let mut bytes = Vec::with_capacity(HEAD + payload.len());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(&checksum(Kind::Record, 0, payload).to_le_bytes());
        bytes.extend_from_slice(payload);
        place::write_all(&self.file, &bytes)
    }

    /// The record; nothing when none was ever written, or its writer is in the middle of it.
    pub(super) fn read(&self) -> Option<Vec<u8>> {
        (0..READS).find_map(|_| self.read_once().ok().flatten())
    }

    fn read_once(&self) -> io::Result<Option<Vec<u8>>> {
        let mut bytes = vec![0u8; HEAD + self.size];
        let count = place::read(&self.file, &mut bytes)?;
        let Some((length, rest)) = bytes[..count].split_first_chunk::<4>() else {
            return Ok(None);
        };
        let Some((sum, payload)) = rest.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let payload = payload.get(..length).filter(|payload| {
            !payload.is_empty() && checksum(Kind::Record, 0, payload) == u32::from_le_bytes(*sum)
        });
        Ok(payload.map(<[u8]>::to_vec))
    }
}

#[cfg(unix)]
mod place {
    //! Reads and writes at the beginning of a file, wherever others are in it.

    use std::fs::File;
    use std::io;
    use std::os::unix::fs::FileExt;

    pub(super) fn write_all(file: &File, bytes: &[u8]) -> io::Result<()> {
        file.write_all_at(bytes, 0)
    }

    pub(super) fn read(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
        file.read_at(bytes, 0)
    }
}

#[cfg(windows)]
mod place {
    //! Reads and writes at the beginning of a file, wherever others are in it.

    use std::fs::File;
    use std::io;
    use std::os::windows::fs::FileExt;

    pub(super) fn write_all(file: &File, bytes: &[u8]) -> io::Result<()> {
        let written = file.seek_write(bytes, 0)?;
        if written == bytes.len() {
            Ok(())
        } else {
            Err(io::ErrorKind::WriteZero.into())
        }
    }

    pub(super) fn read(file: &File, bytes: &mut [u8]) -> io::Result<usize> {
        file.seek_read(bytes, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::Scratch;

    #[test]
    fn the_last_record_is_read_and_a_torn_one_is_none() {
        let scratch = Scratch::new();
        let path = scratch.path().join("slot");
        let writer = Slot::create(&path, 100).unwrap();
        let reader = Slot::open(&path, 100).unwrap();
        assert_eq!(reader.read(), None);
        for record in [&b"a long record of many bytes"[..], b"short"] {
            writer.write(record).unwrap();
            assert_eq!(reader.read().as_deref(), Some(record));
        }
        let whole = std::fs::read(&path).unwrap();
        for at in 0..HEAD + 5 {
            let mut torn = whole.clone();
            torn[at] ^= 1;
            std::fs::write(&path, &torn).unwrap();
            assert_eq!(reader.read(), None, "byte {at}");
        }
    }
}
