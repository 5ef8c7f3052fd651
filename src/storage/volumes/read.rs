//! Reading volumes: which files there are, and a few of them open.

use super::file::{VolumeFile, volume_path};
use super::handle::{VolumeRef, check_of};
use crate::kit::create_private_dir;
use crate::storage::error::StorageError;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Closed volumes that stay open for readers; each costs a file handle and up to a few megabytes of cache.
const KEPT_OPEN: usize = 8;

/// The files of `volumes/`.
pub(super) struct Files {
    dir: PathBuf,
    open: Mutex<Open>,
}

struct Open {
    numbers: Vec<u32>,
    files: BTreeMap<u32, Arc<VolumeFile>>,
}

impl Files {
    pub(super) fn open(dir: PathBuf) -> Result<Self, StorageError> {
        create_private_dir(&dir).map_err(|source| StorageError::io("create", &dir, source))?;
        let mut numbers = Vec::new();
        let entries =
            std::fs::read_dir(&dir).map_err(|source| StorageError::io("list", &dir, source))?;
        for entry in entries {
            let name = entry
                .map_err(|source| StorageError::io("list", &dir, source))?
                .file_name();
            let number: Option<u32> = name
                .to_str()
                .and_then(|name| name.strip_suffix(".redb"))
                .and_then(|stem| stem.parse().ok());
            numbers.extend(number);
        }
        numbers.sort_unstable();
        Ok(Self {
            dir,
            open: Mutex::new(Open {
                numbers,
                files: BTreeMap::new(),
            }),
        })
    }

    pub(super) fn numbers(&self) -> Vec<u32> {
        self.open.lock().numbers.clone()
    }

    /// When the file of volume `number` was made, as its age.
    pub(super) fn age(&self, number: u32) -> std::time::Duration {
        let made =
            std::fs::metadata(volume_path(&self.dir, number)).and_then(|meta| meta.created());
        made.ok()
            .and_then(|made| made.elapsed().ok())
            .unwrap_or_default()
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
        let file = Arc::new(VolumeFile::open(&volume_path(&self.dir, number))?);
        open.keep(number, file.clone());
        Ok(file)
    }

    /// Forgets an open file: after a failed read or write redb answers nothing but that failure, and only opening it again helps.
    pub(super) fn forget(&self, number: u32) {
        self.open.lock().files.remove(&number);
    }

    /// Makes the volume after `last`.
    pub(super) fn create_after(
        &self,
        last: Option<u32>,
    ) -> Result<(u32, Arc<VolumeFile>), StorageError> {
        let number = last.map_or(1, |last| last + 1);
        let file = Arc::new(VolumeFile::open(&volume_path(&self.dir, number))?);
        let mut open = self.open.lock();
        open.numbers.push(number);
        open.keep(number, file.clone());
        Ok((number, file))
    }

    pub(super) fn read(&self, place: &VolumeRef) -> Result<Vec<u8>, StorageError> {
        let bytes = self
            .get(place.volume)?
            .read(place.position, place.len as usize)?;
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
