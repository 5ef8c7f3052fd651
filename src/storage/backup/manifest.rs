//! What an archive says about itself: its header, its entries and their names.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use testhide_protocol::Timestamp;

/// What a backup is made of, besides the state and the volumes.
#[derive(Debug, Clone)]
pub struct BackupOptions {
    /// When the backup is made.
    pub created: Timestamp,
    /// Name of the instance, for the person who finds the file.
    pub instance: Option<String>,
    /// Files of `models/` and `index/` to take along; all of them can be made again from the state.
    pub files: Vec<BackupFile>,
}

/// A derived file that goes into the backup.
#[derive(Debug, Clone)]
pub struct BackupFile {
    /// Its place in the data directory with `/` between the parts, below `models/` or `index/`.
    pub name: String,
    /// Where it is read from.
    pub path: PathBuf,
}

/// Who wrote an archive and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Version of the testhide that wrote it.
    pub testhide: String,
    /// Format of the data directory in it.
    pub storage_format: u32,
    /// When it was made.
    pub created: Timestamp,
    /// Name of the instance, when one was given.
    pub instance: Option<String>,
}

/// Everything in an archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The same as at the archive's start.
    #[serde(flatten)]
    pub header: Header,
    /// The entries, in the order in which they stand.
    pub entries: Vec<Entry>,
}

/// A table, a volume or a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// `state/<table>`, `volumes/<number>`, or the path of a derived file.
    pub name: String,
    /// Rows in it.
    pub rows: u64,
    /// Bytes before compression.
    pub raw_bytes: u64,
    /// BLAKE3 of these bytes, in hex.
    pub blake3: String,
}

/// How far the work is; called about once a megabyte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// What is being worked on.
    pub entry: &'a str,
    /// Bytes of the archive that are done.
    pub done_bytes: u64,
    /// Bytes of the archive; unknown while it is written.
    pub total_bytes: Option<u64>,
}

impl BackupOptions {
    /// A backup of state and volumes, without a name and without derived files.
    #[must_use]
    pub fn new(created: Timestamp) -> Self {
        Self {
            created,
            instance: None,
            files: Vec::new(),
        }
    }
}

/// What an entry's name means. Everything else is refused, so that no archive writes outside its directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// A table of `state.redb`.
    Table(&'a str),
    /// A volume.
    Volume(u32),
    /// A derived file.
    File,
}

impl<'a> Place<'a> {
    pub(super) fn of(name: &'a str) -> Option<Self> {
        let (room, rest) = name.split_once('/')?;
        match room {
            "state" if !rest.is_empty() => Some(Self::Table(rest)),
            "volumes" => {
                let number = rest.parse().ok()?;
                (volume_name(number) == name).then_some(Self::Volume(number))
            }
            "models" | "index" => rest.split('/').all(is_plain).then_some(Self::File),
            _ => None,
        }
    }
}

pub(in crate::storage) fn table_name(table: &str) -> String {
    format!("state/{table}")
}

pub(in crate::storage) fn volume_name(number: u32) -> String {
    format!("volumes/{number:04}")
}

/// Whether `part` is a file name on every system and leads nowhere else.
fn is_plain(part: &str) -> bool {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !part.is_empty() && !part.ends_with('.') && part.bytes().all(known)
}

/// Counts and hashes entries as their blocks pass by; the writer and every reader keep one and must come to the same.
#[derive(Default)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    current: Option<(Entry, blake3::Hasher)>,
}

impl Ledger {
    /// Adds a block; an entry that was ended by another one cannot go on, which is answered with `false`.
    #[must_use]
    pub(super) fn add(&mut self, name: &str, rows: u32, raw: &[u8]) -> bool {
        if self
            .current
            .as_ref()
            .is_none_or(|(entry, _)| entry.name != name)
        {
            self.end_entry();
            if self.entries.iter().any(|entry| entry.name == name) {
                return false;
            }
            let entry = Entry {
                name: name.to_owned(),
                rows: 0,
                raw_bytes: 0,
                blake3: String::new(),
            };
            self.current = Some((entry, blake3::Hasher::new()));
        }
        if let Some((entry, hasher)) = &mut self.current {
            entry.rows += u64::from(rows);
            entry.raw_bytes += raw.len() as u64;
            hasher.update(raw);
        }
        true
    }

    /// The entries so far; nothing may be added after.
    pub(super) fn finish(&mut self) -> Vec<Entry> {
        self.end_entry();
        std::mem::take(&mut self.entries)
    }

    fn end_entry(&mut self) {
        if let Some((mut entry, hasher)) = self.current.take() {
            entry.blake3 = hasher.finalize().to_hex().to_string();
            self.entries.push(entry);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn only_names_that_stay_in_the_directory_are_known() {
        let check = |name, expected| assert_eq!(Place::of(name), expected, "{name}");
        check("state/builds", Some(Place::Table("builds")));
        check("state/a/b", Some(Place::Table("a/b")));
        check("state/", None);
        check("volumes/0001", Some(Place::Volume(1)));
        check("volumes/12345", Some(Place::Volume(12_345)));
        check("volumes/1", None);
        check("volumes/+001", None);
        check("volumes/../x", None);
        check("models/flaky.bin", Some(Place::File));
        check("index/text/.managed.json", Some(Place::File));
        check("models/../state.redb", None);
        check("models//x", None);
        check("models/", None);
        check("models/a\\b", None);
        check("/models/x", None);
        check("keys/signing", None);
        check("state.redb", None);
    }
}
