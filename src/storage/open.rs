//! Opening a data directory: lock, format, upgrade, then the store and its volumes.

use super::database::{ReadTxn, Storage, WriteTxn};
use super::disk::{DiskGuard, Floors};
use super::error::StorageError;
use super::table::Table;
use super::upgrade;
use super::volumes::Volumes;
use crate::kit::create_private_dir;
use redb::ReadableDatabase;
use std::path::{Path, PathBuf};

/// The format that this program writes. Raised with every step in `storage/upgrade`.
pub const FORMAT_VERSION: u32 = 1;

/// Cache of `state.redb`. Small on purpose: an idle server stays under 60 MB, and the kernel caches pages as well.
const STATE_CACHE: usize = 24 * 1024 * 1024;

/// The directory's format; the one row that every version must be able to read.
const META: Table<String, u64> = Table::new("meta");

/// How to open a data directory.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The directory; made when it is missing.
    pub dir: PathBuf,
    /// Free disk below which writes are refused.
    pub floors: Floors,
}

impl OpenOptions {
    /// The directory with default floors.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            floors: Floors::default(),
        }
    }

    /// Opens (or makes) the directory and brings its format up to date.
    ///
    /// # Errors
    /// [`StorageError::Locked`] when another process holds it, [`StorageError::NewerFormat`] when a newer testhide wrote it;
    /// the directory is then as it was.
    pub fn open(&self) -> Result<(Storage, Volumes, DiskGuard), StorageError> {
        let guard = DiskGuard::new(self.dir.clone(), self.floors);
        let (storage, volumes) = self.open_with(&guard)?;
        Ok((storage, volumes, guard))
    }

    /// As [`OpenOptions::open`] with a disk guard of the caller's.
    ///
    /// # Errors
    /// As [`OpenOptions::open`].
    pub fn open_with(&self, guard: &DiskGuard) -> Result<(Storage, Volumes), StorageError> {
        if super::backup::is_unfinished_restore(&self.dir) {
            return Err(StorageError::UnfinishedRestore(self.dir.clone()));
        }
        create_private_dir(&self.dir)
            .map_err(|source| StorageError::io("create", &self.dir, source))?;
        let path = self.dir.join("state.redb");
        refuse_newer(&path, &self.dir)?;
        let database = open_database(&path, &self.dir, STATE_CACHE)?;
        bring_up_to_date(&database, &self.dir)?;
        let storage = Storage::start(database, guard.clone())?;
        let volumes = Volumes::open(self.dir.join("volumes"), guard.clone())?;
        Ok((storage, volumes))
    }
}

/// Opens one redb file; a lock held elsewhere has its own error.
pub(super) fn open_database(
    path: &Path,
    dir: &Path,
    cache: usize,
) -> Result<redb::Database, StorageError> {
    if !path.exists() {
        make_whole(path).map_err(|source| StorageError::io("create", path, source))?;
    }
    redb::Builder::new()
        .set_cache_size(cache)
        .open(path)
        .map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => StorageError::Locked(dir.to_owned()),
            other => other.into(),
        })
}

/// Makes an empty redb file that is whole or absent, also after a kill at any moment: redb writes a new file's header in two steps, and
/// between them the file is neither empty nor readable.
fn make_whole(path: &Path) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    let making = path.with_extension("redb.new");
    drop(std::fs::remove_file(&making));
    drop(redb::Database::create(&making).map_err(std::io::Error::other)?);
    std::fs::File::open(&making)?.sync_all()?;
    std::fs::rename(&making, path)?;
    std::fs::File::open(dir)?.sync_all()
}

/// Looks at the format through a read-only handle, so that a newer directory is not touched at all.
///
/// A file that needs repair cannot be looked at this way; it is judged after its repair.
fn refuse_newer(path: &Path, dir: &Path) -> Result<(), StorageError> {
    let Ok(database) = redb::ReadOnlyDatabase::open(path) else {
        return Ok(());
    };
    match format_of(&ReadTxn(database.begin_read()?))? {
        Some(found) if found > FORMAT_VERSION => Err(StorageError::NewerFormat {
            path: dir.to_owned(),
            found,
            known: FORMAT_VERSION,
        }),
        _ => Ok(()),
    }
}

fn format_of(rtxn: &ReadTxn) -> Result<Option<u32>, StorageError> {
    let version = META.read(rtxn)?.get(&"format".to_owned())?;
    Ok(version.map(|version| u32::try_from(version).unwrap_or(u32::MAX)))
}

fn bring_up_to_date(database: &redb::Database, dir: &Path) -> Result<(), StorageError> {
    let Some(found) = format_of(&ReadTxn(database.begin_read()?))? else {
        let wtxn = WriteTxn(database.begin_write()?);
        set_format(&wtxn, FORMAT_VERSION)?;
        wtxn.0.commit()?;
        return Ok(());
    };
    if found > FORMAT_VERSION {
        return Err(StorageError::NewerFormat {
            path: dir.to_owned(),
            found,
            known: FORMAT_VERSION,
        });
    }
    for step in upgrade::steps_from(found) {
        let wtxn = WriteTxn(database.begin_write()?);
        (step.run)(&wtxn)?;
        set_format(&wtxn, step.to)?;
        wtxn.0.commit()?;
        tracing::info!(
            storage.format = step.to,
            "data directory upgraded to format {}",
            step.to
        );
    }
    Ok(())
}

pub(super) fn set_format(wtxn: &WriteTxn, version: u32) -> Result<(), StorageError> {
    META.write(wtxn)?
        .put(&"format".to_owned(), &u64::from(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        drop(OpenOptions::new(dir.path()).open().unwrap());
        let database = open_database(&dir.path().join("state.redb"), dir.path(), 1 << 20).unwrap();
        let wtxn = WriteTxn(database.begin_write().unwrap());
        set_format(&wtxn, FORMAT_VERSION + 1).unwrap();
        wtxn.0.commit().unwrap();
        drop(database);
        let before = std::fs::read(dir.path().join("state.redb")).unwrap();
        let Err(error) = OpenOptions::new(dir.path()).open() else {
            panic!("a newer format opened")
        };
        assert!(
            matches!(error, StorageError::NewerFormat { found, .. } if found == FORMAT_VERSION + 1),
            "{error}"
        );
        assert_eq!(
            std::fs::read(dir.path().join("state.redb")).unwrap(),
            before
        );
    }

    #[test]
    fn a_second_holder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let _held = OpenOptions::new(dir.path()).open().unwrap();
        let Err(error) = OpenOptions::new(dir.path()).open() else {
            panic!("opened twice")
        };
        assert!(matches!(error, StorageError::Locked(_)), "{error}");
    }
}
