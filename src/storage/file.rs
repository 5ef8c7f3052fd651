//! Whole files in the volumes: written as their bytes arrive, read back as a stream.

use super::error::StorageError;
use super::volumes::{VolumeRef, Volumes};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::io::{self, Read};

/// Bytes gathered before they go to a volume; also the largest part a reader holds in memory.
const PART: usize = 1024 * 1024;

/// A file as the state remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Bytes.
    pub size: u64,
    /// BLAKE3 of the content.
    pub blake3: [u8; 32],
    /// Where it lies, in order.
    pub parts: Vec<VolumeRef>,
}

/// Takes a file's bytes as they arrive. What was written is garbage until a state record holds its [`StoredFile`].
pub struct FileWriter {
    volumes: Volumes,
    limit: u64,
    size: u64,
    gathered: BytesMut,
    hasher: blake3::Hasher,
    parts: Vec<VolumeRef>,
}

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is larger than the caller allows.
    #[error("the file is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// The store refused.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl FileWriter {
    /// Takes a file of at most `limit` bytes.
    #[must_use]
    pub fn new(volumes: Volumes, limit: u64) -> Self {
        let hasher = blake3::Hasher::new();
        Self {
            volumes,
            limit,
            size: 0,
            gathered: BytesMut::new(),
            hasher,
            parts: Vec::new(),
        }
    }

    /// Bytes taken so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// [`FileError::TooLarge`] past the limit; the disk's floors and failures of the store.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        self.size += bytes.len() as u64;
        if self.size > self.limit {
            return Err(FileError::TooLarge { limit: self.limit });
        }
        self.hasher.update(bytes);
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= PART {
            self.flush().await?;
        }
        Ok(())
    }

    /// The file, with all its bytes on disk.
    ///
    /// # Errors
    /// The disk's floors and failures of the store.
    pub async fn finish(mut self) -> Result<StoredFile, FileError> {
        if !self.gathered.is_empty() {
            self.flush().await?;
        }
        Ok(StoredFile {
            size: self.size,
            blake3: *self.hasher.finalize().as_bytes(),
            parts: self.parts,
        })
    }

    async fn flush(&mut self) -> Result<(), StorageError> {
        let mut whole = self.gathered.split().freeze();
        let mut parts = Vec::new();
        while whole.len() > PART {
            parts.push(whole.split_to(PART));
        }
        parts.push(whole);
        self.parts.extend(self.volumes.append_file(parts).await?);
        Ok(())
    }
}

/// Reads a stored file from its start; holds one part in memory.
pub struct FileReader {
    volumes: Volumes,
    parts: std::vec::IntoIter<VolumeRef>,
    current: Bytes,
}

impl FileReader {
    /// Reads `file`.
    #[must_use]
    pub fn new(volumes: Volumes, file: &StoredFile) -> Self {
        Self {
            volumes,
            parts: file.parts.clone().into_iter(),
            current: Bytes::new(),
        }
    }

    /// The next part; `None` at the end. Blocks for a disk read.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn next_part(&mut self) -> Result<Option<Bytes>, StorageError> {
        self.parts
            .next()
            .map(|place| self.volumes.read(&place).map(Bytes::from))
            .transpose()
    }
}

impl Read for FileReader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.next_part().map_err(io::Error::other)? {
                Some(part) => self.current = part,
                None => return Ok(0),
            }
        }
        let head = self.current.split_to(self.current.len().min(to.len()));
        to[..head.len()].copy_from_slice(&head);
        Ok(head.len())
    }
}
