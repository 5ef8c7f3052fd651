//! One volume on disk: a byte string cut into values under their first byte's position.

use crate::storage::error::StorageError;
use crate::storage::held::{HeldDatabase, guarded};
use crate::storage::medium::Medium;
use crate::storage::table::RawDefinition;
use redb::{Durability, ReadableTable};
use std::path::{Path, PathBuf};

/// The only table of a volume: position (u64, big-endian) to at most [`VALUE`] bytes.
pub(in crate::storage) const BYTES: &str = "bytes";

/// Bytes in one value; see the module's documentation.
const VALUE: usize = 65_000;

/// Cache of one open volume; its bytes are read once or twice and the kernel caches them too.
const CACHE: usize = 4 * 1024 * 1024;

/// The file of volume `number`.
pub(in crate::storage) fn volume_path(dir: &Path, number: u32) -> PathBuf {
    dir.join(format!("{number:04}.redb"))
}

/// An open volume.
pub(in crate::storage) struct VolumeFile {
    name: String,
    database: HeldDatabase,
}

impl VolumeFile {
    pub(in crate::storage) fn open(medium: &dyn Medium, path: &Path) -> Result<Self, StorageError> {
        let dir = path.parent().unwrap_or(path);
        Ok(Self::over(
            path,
            HeldDatabase::open(medium, path, dir, CACHE)?,
        ))
    }

    /// Opens it to look at it, without a change.
    pub(in crate::storage) fn look(medium: &dyn Medium, path: &Path) -> Result<Self, StorageError> {
        let dir = path.parent().unwrap_or(path);
        Ok(Self::over(
            path,
            HeldDatabase::look(medium, path, dir, CACHE)?,
        ))
    }

    fn over(path: &Path, database: HeldDatabase) -> Self {
        let stem = path.file_stem().unwrap_or(path.as_os_str());
        let name = format!("volume {}", stem.to_string_lossy());
        Self { name, database }
    }

    /// The database that holds it.
    pub(in crate::storage) fn database(&self) -> &HeldDatabase {
        &self.database
    }

    /// Position after the last byte.
    pub(in crate::storage) fn end(&self) -> Result<u64, StorageError> {
        let rtxn = self.database.begin_read()?;
        guarded(&self.name, || {
            let Some(table) = open_bytes(&rtxn)? else {
                return Ok(0);
            };
            match table.last()? {
                Some((key, value)) => Ok(position(key.value())? + value.value().len() as u64),
                None => Ok(0),
            }
        })
    }

    /// Appends `parts` from `start` on, in one synced commit.
    ///
    /// Quick-repair is always on here: commits are few and large, and a gigabyte would take eight seconds to repair.
    pub(in crate::storage) fn append(
        &self,
        start: u64,
        parts: &[&[u8]],
    ) -> Result<(), StorageError> {
        let mut wtxn = self.database.begin_write()?;
        guarded(&self.name, || {
            wtxn.set_durability(Durability::Immediate)?;
            wtxn.set_quick_repair(true);
            insert(&wtxn, start, parts)?;
            Ok(wtxn.commit()?)
        })
    }

    /// `len` bytes from `start` on; fewer when the volume ends before.
    pub(in crate::storage) fn read(&self, start: u64, len: usize) -> Result<Vec<u8>, StorageError> {
        let rtxn = self.database.begin_read()?;
        guarded(&self.name, || {
            let mut out = Vec::new();
            let Some(table) = open_bytes(&rtxn)? else {
                return Ok(out);
            };
            let first = start.to_be_bytes();
            let holder = match table.range::<&[u8]>(..=first.as_slice())?.next_back() {
                Some(row) => row?.0.value().to_vec(),
                None => return Ok(out),
            };
            for row in table.range::<&[u8]>(holder.as_slice()..)? {
                let (key, value) = row?;
                let at = position(key.value())?;
                let skip = usize::try_from(start.saturating_sub(at)).unwrap_or(usize::MAX);
                let bytes = value.value().get(skip..).unwrap_or_default();
                out.extend_from_slice(&bytes[..bytes.len().min(len - out.len())]);
                if out.len() == len {
                    break;
                }
            }
            Ok(out)
        })
    }

    /// Calls `each` with every value up to (not including) position `end`, in order.
    pub(in crate::storage) fn scan(
        &self,
        end: u64,
        mut each: impl FnMut(u64, &[u8]) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        let rtxn = self.database.begin_read()?;
        guarded(&self.name, || {
            let Some(table) = open_bytes(&rtxn)? else {
                return Ok(());
            };
            for row in table.range::<&[u8]>(..end.to_be_bytes().as_slice())? {
                let (key, value) = row?;
                each(position(key.value())?, value.value())?;
            }
            Ok(())
        })
    }
}

type RawBytes = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;

/// The volume's table; `None` before the first append.
fn open_bytes(rtxn: &redb::ReadTransaction) -> Result<Option<RawBytes>, StorageError> {
    match rtxn.open_table(RawDefinition::new(BYTES)) {
        Ok(table) => Ok(Some(table)),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Cuts `parts` into values of [`VALUE`] bytes from `start` on.
fn insert(wtxn: &redb::WriteTransaction, start: u64, parts: &[&[u8]]) -> Result<(), StorageError> {
    let mut table = wtxn.open_table(RawDefinition::new(BYTES))?;
    let mut at = start;
    let mut value = Vec::with_capacity(VALUE);
    for part in parts {
        let mut rest = *part;
        while !rest.is_empty() {
            let (head, tail) = rest.split_at(rest.len().min(VALUE - value.len()));
            value.extend_from_slice(head);
            rest = tail;
            if value.len() == VALUE {
                table.insert(at.to_be_bytes().as_slice(), value.as_slice())?;
                at += VALUE as u64;
                value.clear();
            }
        }
    }
    if !value.is_empty() {
        table.insert(at.to_be_bytes().as_slice(), value.as_slice())?;
    }
    Ok(())
}

fn position(key: &[u8]) -> Result<u64, StorageError> {
    key.try_into()
        .map(u64::from_be_bytes)
        .map_err(|_| StorageError::corrupt(BYTES, "key is not eight bytes"))
}
