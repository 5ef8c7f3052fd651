//! A name that one process at a time may use: a locked file, which the system unlocks when the process dies.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// A name that this process holds; free again when this is dropped, and when the process ends in any way.
#[derive(Debug)]
pub(crate) struct Slot {
    path: PathBuf,
    /// Locked as long as this lives.
    _file: File,
}

impl Slot {
    /// Takes the name that the file `path` stands for, or nothing when somebody holds it.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(crate) fn try_take(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(fs::TryLockError::WouldBlock) => return Ok(None),
                Err(fs::TryLockError::Error(error)) => return Err(error),
            }
            if is_at(&file, path)? {
                let path = path.to_owned();
                return Ok(Some(Self { path, _file: file }));
            }
        }
    }

    /// The same, and waits for who holds it.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub(crate) fn take(path: &Path) -> io::Result<Self> {
        loop {
            let file = open(path)?;
            file.lock()?;
            if is_at(&file, path)? {
                let path = path.to_owned();
                return Ok(Self { path, _file: file });
            }
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut options = File::options();
    options.write(true).create(true).truncate(false).open(path)
}

impl Drop for Slot {
    /// Deletes the file while it is still locked; where that is not possible an empty file stays.
    fn drop(&mut self) {
        if cfg!(unix)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(path = %self.path.display(), %error, "cannot delete a lock's file");
        }
    }
}

/// Whether the file is still the one with this name: who held it before may have deleted it, and a lock on that one says nothing.
#[cfg(unix)]
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let own = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(found) => Ok((own.dev(), own.ino()) == (found.dev(), found.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Nobody deletes these files here.
#[cfg(not(unix))]
fn is_at(_file: &File, _path: &Path) -> io::Result<bool> {
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_none_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        let slot = Slot::try_take(&path).unwrap().expect("free");
        assert!(Slot::try_take(&path).unwrap().is_none());
        drop(slot);
        // Threads that take and give back as fast as they can never hold it together.
        let held = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut taken = 0;
                    while taken < 200 {
                        if let Some(slot) = Slot::try_take(&path).unwrap() {
                            let order = std::sync::atomic::Ordering::SeqCst;
                            assert_eq!(held.fetch_add(1, order), 0);
                            held.fetch_sub(1, order);
                            drop(slot);
                            taken += 1;
                        }
                    }
                });
            }
        });
    }
}
