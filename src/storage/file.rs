//! Whole files in the volumes: written as their bytes arrive, read back as a stream.

use super::error::StorageError;
use super::volumes::{VolumeRef, Volumes};
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Seek, SeekFrom};

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

/// Reads a stored file, from its start or from anywhere; holds one part in memory.
pub struct FileReader {
    volumes: Volumes,
    parts: Vec<VolumeRef>,
    /// The part that is read after the current one.
    next: usize,
    current: Bytes,
    /// Where in the current part the next byte lies; past its end when a jump has not been followed yet.
    offset: usize,
}

impl FileReader {
    /// Reads `file`.
    #[must_use]
    pub fn new(volumes: Volumes, file: &StoredFile) -> Self {
        Self {
            volumes,
            parts: file.parts.clone(),
            next: 0,
            current: Bytes::new(),
            offset: 0,
        }
    }

    /// The next part; `None` at the end. Blocks for a disk read.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn next_part(&mut self) -> Result<Option<Bytes>, StorageError> {
        let Some(place) = self.parts.get(self.next) else {
            return Ok(None);
        };
        let part = self.volumes.read(place).map(Bytes::from)?;
        self.next += 1;
        Ok(Some(part))
    }

    /// Bytes before the part that is read after the current one.
    fn before_next(&self) -> u64 {
        self.parts[..self.next]
            .iter()
            .map(|part| u64::from(part.len))
            .sum()
    }
}

impl Read for FileReader {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.offset >= self.current.len() {
            let into_next = self.offset - self.current.len();
            match self.next_part().map_err(io::Error::other)? {
                Some(part) => (self.current, self.offset) = (part, into_next),
                None => return Ok(0),
            }
        }
        let rest = &self.current[self.offset..];
        let count = rest.len().min(to.len());
        to[..count].copy_from_slice(&rest[..count]);
        self.offset += count;
        Ok(count)
    }
}

impl Seek for FileReader {
    /// Jumps without a disk read: the part is read when bytes of it are.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let start = self.before_next() - self.current.len() as u64;
        let target = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => (start + self.offset as u64).checked_add_signed(by),
            SeekFrom::End(by) => {
                let size: u64 = self.parts.iter().map(|part| u64::from(part.len)).sum();
                size.checked_add_signed(by)
            }
        };
        let target =
            target.ok_or_else(|| io::Error::other("a place before the start of the file"))?;
        let within = target
            .checked_sub(start)
            .and_then(|at| usize::try_from(at).ok());
        if let Some(offset) = within.filter(|&offset| offset <= self.current.len()) {
            self.offset = offset;
            return Ok(target);
        }
        let mut left = target;
        self.next = 0;
        while let Some(part) = self.parts.get(self.next)
            && u64::from(part.len) <= left
        {
            left -= u64::from(part.len);
            self.next += 1;
        }
        self.current = Bytes::new();
        self.offset = usize::try_from(left)
            .map_err(|_| io::Error::other("a place far behind the end of the file"))?;
        Ok(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::OpenOptions;
    use proptest::prelude::*;
    use std::io::Cursor;

    #[derive(Clone, Copy, Debug)]
    enum Move {
        Read(usize),
        To(SeekFrom),
    }

    fn moves() -> impl Strategy<Value = Vec<Move>> {
        let one = prop_oneof![
            (0usize..5000).prop_map(Move::Read),
            (0u64..10_000).prop_map(|at| Move::To(SeekFrom::Start(at))),
            (-9000i64..9000).prop_map(|by| Move::To(SeekFrom::Current(by))),
            (-9000i64..100).prop_map(|by| Move::To(SeekFrom::End(by))),
        ];
        proptest::collection::vec(one, 1..30)
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

        #[test]
        fn a_stored_file_is_read_from_anywhere(
            sizes in proptest::collection::vec(1usize..3000, 1..5), moves in moves()
        ) {
            let dir = tempfile::tempdir().unwrap();
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let (_storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
            let whole: Vec<u8> = (0..sizes.iter().sum::<usize>()).map(|at| (at * 31 % 251) as u8).collect();
            let mut rest = &whole[..];
            let parts: Vec<Bytes> = sizes.iter().map(|size| {
                let (part, after) = rest.split_at(*size);
                rest = after;
                Bytes::copy_from_slice(part)
            }).collect();
            let parts = runtime.block_on(volumes.append_file(parts)).unwrap();
            let file = StoredFile { size: whole.len() as u64, blake3: [0; 32], parts };
            let (mut reader, mut model) = (FileReader::new(volumes, &file), Cursor::new(&whole));
            for next in moves {
                match next {
                    Move::Read(count) => {
                        let (mut found, mut expected) = (Vec::new(), Vec::new());
                        reader.by_ref().take(count as u64).read_to_end(&mut found).unwrap();
                        model.by_ref().take(count as u64).read_to_end(&mut expected).unwrap();
                        prop_assert!(found == expected, "{next:?}");
                    }
                    Move::To(place) => {
                        prop_assert_eq!(reader.seek(place).ok(), model.seek(place).ok());
                    }
                }
            }
        }
    }
}
