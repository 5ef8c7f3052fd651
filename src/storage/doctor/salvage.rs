//! Use case: write a backup of all that can be read of a damaged directory, and say what is missing.

use super::check::TableCheck;
use super::examine::{VOLUME_TABLE, name_of, plain, position_of};
use super::found::Damage;
use super::rows::{Walked, table_names, walk};
use crate::storage::FORMAT_VERSION;
use crate::storage::backup::{
    ArchiveWriter, BackupOptions, Header, Manifest, Progress, is_unfinished_restore, table_name,
    volume_name,
};
use crate::storage::codec::Value;
use crate::storage::error::StorageError;
use crate::storage::held::HeldDatabase;
use crate::storage::medium::{FileSystem, Medium};
use crate::storage::open::{STATE, STATE_CACHE};
use crate::storage::volumes::{numbers_in, volume_path};
use serde::Serialize;
use std::io::{self, Write};
use std::path::Path;

/// What was saved of a damaged directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Salvaged {
    /// What is in the backup.
    pub manifest: Manifest,
    /// What is not.
    pub missing: Vec<Damage>,
}

/// Writes a backup of all that can be read of the directory `dir` of a stopped server. Rows that no table of `tables` can read are left out.
/// Rows may refer to bytes that are lost; reading those is an error of its own after a restore, never wrong bytes.
///
/// # Errors
/// As [`examine`](super::examine()); [`StorageError::Corrupt`] when nothing of the state can be read; failures of `out`.
pub fn salvage(
    dir: &Path,
    tables: &[TableCheck],
    options: &BackupOptions,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Salvaged, StorageError> {
    if is_unfinished_restore(dir) {
        return Err(StorageError::UnfinishedRestore(dir.to_owned()));
    }
    salvage_on(&FileSystem, dir, tables, options, out, progress)
}

pub(in crate::storage) fn salvage_on(
    medium: &dyn Medium,
    dir: &Path,
    tables: &[TableCheck],
    options: &BackupOptions,
    out: &mut dyn Write,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Salvaged, StorageError> {
    let path = dir.join(STATE);
    if !medium.exists(&path) {
        let source = io::Error::new(io::ErrorKind::NotFound, "there is no `state.redb` in it");
        return Err(StorageError::io("open data directory", dir, source));
    }
    let database = HeldDatabase::look(medium, &path, dir, STATE_CACHE)?;
    let rtxn = database.begin_read()?;
    let names = table_names(&rtxn)?;
    let header = Header {
        testhide: env!("CARGO_PKG_VERSION").to_owned(),
        storage_format: FORMAT_VERSION,
        created: options.created,
        instance: options.instance.clone(),
    };
    let mut archive = ArchiveWriter::start(header, out, progress)?;
    let mut missing = Vec::new();
    for name in names {
        let entry = table_name(&name);
        let check = tables.iter().find(|check| check.name() == name);
        let walked = walk(&rtxn, &name, |key, value| {
            match check.map(|check| (check, check.look(key, value))) {
                Some((check, Err(what))) => {
                    missing.push(Damage::of_row(STATE, &name, check.show(key), what));
                    Ok(())
                }
                _ => archive.row(&entry, key, value),
            }
        })?;
        if name == "meta" && walked.rows == 0 {
            // The number that opening needs; it is the same in every directory that this version wrote.
            archive.row(&entry, b"format", &u64::from(FORMAT_VERSION).encode())?;
        }
        archive.end_entry(&entry)?;
        missing.extend(lost(STATE, &name, &walked));
    }
    let volumes = dir.join("volumes");
    for number in numbers_in(medium, &volumes).unwrap_or_default() {
        let file = name_of(number);
        let looked = HeldDatabase::look(medium, &volume_path(&volumes, number), dir, STATE_CACHE);
        let read = looked.and_then(|database| Ok((database.begin_read()?, database)));
        let (rtxn, _database) = match read {
            Ok(read) => read,
            Err(error @ StorageError::Locked(_)) => return Err(error),
            Err(error) => {
                missing.push(Damage::of_file(&file, plain(&error)));
                continue;
            }
        };
        // A volume that nobody appended to yet has no table.
        if table_names(&rtxn).is_ok_and(|names| names.is_empty()) {
            archive.end_entry(&volume_name(number))?;
            continue;
        }
        let entry = volume_name(number);
        let walked = walk(&rtxn, VOLUME_TABLE, |key, value| {
            if key.len() == 8 {
                archive.row(&entry, key, value)
            } else {
                let what = "the position cannot be read";
                missing.push(Damage::of_row(&file, VOLUME_TABLE, position_of(key), what));
                Ok(())
            }
        })?;
        archive.end_entry(&entry)?;
        missing.extend(lost(&file, VOLUME_TABLE, &walked));
    }
    let manifest = archive.finish()?;
    Ok(Salvaged { manifest, missing })
}

fn lost(file: &str, table: &str, walked: &Walked) -> Option<Damage> {
    let error = walked.damage.as_ref()?;
    let rows = match walked.missing() {
        Some(rows) => format!("{rows} rows"),
        None => "rows, nobody can say how many".to_owned(),
    };
    Some(Damage::of_table(file, table, format!("{rows}: {}", plain(error))))
}
