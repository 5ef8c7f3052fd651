//! Opening a data directory: lock, format, upgrade, then the store and its volumes.

use super::database::{Answers, ReadTxn, Storage, WriteTxn};
use super::disk::{DiskGuard, Floors};
use super::error::StorageError;
use super::held::{HeldDatabase, guarded};
use super::medium::{FileSystem, Medium};
#[cfg(test)]
use super::memory::MemoryDisk;
use super::table::Table;
use super::upgrade;
use super::volumes::Volumes;
use super::writer::QUICK_REPAIR_ABOVE;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The format that this program writes. Raised with every step in `storage/upgrade`.
pub const FORMAT_VERSION: u32 = 1;

/// The file of the state.
pub(super) const STATE: &str = "state.redb";

/// Cache of `state.redb`. Small on purpose: an idle server stays under 60 MB, and the kernel caches pages as well.
pub(super) const STATE_CACHE: usize = 24 * 1024 * 1024;

/// The directory's format; the one row that every version must be able to read.
const META: Table<String, u64> = Table::new(META_TABLE);

/// The name of that table.
pub(super) const META_TABLE: &str = "meta";

/// The key of that row.
pub(super) const FORMAT_KEY: &str = "format";

/// How to open a data directory.
#[derive(Debug, Clone)]
pub struct OpenOptions {
    /// The directory; made when it is missing.
    dir: PathBuf,
    /// Free disk below which writes are refused.
    floors: Floors,
    medium: Arc<dyn Medium>,
    quick_repair_above: u64,
    answers: Answers,
}

impl OpenOptions {
    /// The directory with default floors.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            floors: Floors::default(),
            medium: Arc::new(FileSystem),
            quick_repair_above: QUICK_REPAIR_ABOVE,
            answers: Answers::default(),
        }
    }

    /// Refuses writes below these floors of free disk.
    #[must_use]
    pub fn floors(mut self, floors: Floors) -> Self {
        self.floors = floors;
        self
    }

    /// The directory `/data` of a disk in memory.
    #[cfg(test)]
    pub(crate) fn open_on(disk: &MemoryDisk) -> Self {
        Self {
            medium: Arc::new(disk.clone()),
            ..Self::new("/data")
        }
    }

    /// Lets each write and append wait on its caller's thread, so that their order repeats.
    #[cfg(test)]
    #[must_use]
    pub(crate) fn in_turn(mut self) -> Self {
        self.answers = Answers::InTurn;
        self
    }

    /// Makes every commit of a state larger than `bytes` quick to repair.
    #[cfg(test)]
    #[must_use]
    pub(super) fn quick_repair_above(mut self, bytes: u64) -> Self {
        self.quick_repair_above = bytes;
        self
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
        self.medium
            .make_dir(&self.dir)
            .map_err(|source| StorageError::io("create", &self.dir, source))?;
        let path = self.dir.join(STATE);
        refuse_newer(&*self.medium, &path, &self.dir)?;
        let database = HeldDatabase::open(&*self.medium, &path, &self.dir, STATE_CACHE)?;
        bring_up_to_date(&database, &self.dir)?;
        let storage = Storage::start(
            database,
            guard.clone(),
            self.quick_repair_above,
            self.answers,
        )?;
        let volumes = Volumes::open(
            self.medium.clone(),
            self.dir.join("volumes"),
            guard.clone(),
            self.answers,
        )?;
        Ok((storage, volumes))
    }
}

/// Looks at the format without a change, so that a newer directory is not touched at all.
///
/// A file that needs repair is judged after its repair, which may take half a second and would be done twice.
fn refuse_newer(medium: &dyn Medium, path: &Path, dir: &Path) -> Result<(), StorageError> {
    if !medium.exists(path) {
        return Ok(());
    }
    let Ok(database) = HeldDatabase::glance(medium, path, dir, STATE_CACHE) else {
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

/// The format of a directory's state; `None` before it was first written.
fn format_of(rtxn: &ReadTxn) -> Result<Option<u32>, StorageError> {
    let version = META.read(rtxn)?.get(&FORMAT_KEY.to_owned())?;
    Ok(version.map(|version| u32::try_from(version).unwrap_or(u32::MAX)))
}

fn bring_up_to_date(database: &HeldDatabase, dir: &Path) -> Result<(), StorageError> {
    let Some(found) = format_of(&ReadTxn(database.begin_read()?))? else {
        let wtxn = WriteTxn(database.begin_write()?);
        set_format(&wtxn, FORMAT_VERSION)?;
        return guarded(STATE, || Ok(wtxn.0.commit()?));
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
        guarded(STATE, || Ok(wtxn.0.commit()?))?;
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
        .put(&FORMAT_KEY.to_owned(), &u64::from(version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_format_is_refused_and_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        drop(OpenOptions::new(dir.path()).open().unwrap());
        let state = dir.path().join(STATE);
        let database = HeldDatabase::open(&FileSystem, &state, dir.path(), 1 << 20).unwrap();
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
