//! The directory that a restore fills: made aside, moved into place at the end, `state.redb` last.
//!
//! From its first moment until then the directory holds a `state.redb` that is no database but a sentence, so that nothing opens
//! a restore that a power cut or a `kill -9` interrupted. One that fails in order removes what it made.

use super::archive::Row;
use super::manifest::Place;
use crate::kit::create_private_dir;
use crate::storage::StorageError;
use crate::storage::held::HeldDatabase;
use crate::storage::medium::FileSystem;
use crate::storage::table::RawDefinition;
use crate::storage::volumes::{BYTES, volume_path};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

const STAGING: &str = ".restoring";
const STATE: &str = "state.redb";

/// What stands in place of `state.redb` until the restore is whole.
const SENTENCE: &[u8] =
    b"testhide: a restore into this directory did not finish. Remove what is in the directory and restore again.\n";

/// Cache of each database that is being filled; what does not fit goes to the file.
const CACHE: usize = 8 * 1024 * 1024;

/// Whether `dir` holds a restore that was interrupted (or still runs).
#[must_use]
pub fn is_unfinished_restore(dir: &Path) -> bool {
    let mut start = vec![0; SENTENCE.len()];
    File::open(dir.join(STATE))
        .and_then(|mut file| file.read_exact(&mut start))
        .is_ok()
        && start == SENTENCE
}

/// A directory that is being filled.
pub(super) struct Target {
    dir: PathBuf,
    staging: PathBuf,
    made_dir: bool,
    finished: bool,
    filling: Option<Filling>,
    state: Option<HeldDatabase>,
}

/// The entry whose blocks are coming in.
struct Filling {
    name: String,
    part: Part,
}

enum Part {
    /// Before its database, which goes after it.
    Table {
        wtxn: Box<redb::WriteTransaction>,
        table: String,
        _volume: Option<HeldDatabase>,
    },
    File {
        file: File,
        path: PathBuf,
        at: u64,
    },
}

impl Target {
    /// Takes `dir`, which must be absent or empty.
    pub(super) fn new(dir: &Path) -> Result<Self, StorageError> {
        let made_dir = !refuse_full(dir)?;
        let staging = dir.join(STAGING);
        create_private_dir(dir).map_err(|source| StorageError::io("create", dir, source))?;
        put_sentence(dir).map_err(|source| StorageError::io("write", dir.join(STATE), source))?;
        let mut target = Self {
            dir: dir.to_owned(),
            staging,
            made_dir,
            finished: false,
            filling: None,
            state: None,
        };
        sync_dir(dir)?;
        create_private_dir(&target.staging)
            .map_err(|source| StorageError::io("create", &target.staging, source))?;
        target.state = Some(HeldDatabase::open(
            &FileSystem,
            &target.staging.join(STATE),
            dir,
            CACHE,
        )?);
        Ok(target)
    }

    /// Adds rows to the entry `name`; the rows of an entry follow each other.
    pub(super) fn put(&mut self, name: &str, rows: &[Row<'_>]) -> Result<(), StorageError> {
        if self
            .filling
            .as_ref()
            .is_none_or(|filling| filling.name != name)
        {
            self.end_entry()?;
            self.filling = Some(Filling {
                name: name.to_owned(),
                part: self.begin(name)?,
            });
        }
        let Some(filling) = &mut self.filling else {
            return Ok(());
        };
        match &mut filling.part {
            Part::Table { wtxn, table, .. } => {
                let mut table = wtxn.open_table(RawDefinition::new(table))?;
                for (key, value) in rows {
                    table.insert(*key, *value)?;
                }
            }
            Part::File { file, path, at } => {
                for (key, value) in rows {
                    if **key != at.to_be_bytes() {
                        return Err(StorageError::corrupt(
                            name,
                            format!("bytes are missing at {at}"),
                        ));
                    }
                    file.write_all(value)
                        .map_err(|source| StorageError::io("write", &*path, source))?;
                    *at += value.len() as u64;
                }
            }
        }
        Ok(())
    }

    /// Syncs everything and moves it into place; the directory can be opened only when this has answered `Ok`.
    pub(super) fn finish(mut self, progress: &mut dyn FnMut(&str)) -> Result<(), StorageError> {
        self.end_entry()?;
        self.state = None;
        // A store always has the folder, also when nothing was ever appended.
        let volumes = self.staging.join("volumes");
        create_private_dir(&volumes)
            .map_err(|source| StorageError::io("create", &volumes, source))?;
        sync_tree(&self.staging)?;
        for room in ["volumes", "models", "index"] {
            let from = self.staging.join(room);
            if from.exists() {
                progress(room);
                rename(&from, &self.dir.join(room))?;
            }
        }
        sync_dir(&self.dir)?;
        progress(STATE);
        rename(&self.staging.join(STATE), &self.dir.join(STATE))?;
        self.finished = true;
        fs::remove_dir(&self.staging)
            .map_err(|source| StorageError::io("remove", &self.staging, source))?;
        sync_dir(&self.dir)
    }

    fn begin(&self, name: &str) -> Result<Part, StorageError> {
        match Place::of(name) {
            Some(Place::Table(table)) => {
                let state = self.state.as_ref().expect("open until the end");
                Ok(Part::Table {
                    wtxn: Box::new(state.begin_write()?),
                    table: table.to_owned(),
                    _volume: None,
                })
            }
            Some(Place::Volume(number)) => {
                let dir = self.staging.join("volumes");
                create_private_dir(&dir)
                    .map_err(|source| StorageError::io("create", &dir, source))?;
                let volume =
                    HeldDatabase::open(&FileSystem, &volume_path(&dir, number), &dir, CACHE)?;
                Ok(Part::Table {
                    wtxn: Box::new(volume.begin_write()?),
                    table: BYTES.to_owned(),
                    _volume: Some(volume),
                })
            }
            Some(Place::File) => {
                let path = self.staging.join(name);
                let dir = path.parent().unwrap_or(&self.staging);
                create_private_dir(dir)
                    .map_err(|source| StorageError::io("create", dir, source))?;
                let file = File::create_new(&path)
                    .map_err(|source| StorageError::io("create", &path, source))?;
                Ok(Part::File { file, path, at: 0 })
            }
            None => Err(StorageError::corrupt(
                name,
                "has no place in a data directory",
            )),
        }
    }

    fn end_entry(&mut self) -> Result<(), StorageError> {
        match self.filling.take().map(|filling| filling.part) {
            Some(Part::Table { wtxn, .. }) => Ok(wtxn.commit()?),
            Some(Part::File { file, path, .. }) => file
                .sync_all()
                .map_err(|source| StorageError::io("sync", path, source)),
            None => Ok(()),
        }
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        if self.finished {
            return;
        }
        self.filling = None;
        self.state = None;
        // What was moved into place already is as unfinished as the rest; the sentence goes last.
        for room in [STAGING, "volumes", "models", "index"] {
            drop(fs::remove_dir_all(self.dir.join(room)));
        }
        drop(fs::remove_file(self.dir.join(STATE)));
        if self.made_dir {
            drop(fs::remove_dir(&self.dir));
        }
    }
}

/// Puts the sentence in place of `state.redb`, whole from its first moment. Only one restore can do that; another that comes at the
/// same time fails and has touched nothing.
fn put_sentence(dir: &Path) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(".writing-")
        .tempfile_in(dir)?;
    file.write_all(SENTENCE)?;
    file.as_file().sync_all()?;
    file.persist_noclobber(dir.join(STATE))
        .map_err(|error| error.error)?;
    Ok(())
}

/// Says whether `dir` is there; an error when something is in it.
fn refuse_full(dir: &Path) -> Result<bool, StorageError> {
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(source) => return Err(StorageError::io("list", dir, source)),
    };
    for entry in entries {
        let name = entry
            .map_err(|source| StorageError::io("list", dir, source))?
            .file_name();
        // An empty disk of its own has this folder.
        if name == "lost+found" {
            continue;
        }
        let what = if is_unfinished_restore(dir) {
            "it holds a restore that did not finish; remove what is in it and restore again"
        } else {
            "it is not empty; give a directory that is absent or empty"
        };
        let source = io::Error::new(io::ErrorKind::DirectoryNotEmpty, what);
        return Err(StorageError::io("restore into", dir, source));
    }
    Ok(true)
}

fn rename(from: &Path, to: &Path) -> Result<(), StorageError> {
    fs::rename(from, to).map_err(|source| StorageError::io("move", from, source))
}

/// Syncs the names in `dir` and in every directory below it; the files in them are synced already.
fn sync_tree(dir: &Path) -> Result<(), StorageError> {
    let failed = |source| StorageError::io("list", dir, source);
    for entry in fs::read_dir(dir).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    sync_dir(dir)
}

/// Syncs the names in `dir`, where the system can do that.
fn sync_dir(dir: &Path) -> Result<(), StorageError> {
    if cfg!(unix) {
        let synced = File::open(dir).and_then(|dir| dir.sync_all());
        synced.map_err(|source| StorageError::io("sync", dir, source))?;
    }
    Ok(())
}
