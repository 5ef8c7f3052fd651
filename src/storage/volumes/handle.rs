//! The handle to the volumes, and the references it gives out.

use super::{append, read};
use crate::storage::database::Answers;
use crate::storage::disk::DiskGuard;
use crate::storage::error::StorageError;
use crate::storage::medium::Medium;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::Arc;

/// Where bytes lie in the volumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct VolumeRef {
    /// Number of the file.
    pub volume: u32,
    /// First byte's place in it.
    pub position: u64,
    /// Bytes.
    pub len: u32,
    /// First eight bytes of their BLAKE3, so that damage is found when they are read.
    pub check: u64,
}

/// The volumes of a data directory; clones share them.
#[derive(Clone)]
pub struct Volumes {
    appender: append::Appender,
    files: Arc<read::Files>,
    guard: DiskGuard,
}

impl Volumes {
    pub(in crate::storage) fn open(
        medium: Arc<dyn Medium>,
        dir: PathBuf,
        guard: DiskGuard,
        answers: Answers,
    ) -> Result<Self, StorageError> {
        let files = Arc::new(read::Files::open(medium, dir)?);
        let appender = append::Appender::start(files.clone(), guard.clone(), answers)?;
        Ok(Self {
            appender,
            files,
            guard,
        })
    }

    /// Stores each of `parts` and answers where they lie, in order, once all are on disk. Appends that wait at the same time
    /// share one commit.
    ///
    /// # Errors
    /// [`StorageError::ReadOnly`] below the hard floor of free disk, [`StorageError::Unavailable`] when the disk failed, other
    /// failures of the store; nothing then points to what may have been written.
    pub async fn append(&self, parts: Vec<Bytes>) -> Result<Vec<VolumeRef>, StorageError> {
        self.appender.append(parts).await
    }

    /// As [`Volumes::append`] for files that can wait: refused already below the soft floor.
    ///
    /// # Errors
    /// [`StorageError::NoRoom`] below the soft floor, else as [`Volumes::append`].
    pub async fn append_file(&self, parts: Vec<Bytes>) -> Result<Vec<VolumeRef>, StorageError> {
        self.guard
            .check_soft()
            .map_err(|(free_mb, floor_mb)| StorageError::NoRoom { free_mb, floor_mb })?;
        self.append(parts).await
    }

    /// The bytes at `place`, checked against its hash. Blocks for a disk read.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`] when they are not what was stored, other failures of the store.
    pub fn read(&self, place: &VolumeRef) -> Result<Vec<u8>, StorageError> {
        self.files.read(place)
    }

    /// Why nothing can be appended now, for a person; `None` when all is well. Free disk below its floor is not meant.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.files.stuck()
    }

    /// Tries to make volumes usable again after the disk failed; does nothing when they are. To be called about once a second.
    ///
    /// # Errors
    /// Why one is still not.
    pub async fn mend(&self) -> Result<(), StorageError> {
        if self.files.stuck().is_none() && self.files.troubled().is_empty() {
            return Ok(());
        }
        self.appender.mend().await
    }

    /// Numbers of the files there are, oldest first.
    #[must_use]
    pub fn numbers(&self) -> Vec<u32> {
        self.files.numbers()
    }

    pub(in crate::storage) fn file(
        &self,
        number: u32,
    ) -> Result<Arc<super::VolumeFile>, StorageError> {
        self.files.get(number)
    }

    /// Ends the writer after what waits now and waits for it.
    pub async fn close(self) {
        self.appender.close().await;
    }
}

/// The check that goes into a [`VolumeRef`].
pub(super) fn check_of(bytes: &[u8]) -> u64 {
    let hash = blake3::hash(bytes);
    let (head, _) = hash
        .as_bytes()
        .split_first_chunk::<8>()
        .expect("BLAKE3 has 32 bytes");
    u64::from_be_bytes(*head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{Floors, OpenOptions};
    use proptest::prelude::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

        #[test]
        fn what_was_appended_is_read_back_also_after_a_restart(
            batches in proptest::collection::vec(proptest::collection::vec(0usize..200_000, 1..5), 1..5)
        ) {
            let dir = tempfile::tempdir().unwrap();
            let runtime = runtime();
            let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
            let mut stored = Vec::new();
            for sizes in batches {
                let parts: Vec<Bytes> =
                    sizes.iter().map(|size| (0..*size).map(|i| (i * 31 + size) as u8).collect::<Vec<u8>>().into()).collect();
                let places = runtime.block_on(volumes.append(parts.clone())).unwrap();
                stored.extend(places.into_iter().zip(parts));
            }
            runtime.block_on(async { volumes.close().await; storage.close().await; });
            let (_storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
            for (place, bytes) in &stored {
                prop_assert_eq!(&volumes.read(place).unwrap()[..], &bytes[..]);
            }
        }
    }

    #[test]
    fn a_full_disk_refuses_and_recovers_by_itself() {
        let free = Arc::new(std::sync::atomic::AtomicU64::new(10_000));
        let probe = free.clone();
        let dir = tempfile::tempdir().unwrap();
        let floors = Floors {
            soft_bytes: 2_000,
            hard_bytes: 1_000,
        };
        let load = move || probe.load(std::sync::atomic::Ordering::SeqCst);
        let guard = DiskGuard::with_probe(floors, load);
        let (storage, volumes) = OpenOptions::new(dir.path()).open_with(&guard).unwrap();
        let runtime = runtime();
        let append = || runtime.block_on(volumes.append(vec![Bytes::from_static(b"bytes")]));
        assert!(append().is_ok());
        free.store(1_500, std::sync::atomic::Ordering::SeqCst);
        guard.forget();
        let refused = runtime.block_on(volumes.append_file(vec![Bytes::from_static(b"file")]));
        assert!(
            matches!(refused, Err(StorageError::NoRoom { .. })),
            "{refused:?}"
        );
        assert!(append().is_ok(), "logs still go in below the soft floor");
        free.store(500, std::sync::atomic::Ordering::SeqCst);
        guard.forget();
        assert!(matches!(append(), Err(StorageError::ReadOnly { .. })));
        let write = runtime.block_on(storage.write(|_| Ok::<_, StorageError>(())));
        assert!(matches!(write, Err(StorageError::ReadOnly { .. })));
        free.store(10_000, std::sync::atomic::Ordering::SeqCst);
        assert!(append().is_ok(), "comes back without a restart");
    }

    #[test]
    fn damage_is_found_when_the_bytes_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let (_storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
        let place = runtime()
            .block_on(volumes.append(vec![Bytes::from_static(b"whole")]))
            .unwrap()[0];
        let other = VolumeRef {
            check: place.check ^ 1,
            ..place
        };
        assert!(matches!(
            volumes.read(&other),
            Err(StorageError::Corrupt { .. })
        ));
        let past = VolumeRef {
            position: place.position + 1,
            ..place
        };
        assert!(matches!(
            volumes.read(&past),
            Err(StorageError::Corrupt { .. })
        ));
        let missing = VolumeRef {
            volume: 99,
            ..place
        };
        assert!(matches!(
            volumes.read(&missing),
            Err(StorageError::Corrupt { .. })
        ));
    }
}
