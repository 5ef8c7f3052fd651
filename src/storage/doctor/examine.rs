//! Use case: look at a whole directory and say what is damaged.

use super::check::TableCheck;
use super::found::{Damage, Examination, FileFound};
use super::pages::{Commit, Pages, Walked};
use crate::kit::to_hex;
use crate::storage::backup::{Progress, is_unfinished_restore};
use crate::storage::codec::Value;
use crate::storage::error::StorageError;
use crate::storage::held::HeldDatabase;
use crate::storage::medium::{FileSystem, Medium};
use crate::storage::open::{FORMAT_KEY, META_TABLE, STATE, STATE_CACHE};
use crate::storage::volumes::{
    BYTES, VolumeFile, VolumeRef, numbers_in, read_checked, volume_path,
};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

/// What a data directory may hold besides its store.
const KNOWN: &[&str] = &[STATE, "volumes", "index", "keys", "models", "lost+found"];

/// Looks at the directory `dir` of a stopped server: the structure of each file, every row of each of `tables`, and every byte that a row
/// refers to. Nothing is changed. Blocks for as long as reading everything takes.
///
/// # Errors
/// [`StorageError::Locked`] while a process holds the directory, [`StorageError::UnfinishedRestore`], and an I/O error when there is no
/// store in it. Damage is no error but the answer.
pub fn examine(
    dir: &Path,
    tables: &[TableCheck],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Examination, StorageError> {
    if is_unfinished_restore(dir) {
        return Err(StorageError::UnfinishedRestore(dir.to_owned()));
    }
    let mut found = examine_on(&FileSystem, dir, tables, progress)?;
    found.disk_free_bytes = rustix::fs::statvfs(dir)
        .ok()
        .map(|stat| stat.f_bavail.saturating_mul(stat.f_frsize));
    Ok(found)
}

pub(in crate::storage) fn examine_on(
    medium: &dyn Medium,
    dir: &Path,
    tables: &[TableCheck],
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Examination, StorageError> {
    let path = dir.join(STATE);
    if !medium.exists(&path) {
        let source = io::Error::new(io::ErrorKind::NotFound, "there is no `state.redb` in it");
        return Err(StorageError::io("open data directory", dir, source));
    }
    let mut examiner = Examiner {
        medium,
        dir,
        found: Examination::default(),
        volumes: BTreeMap::new(),
        done_bytes: 0,
        progress,
    };
    // Before anything else, so that a directory in use is not read for an hour first.
    examiner.structure(STATE, &path)?;
    examiner.volume_files()?;
    examiner.state(&path, tables)?;
    examiner.leftovers()?;
    let mut found = examiner.found;
    found.whole = found.damage.is_empty();
    Ok(found)
}

struct Examiner<'a> {
    medium: &'a dyn Medium,
    dir: &'a Path,
    found: Examination,
    /// Volumes that can be opened.
    volumes: BTreeMap<u32, VolumeFile>,
    done_bytes: u64,
    progress: &'a mut dyn FnMut(Progress<'_>),
}

impl Examiner<'_> {
    /// Looks at every page of a file, and when they are as they were written lets redb look at what they say.
    fn structure(&mut self, name: &str, path: &Path) -> Result<(), StorageError> {
        let pages = open_pages(self.medium, path, self.dir)?;
        let bytes = pages.bytes();
        let looked = choose(&pages).and_then(|chosen| match pages.is_whole(&chosen.commit) {
            true => Ok(()),
            false => Err("some of its pages are not as they were written".to_owned()),
        });
        drop(pages);
        let looked = looked.and_then(|()| {
            HeldDatabase::look(self.medium, path, self.dir, STATE_CACHE)
                .and_then(|mut database| database.check())
                .map_err(|error| plain(&error))
        });
        self.found.files.push(FileFound {
            name: name.to_owned(),
            bytes,
            whole: looked.is_ok(),
        });
        if let Err(what) = looked {
            self.found.add(Damage::of_file(name, what));
        }
        self.advance(name, bytes);
        Ok(())
    }

    fn volume_files(&mut self) -> Result<(), StorageError> {
        let dir = self.dir.join("volumes");
        let numbers = match numbers_in(self.medium, &dir) {
            Ok(numbers) => numbers,
            Err(error) => {
                self.found
                    .add(Damage::of_file("volumes", error.to_string()));
                return Ok(());
            }
        };
        for number in numbers {
            let path = volume_path(&dir, number);
            self.structure(&name_of(number), &path)?;
            // One that cannot be opened was said to be damaged just now.
            if let Ok(file) = VolumeFile::look(self.medium, &path) {
                self.volumes.insert(number, file);
            }
        }
        Ok(())
    }

    /// Reads every row of every table.
    fn state(&mut self, path: &Path, tables: &[TableCheck]) -> Result<(), StorageError> {
        let pages = open_pages(self.medium, path, self.dir)?;
        // What cannot be chosen was said to be damaged just now.
        let Ok(Chosen { commit, note }) = choose(&pages) else {
            return Ok(());
        };
        self.found.notes.extend(note);
        let (found, walked) = pages.tables(&commit);
        if let Some(lost) = walked.lost() {
            let what = format!("of the list of tables {lost}");
            self.found.add(Damage::of_file(STATE, what));
        }
        for table in &found {
            let check = tables.iter().find(|check| check.name() == table.name);
            if check.is_none() && table.name != META_TABLE {
                let note = format!("table `{}` is not known to this version", table.name);
                self.found.notes.push(note);
            }
            let walked = pages.walk(table, |key, value| {
                match check {
                    Some(check) => self.row(check, key, value),
                    None if table.name == META_TABLE && key == FORMAT_KEY.as_bytes() => {
                        let format = u64::decode(value).ok();
                        self.found.format = format.and_then(|format| format.try_into().ok());
                    }
                    None => {}
                }
                Ok::<_, StorageError>(())
            })?;
            self.walked(&table.name, &walked);
        }
        if self.found.format.is_none() {
            let what = "the format is missing";
            self.found.add(Damage::of_table(STATE, META_TABLE, what));
        }
        Ok(())
    }

    fn row(&mut self, check: &TableCheck, key: &[u8], value: &[u8]) {
        match check.look(key, value) {
            Ok(places) => {
                for place in places {
                    self.follow(check, key, &place);
                }
            }
            Err(what) => self.found.add(Damage::of_row(
                STATE,
                check.name(),
                check.show(key),
                format!("the row cannot be read: {what}"),
            )),
        }
    }

    fn walked(&mut self, table: &str, walked: &Walked) {
        self.found.rows += walked.rows;
        if let Some(lost) = walked.lost() {
            self.found.add(Damage::of_table(STATE, table, lost));
        }
    }

    /// Reads the bytes that a row refers to.
    fn follow(&mut self, check: &TableCheck, key: &[u8], place: &VolumeRef) {
        self.found.references += 1;
        self.found.referred_bytes += u64::from(place.len);
        let read = match self.volumes.get(&place.volume) {
            Some(file) => read_checked(file, place).map(drop),
            None => Err(StorageError::corrupt(
                "volumes",
                "the file is missing or cannot be opened",
            )),
        };
        if let Err(error) = read {
            let damage = Damage::of_row(
                &name_of(place.volume),
                check.name(),
                check.show(key),
                format!("bytes that the row refers to: {}", plain(&error)),
            );
            self.found.add(damage);
        }
        self.advance(check.name(), u64::from(place.len));
    }

    /// Names that a directory in use does not have.
    fn leftovers(&mut self) -> Result<(), StorageError> {
        let list = |dir: &Path| {
            let names = self.medium.list(dir);
            names.map_err(|source| StorageError::io("list", dir, source))
        };
        let known: BTreeSet<&str> = KNOWN.iter().copied().collect();
        let mut left: Vec<PathBuf> = Vec::new();
        for name in list(self.dir)? {
            if !known.contains(name.as_str()) {
                left.push(PathBuf::from(name));
            }
        }
        for name in list(&self.dir.join("volumes")).unwrap_or_default() {
            let stem = name.strip_suffix(".redb");
            if stem.and_then(|stem| stem.parse::<u32>().ok()).is_none() {
                left.push(Path::new("volumes").join(name));
            }
        }
        left.sort();
        for path in left {
            let note = format!("`{}` does not belong to the store", path.display());
            self.found.notes.push(note);
        }
        Ok(())
    }

    fn advance(&mut self, entry: &str, bytes: u64) {
        self.done_bytes += bytes;
        (self.progress)(Progress {
            entry,
            done_bytes: self.done_bytes,
            total_bytes: None,
        });
    }
}

/// Opens a file to read it page by page.
pub(super) fn open_pages(
    medium: &dyn Medium,
    path: &Path,
    dir: &Path,
) -> Result<Pages, StorageError> {
    let opened = medium.open_to_read(path).and_then(Pages::new);
    opened.map_err(|source| {
        if source.kind() == io::ErrorKind::WouldBlock {
            return StorageError::Locked(dir.to_owned());
        }
        StorageError::io("open", path, source)
    })
}

/// The commit to read, and what is to be said about the choice.
pub(super) struct Chosen {
    pub(super) commit: Commit,
    pub(super) note: Option<String>,
}

/// The newest commit; the one before it where the next start would go back to that.
pub(super) fn choose(pages: &Pages) -> Result<Chosen, String> {
    let head = pages.head()?;
    let mut commits = head.commits.iter();
    let newest = *commits.next().ok_or("no commit of it can be read")?;
    let mut chosen = Chosen {
        commit: newest,
        note: None,
    };
    if head.is_unclean && !head.is_two_phase {
        if head.has_damaged_slot {
            let note =
                "`state.redb` knows only one of its last two commits: the last one may be lost";
            chosen.note = Some(note.to_owned());
        } else if let Some(older) = commits.next()
            && !pages.is_whole(&newest)
            && pages.is_whole(older)
        {
            chosen.commit = *older;
            let note = "the last commit of `state.redb` is not whole and the next start goes back to the one before: as it should be after \
                        a power cut in the middle of a commit, damage otherwise";
            chosen.note = Some(note.to_owned());
        }
    }
    Ok(chosen)
}

/// What went wrong, without the words that every failure of the store begins with.
pub(super) fn plain(error: &StorageError) -> String {
    match error {
        StorageError::Corrupt { what, .. } => what.clone(),
        other => other.to_string(),
    }
}

/// A volume's name in the directory.
pub(super) fn name_of(number: u32) -> String {
    format!("volumes/{number:04}.redb")
}

/// The key of a volume's row, as a person reads it: the position of its first byte.
pub(super) fn position_of(key: &[u8]) -> String {
    <[u8; 8]>::try_from(key).map_or_else(
        |_| to_hex(key),
        |bytes| u64::from_be_bytes(bytes).to_string(),
    )
}

/// The one table of a volume.
pub(super) const VOLUME_TABLE: &str = BYTES;
