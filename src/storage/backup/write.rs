//! Use case: take a backup of a running store.
//!
//! The state's snapshot is opened first and the volumes are listed after it. A volume commits before the state that points into
//! it, so what the volumes hold by then includes all that the snapshot can refer to. Only read transactions are held; the
//! state's is let go before the volumes, so that its file does not keep old pages longer than it must.

use super::manifest::{
    BackupFile, BackupOptions, Header, Manifest, Place, Progress, table_name, volume_name,
};
use super::writer::ArchiveWriter;
use crate::storage::database::ReadTxn;
use crate::storage::table::Transaction;
use crate::storage::volumes::Volumes;
use crate::storage::{FORMAT_VERSION, Storage, StorageError};
use redb::{ReadableTable, TableHandle};
use std::io::{self, Read, Write};

/// Bytes of a derived file in one row.
const FILE_ROW: usize = 64 * 1024;

/// Writes the whole store into `out` and answers with what is in it. Blocks for as long as that takes: run it on a thread of
/// its own. The store goes on reading and writing.
///
/// # Errors
/// Failures of the store and of `out`; what was written until then is not a whole archive and is recognised as such.
pub fn write(
    storage: &Storage,
    volumes: &Volumes,
    options: &BackupOptions,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Manifest, StorageError> {
    let header = Header {
        testhide: env!("CARGO_PKG_VERSION").to_owned(),
        storage_format: FORMAT_VERSION,
        created: options.created,
        instance: options.instance.clone(),
    };
    let rtxn = storage.begin_read()?;
    let ends = ends_of(volumes)?;
    let mut archive = ArchiveWriter::start(header, out, progress)?;
    write_state(&rtxn, &mut archive)?;
    drop(rtxn);
    for (number, end) in ends {
        let name = volume_name(number);
        volumes.file(number)?.scan(end, |position, value| {
            archive.row(&name, &position.to_be_bytes(), value)
        })?;
        archive.end_entry(&name)?;
    }
    for file in &options.files {
        write_file(file, &mut archive)?;
    }
    archive.finish()
}

/// Every volume and the position up to which it is copied. Only the last one still grows, so the others are read to their end.
fn ends_of(volumes: &Volumes) -> Result<Vec<(u32, u64)>, StorageError> {
    let mut ends: Vec<(u32, u64)> = volumes
        .numbers()
        .into_iter()
        .map(|number| (number, u64::MAX))
        .collect();
    if let Some((number, end)) = ends.last_mut() {
        *end = volumes.file(*number)?.end()?;
    }
    Ok(ends)
}

fn write_state(rtxn: &ReadTxn, archive: &mut ArchiveWriter<'_>) -> Result<(), StorageError> {
    for handle in rtxn.0.list_tables()? {
        let name = table_name(handle.name());
        if let Some(table) = rtxn.open_raw(handle.name())? {
            for row in table.iter()? {
                let (key, value) = row?;
                archive.row(&name, key.value(), value.value())?;
            }
        }
        archive.end_entry(&name)?;
    }
    Ok(())
}

fn write_file(file: &BackupFile, archive: &mut ArchiveWriter<'_>) -> Result<(), StorageError> {
    if Place::of(&file.name) != Some(Place::File) {
        let source = io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not below `models/` or `index/`",
        );
        return Err(StorageError::io("back up", &file.name, source));
    }
    let failed = |source| StorageError::io("read", &file.path, source);
    let mut from = std::fs::File::open(&file.path).map_err(failed)?;
    let mut at: u64 = 0;
    loop {
        let mut part = Vec::with_capacity(FILE_ROW);
        (&mut from)
            .take(FILE_ROW as u64)
            .read_to_end(&mut part)
            .map_err(failed)?;
        if part.is_empty() {
            return archive.end_entry(&file.name);
        }
        archive.row(&file.name, &at.to_be_bytes(), &part)?;
        at += part.len() as u64;
    }
}
