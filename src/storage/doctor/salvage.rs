//! Use case: write a backup of all that can be read of a damaged directory, and say what is missing.

use super::check::TableCheck;
use super::examine::{VOLUME_TABLE, choose, name_of, open_pages, position_of};
use super::found::Damage;
use super::pages::Walked;
use crate::storage::FORMAT_VERSION;
use crate::storage::backup::{
    ArchiveWriter, BackupOptions, Header, Manifest, Progress, is_unfinished_restore, table_name,
    volume_name,
};
use crate::storage::codec::Value;
use crate::storage::error::StorageError;
use crate::storage::medium::{FileSystem, Medium};
use crate::storage::open::{FORMAT_KEY, META_TABLE, STATE};
use crate::storage::volumes::{numbers_in, volume_path};
use serde::Serialize;
use std::cell::{Cell, RefCell};
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
    let pages = open_pages(medium, &path, dir)?;
    let chosen = choose(&pages).map_err(|what| StorageError::corrupt(STATE, what))?;
    let (mut found, walked) = pages.tables(&chosen.commit);
    let mut missing = Vec::new();
    if found.is_empty() {
        // Without its list of tables a commit is lost; the one before it is often still there.
        let commits = pages.head().map(|head| head.commits).unwrap_or_default();
        found = commits
            .iter()
            .map(|commit| pages.tables(commit).0)
            .find(|tables| !tables.is_empty())
            .unwrap_or_default();
        missing.push(Damage::of_file(STATE, "what the last commit changed"));
    }
    if found.is_empty() {
        return Err(StorageError::corrupt(STATE, "no table of it can be read"));
    }
    let header = Header {
        testhide: env!("CARGO_PKG_VERSION").to_owned(),
        storage_format: FORMAT_VERSION,
        created: options.created,
        instance: options.instance.clone(),
    };
    let mut archive = ArchiveWriter::start(header, out, progress)?;
    if let Some(note) = chosen.note {
        missing.push(Damage::of_file(STATE, note));
    }
    if let Some(lost) = walked.lost() {
        missing.push(Damage::of_file(
            STATE,
            format!("of the list of tables {lost}"),
        ));
    }
    for table in &found {
        let entry = table_name(&table.name);
        let check = tables.iter().find(|check| check.name() == table.name);
        let walked = pages.walk(table, |key, value| {
            match check.map(|check| (check, check.look(key, value))) {
                Some((check, Err(what))) => {
                    missing.push(Damage::of_row(STATE, &table.name, check.show(key), what));
                    Ok(())
                }
                _ => archive.row(&entry, key, value),
            }
        })?;
        if table.name == META_TABLE && walked.rows == 0 {
            // Without it nothing opens; this version writes no other.
            let format = u64::from(FORMAT_VERSION).encode();
            archive.row(&entry, FORMAT_KEY.as_bytes(), &format)?;
        }
        archive.end_entry(&entry)?;
        missing.extend(lost(STATE, &table.name, &walked));
    }
    let volumes = dir.join("volumes");
    for number in numbers_in(medium, &volumes).unwrap_or_default() {
        let entry = volume_name(number);
        let file = name_of(number);
        let pages = open_pages(medium, &volume_path(&volumes, number), dir)?;
        let commit = match choose(&pages) {
            Ok(chosen) => chosen.commit,
            Err(what) => {
                missing.push(Damage::of_file(&file, what));
                continue;
            }
        };
        let (found, walked) = pages.tables(&commit);
        missing.extend(lost(&file, VOLUME_TABLE, &walked));
        if let Some(table) = found.iter().find(|table| table.name == VOLUME_TABLE) {
            let rows = Cell::new(0);
            let end = Cell::new(0);
            let archive = RefCell::new(&mut archive);
            let take = |key: &[u8], position: u64, value: &[u8]| {
                end.set(position.saturating_add(value.len() as u64));
                archive.borrow_mut().row(&entry, key, value)
            };
            let mut walked = pages.walk_all(
                table,
                |key, value| match key.try_into().map(u64::from_be_bytes) {
                    Ok(position) => take(key, position, value),
                    Err(_) => {
                        let what = "the position cannot be read";
                        missing.push(Damage::of_row(&file, VOLUME_TABLE, position_of(key), what));
                        Ok(())
                    }
                },
                // A volume is one string of bytes: a row that goes on where the last one ended has its place. Whether its bytes are
                // right is asked again by whoever reads them, part by part.
                |key, value| match key.try_into().map(u64::from_be_bytes) {
                    Ok(position) if position == end.get() => {
                        rows.set(rows.get() + 1);
                        take(key, position, value)
                    }
                    _ => Ok(()),
                },
            )?;
            walked.rows += rows.get();
            missing.extend(lost(&file, VOLUME_TABLE, &walked));
        }
        archive.end_entry(&entry)?;
    }
    let manifest = archive.finish()?;
    Ok(Salvaged { manifest, missing })
}

fn lost(file: &str, table: &str, walked: &Walked) -> Option<Damage> {
    let lost = walked.lost()?;
    Some(Damage::of_table(file, table, lost))
}
