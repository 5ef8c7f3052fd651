//! What can go wrong between testhide and its disk.

use std::io::ErrorKind;
use std::path::PathBuf;

/// A failure of the store. Where it names no remedy, nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// redb refused or broke.
    #[error("store failed: {0}")]
    Redb(#[from] Box<redb::Error>),
    /// A stored value cannot be read.
    #[error("stored value in `{table}` cannot be read: {what}")]
    Corrupt {
        /// Table or volume.
        table: String,
        /// What is wrong with it.
        what: String,
    },
    /// The directory was written by a newer testhide.
    #[error(
        "data directory `{path}` has format {found}, this testhide knows formats up to {known}; start the newer version that wrote it"
    )]
    NewerFormat {
        /// Directory.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest that this program knows.
        known: u32,
    },
    /// Another process holds the directory.
    #[error(
        "data directory `{0}` is in use by another testhide; stop it first, or give another --data-dir"
    )]
    Locked(PathBuf),
    /// A restore into the directory did not come to its end.
    #[error(
        "data directory `{0}` holds a restore that did not finish; remove it and restore again"
    )]
    UnfinishedRestore(PathBuf),
    /// Free disk is below the hard floor.
    #[error(
        "disk is nearly full ({free_mb} MB free, floor {floor_mb} MB): the server is read-only until space returns"
    )]
    ReadOnly {
        /// Megabytes free.
        free_mb: u64,
        /// Megabytes below which nothing is written.
        floor_mb: u64,
    },
    /// Free disk is below the soft floor, and this was bulk that can wait.
    #[error(
        "disk is getting full ({free_mb} MB free, floor {floor_mb} MB): files are refused until space returns"
    )]
    NoRoom {
        /// Megabytes free.
        free_mb: u64,
        /// Megabytes below which files are refused.
        floor_mb: u64,
    },
    /// The disk failed under a file of the store. It can perhaps be read; it is opened again by itself.
    #[error("`{file}` is not available now ({what}); it is tried again by itself")]
    Unavailable {
        /// File of the store.
        file: String,
        /// Why.
        what: String,
    },
    /// A file operation failed.
    #[error("failed to {action} `{path}`: {source}")]
    Io {
        /// Verb.
        action: &'static str,
        /// File or directory.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A write that panicked; its transaction was rolled back.
    #[error("write was rolled back because it panicked: {0}")]
    Panicked(String),
    /// The writer is gone because the process is ending.
    #[error("store is closing")]
    Closing,
    /// A backup archive is not one, is cut off, or was edited.
    #[error("backup `{path}` is not usable: {what}")]
    Backup {
        /// File.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl StorageError {
    /// Whether nothing can be written now, because the disk is full or failed. The same write may be taken later.
    #[must_use]
    pub fn is_read_only(&self) -> bool {
        matches!(self, Self::ReadOnly { .. } | Self::Unavailable { .. })
    }

    pub(super) fn io(
        action: &'static str,
        path: impl Into<PathBuf>,
        source: std::io::Error,
    ) -> Self {
        Self::Io {
            action,
            path: path.into(),
            source,
        }
    }

    /// Whether the same may succeed a little later, without anybody's doing.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::ReadOnly { .. } | Self::NoRoom { .. } | Self::Unavailable { .. } | Self::Closing
        )
    }

    pub(super) fn corrupt(table: &str, what: impl Into<String>) -> Self {
        Self::Corrupt {
            table: table.to_owned(),
            what: what.into(),
        }
    }
}

/// redb's failures in our words: damage, a file that is being opened again, and the rest.
fn of_redb(error: redb::Error) -> StorageError {
    let unavailable = |what: String| StorageError::Unavailable {
        file: "store".to_owned(),
        what,
    };
    match error {
        redb::Error::Corrupted(what) => StorageError::corrupt("store", what),
        redb::Error::Io(error) => match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::InvalidData | ErrorKind::InvalidInput => {
                StorageError::corrupt("store", error.to_string())
            }
            _ => unavailable(error.to_string()),
        },
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => {
            unavailable("it is being opened again".to_owned())
        }
        other => StorageError::Redb(Box::new(other)),
    }
}

macro_rules! from_redb {
    ($($kind:ty),*) => {
        $(impl From<$kind> for StorageError {
            fn from(error: $kind) -> Self {
                of_redb(error.into())
            }
        })*
    };
}

from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);
