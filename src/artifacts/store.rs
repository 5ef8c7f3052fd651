//! Tables of artifacts.

use super::error::ArtifactsError;
use super::model::ArtifactRecord;
use crate::storage::{
    FileReader, Storage, StorageError, Table, TableCheck, Transaction, Volumes, WriteTxn,
};
use testhide_protocol::{ArtifactId, BuildId};

const ARTIFACTS: Table<ArtifactId, ArtifactRecord> = Table::new("artifacts");

/// (build, attempt, path) to id.
const BY_PATH: Table<(BuildId, u32, String), [u8; 16]> = Table::new("artifacts_by_path");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[ARTIFACTS.check(), BY_PATH.check()];

/// The artifacts; clones share them.
#[derive(Clone)]
pub struct Artifacts {
    storage: Storage,
    volumes: Volumes,
}

impl Artifacts {
    /// The artifacts in `storage` and `volumes`.
    #[must_use]
    pub fn new(storage: Storage, volumes: Volumes) -> Self {
        Self { storage, volumes }
    }

    /// One artifact.
    ///
    /// # Errors
    /// [`ArtifactsError::NotFound`], failures of the store.
    pub fn get(&self, id: ArtifactId) -> Result<ArtifactRecord, ArtifactsError> {
        self.storage.read(|rtxn| {
            ARTIFACTS
                .read(rtxn)?
                .get(&id)?
                .ok_or(ArtifactsError::NotFound(id))
        })
    }

    /// The artifacts of a build, by attempt and path.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn of_build(&self, build: BuildId) -> Result<Vec<ArtifactRecord>, StorageError> {
        self.storage.read(|rtxn| list(rtxn, build))
    }

    /// Reads an artifact's bytes.
    #[must_use]
    pub fn open(&self, record: &ArtifactRecord) -> FileReader {
        FileReader::new(self.volumes.clone(), &record.file)
    }
}

/// Keeps a file; one that was kept under the same path of the same attempt goes.
///
/// # Errors
/// Failures of the store.
pub fn keep(wtxn: &WriteTxn, record: &ArtifactRecord) -> Result<(), StorageError> {
    let mut by_path = BY_PATH.write(wtxn)?;
    let mut artifacts = ARTIFACTS.write(wtxn)?;
    let key = (record.build, record.attempt, record.path.clone());
    if let Some(older) = by_path.get(&key)? {
        artifacts.remove(&ArtifactId::from_bytes(older))?;
    }
    by_path.put(&key, &record.id.bytes())?;
    artifacts.put(&record.id, record)
}

/// The artifacts of a build, by attempt and path.
///
/// # Errors
/// Failures of the store.
pub fn list<T: Transaction>(txn: &T, build: BuildId) -> Result<Vec<ArtifactRecord>, StorageError> {
    let artifacts = ARTIFACTS.read(txn)?;
    let mut all = Vec::new();
    for row in BY_PATH.read(txn)?.prefix(&build)? {
        all.extend(artifacts.get(&ArtifactId::from_bytes(row?.1))?);
    }
    Ok(all)
}
