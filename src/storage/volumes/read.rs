//! Reading volumes: which files there are, and a few of them open.

use super::file::{VolumeFile, volume_path};
use super::handle::{VolumeRef, check_of};
use crate::storage::error::StorageError;
use crate::storage::medium::Medium;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Closed volumes that stay open for readers; each costs a file handle and up to a few megabytes of cache.
const KEPT_OPEN: usize = 8;

/// The files of `volumes/`.
pub(super) struct Files {
    medium: Arc<dyn Medium>,
    dir: PathBuf,
    open: Mutex<Open>,
    /// Why the last append failed, until the way is free again.
    stuck: Mutex<Option<String>>,
}

struct Open {
    numbers: Vec<u32>,
    files: BTreeMap<u32, Arc<VolumeFile>>,
}

impl Files {
    pub(super) fn open(medium: Arc<dyn Medium>, dir: PathBuf) -> Result<Self, StorageError> {
        medium
            .make_dir(&dir)
            .map_err(|source| StorageError::io("create", &dir, source))?;
        let numbers = numbers_in(&*medium, &dir)?;
        Ok(Self {
            medium,
            dir,
            open: Mutex::new(Open {
                numbers,
                files: BTreeMap::new(),
            }),
            stuck: Mutex::new(None),
        })
    }

    pub(super) fn numbers(&self) -> Vec<u32> {
        self.open.lock().numbers.clone()
    }

    /// When the file of volume `number` was made, as its age.
    pub(super) fn age(&self, number: u32) -> Duration {
        self.medium.age(&volume_path(&self.dir, number))
    }

    pub(super) fn get(&self, number: u32) -> Result<Arc<VolumeFile>, StorageError> {
        let mut open = self.open.lock();
        if let Some(file) = open.files.get(&number) {
            return Ok(file.clone());
        }
        if !open.numbers.contains(&number) {
            return Err(StorageError::corrupt(
                "volumes",
                format!("volume {number} is missing"),
            ));
        }
        let file = Arc::new(VolumeFile::open(
            &*self.medium,
            &volume_path(&self.dir, number),
        )?);
        open.keep(number, file.clone());
        Ok(file)
    }

    /// Why nothing can be appended. A volume that is only read and cannot be is not meant: its readers are told.
    pub(super) fn stuck(&self) -> Option<String> {
        self.stuck.lock().clone()
    }

    /// Notes why an append failed, or that the way is free again.
    pub(super) fn set_stuck(&self, why: Option<String>) {
        *self.stuck.lock() = why;
    }

    /// Volumes that are open and cannot be used as they should.
    pub(super) fn troubled(&self) -> Vec<Arc<VolumeFile>> {
        let open = self.open.lock();
        let troubled = |file: &&Arc<VolumeFile>| file.database().trouble().is_some();
        open.files.values().filter(troubled).cloned().collect()
    }

    /// Makes the volume after `last`.
    pub(super) fn create_after(
        &self,
        last: Option<u32>,
    ) -> Result<(u32, Arc<VolumeFile>), StorageError> {
        let number = last.map_or(1, |last| last + 1);
        let file = Arc::new(VolumeFile::open(
            &*self.medium,
            &volume_path(&self.dir, number),
        )?);
        let mut open = self.open.lock();
        open.numbers.push(number);
        open.keep(number, file.clone());
        Ok((number, file))
    }

    pub(super) fn read(&self, place: &VolumeRef) -> Result<Vec<u8>, StorageError> {
        read_checked(&*self.get(place.volume)?, place)
    }
}

/// The bytes at `place` of its volume `file`, checked against their hash.
pub(in crate::storage) fn read_checked(
    file: &VolumeFile,
    place: &VolumeRef,
) -> Result<Vec<u8>, StorageError> {
    let bytes = file.read(place.position, place.len as usize)?;
    if bytes.len() != place.len as usize || check_of(&bytes) != place.check {
        let what = format!(
            "{} bytes at {} are not what was stored",
            place.len, place.position
        );
        return Err(StorageError::corrupt(
            &format!("volume {}", place.volume),
            what,
        ));
    }
    Ok(bytes)
}

/// The volumes in `dir`, oldest first.
pub(in crate::storage) fn numbers_in(
    medium: &dyn Medium,
    dir: &Path,
) -> Result<Vec<u32>, StorageError> {
    let names = medium
        .list(dir)
        .map_err(|source| StorageError::io("list", dir, source))?;
    let number = |name: &String| name.strip_suffix(".redb")?.parse().ok();
    let mut numbers: Vec<u32> = names.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

impl Open {
    /// Keeps a file open, and closes the oldest that nobody reads when there are too many. The newest is the one being written.
    fn keep(&mut self, number: u32, file: Arc<VolumeFile>) {
        self.files.insert(number, file);
        while self.files.len() > KEPT_OPEN {
            let idle = self
                .files
                .iter()
                .find(|(at, file)| **at != number && Arc::strong_count(file) == 1);
            let Some(oldest) = idle.map(|(at, _)| *at) else {
                return;
            };
            self.files.remove(&oldest);
        }
    }
}
