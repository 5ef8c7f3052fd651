//! A file whose parts arrive.

use crate::storage::{FileError, FileWriter, StorageError, StoredFile, Volumes};

/// The bytes so far; past the limit they are only counted, so that the journal behind them goes on.
pub(super) enum Receiving {
    /// On their way to a volume.
    Kept(Box<FileWriter>),
    /// Too many.
    TooLarge { size: u64, limit: u64 },
}

impl Receiving {
    /// Takes a file of which at most `limit` bytes are kept.
    pub(super) fn new(volumes: Volumes, limit: u64) -> Self {
        Self::Kept(Box::new(FileWriter::new(volumes, limit)))
    }

    /// Bytes that arrived.
    pub(super) fn size(&self) -> u64 {
        match self {
            Self::Kept(writer) => writer.size(),
            Self::TooLarge { size, .. } => *size,
        }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// The disk's floors and failures of the store.
    pub(super) async fn write(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        let size = self.size() + bytes.len() as u64;
        match self {
            Self::Kept(writer) => match writer.write(bytes).await {
                Ok(()) => {}
                Err(FileError::TooLarge { limit }) => *self = Self::TooLarge { size, limit },
                Err(FileError::Storage(error)) => return Err(error),
            },
            Self::TooLarge { size: counted, .. } => *counted = size,
        }
        Ok(())
    }

    /// The whole file, on disk.
    ///
    /// # Errors
    /// [`FileError::TooLarge`] when it was; the disk's floors and failures of the store.
    pub(super) async fn finish(self) -> Result<StoredFile, FileError> {
        match self {
            Self::Kept(writer) => writer.finish().await,
            Self::TooLarge { limit, .. } => Err(FileError::TooLarge { limit }),
        }
    }
}
