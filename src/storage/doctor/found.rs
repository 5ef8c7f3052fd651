//! What the doctor found.

use serde::Serialize;

/// Damage that is listed in full; more is only counted.
const LISTED: usize = 1000;

/// A directory, as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// Whether everything reads back as it was stored.
    pub whole: bool,
    /// The directory's format; `None` when that cannot be read.
    pub format: Option<u32>,
    /// Bytes that are free on its disk.
    pub disk_free_bytes: Option<u64>,
    /// Its files.
    pub files: Vec<FileFound>,
    /// Rows that were read.
    pub rows: u64,
    /// References into volumes that were followed.
    pub references: u64,
    /// Bytes that they refer to.
    pub referred_bytes: u64,
    /// What is damaged; the first thousand places.
    pub damage: Vec<Damage>,
    /// Damaged places that are not listed.
    pub more_damage: u64,
    /// What is no damage and wants to be known.
    pub notes: Vec<String>,
}

/// A file of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileFound {
    /// Its name in the directory.
    pub name: String,
    /// Its bytes.
    pub bytes: u64,
    /// Whether redb finds every page as it was written.
    pub whole: bool,
}

/// A place that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// File of the directory.
    pub file: String,
    /// Table, where the damage is in one.
    pub table: Option<String>,
    /// Row, as a person reads its key.
    pub key: Option<String>,
    /// What is wrong.
    pub what: String,
}

impl Examination {
    pub(super) fn add(&mut self, damage: Damage) {
        if self.damage.len() < LISTED {
            self.damage.push(damage);
        } else {
            self.more_damage += 1;
        }
    }
}

impl Damage {
    pub(super) fn of_file(file: &str, what: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            table: None,
            key: None,
            what: what.into(),
        }
    }

    pub(super) fn of_table(file: &str, table: &str, what: impl Into<String>) -> Self {
        Self {
            table: Some(table.to_owned()),
            ..Self::of_file(file, what)
        }
    }

    pub(super) fn of_row(file: &str, table: &str, key: String, what: impl Into<String>) -> Self {
        Self {
            key: Some(key),
            ..Self::of_table(file, table, what)
        }
    }
}
