//! Where the files of a data directory lie: in the file system, or in a test's memory, where power can be cut and space can end.

use crate::kit::{create_private_dir, write_atomic};
use redb::StorageBackend;
use redb::backends::FileBackend;
use std::fmt::Debug;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

/// What the store needs of a file system.
pub(super) trait Medium: Debug + Send + Sync {
    /// Opens the file at `path` to be written, for this process alone.
    ///
    /// # Errors
    /// [`io::ErrorKind::WouldBlock`] when another process holds it; any other I/O error.
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>>;

    /// Opens the file at `path` to be read, while no process writes it.
    ///
    /// # Errors
    /// As [`Medium::open`].
    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>>;

    /// Makes a file that is whole or absent, whatever happens meanwhile.
    ///
    /// # Errors
    /// Any I/O error; there is then no such file.
    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Makes a directory that only its owner may enter.
    ///
    /// # Errors
    /// Any I/O error.
    fn make_dir(&self, path: &Path) -> io::Result<()>;

    /// Whether there is a file at `path`.
    fn exists(&self, path: &Path) -> bool;

    /// Names in the directory `dir`.
    ///
    /// # Errors
    /// Any I/O error.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// How long ago the file at `path` was made, as far as that is known.
    fn age(&self, path: &Path) -> Duration;
}

/// The file system of this machine.
#[derive(Debug, Clone, Copy)]
pub(super) struct FileSystem;

impl Medium for FileSystem {
    fn open(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let locked = file.try_lock();
        held(file, locked)
    }

    fn open_to_read(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>> {
        let file = File::open(path)?;
        let locked = file.try_lock_shared();
        held(file, locked)
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        write_atomic(path, bytes)
    }

    fn make_dir(&self, path: &Path) -> io::Result<()> {
        create_private_dir(path)
    }

    fn exists(&self, path: &Path) -> bool {
        path.exists()
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let names = std::fs::read_dir(dir)?
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()));
        names.collect()
    }

    fn age(&self, path: &Path) -> Duration {
        let made = std::fs::metadata(path).and_then(|meta| meta.created());
        made.ok()
            .and_then(|made| made.elapsed().ok())
            .unwrap_or_default()
    }
}

/// A file whose lock was asked for; the lock goes with the file, and a file system without locks has none to give.
fn held(file: File, locked: Result<(), TryLockError>) -> io::Result<Box<dyn StorageBackend>> {
    match locked {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(io::ErrorKind::WouldBlock.into()),
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => {}
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let backend = FileBackend::new(file).map_err(io::Error::other)?;
    Ok(Box::new(backend))
}
