//! Use case: bring home what is whole of a damaged archive, and say what is not.
//!
//! Every frame names its entry and carries checks of its own, so the search goes on behind a damaged place. Derived files are
//! left out: half of one is worth nothing and all of them can be made again.

use super::archive::{format_refusal, rows_of};
use super::manifest::{Entry, Header, Ledger, Manifest, Place, Progress};
use super::reader::{ArchiveReader, Fault, Frame};
use super::target::Target;
use crate::storage::StorageError;
use crate::storage::codec::Value;
use serde::Serialize;
use std::path::Path;

/// The table that knows the directory's format, and its row.
const META: (&str, &str) = ("state/meta", "format");

/// What came out of a damaged archive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Salvaged {
    /// Who wrote the archive and when, when that was readable.
    pub header: Option<Header>,
    /// What was restored.
    pub entries: Vec<Entry>,
    /// Places in the archive that are not as they were written.
    pub damage: Vec<Damage>,
    /// Entries that were not restored in full; `None` when the manifest is gone, so that nobody can say.
    pub missing: Option<Vec<Missing>>,
}

/// A place that is not as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// Byte of the archive.
    pub at: u64,
    /// What is wrong there.
    pub what: String,
}

/// An entry of which not everything was restored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Its name.
    pub name: String,
    /// Rows it had.
    pub rows: u64,
    /// Rows that were restored.
    pub restored: u64,
}

/// Makes the data directory `dir` from what is whole of the archive at `path`. Rows of the state may refer to bytes that are
/// lost; reading those is an error of its own, never wrong bytes.
///
/// # Errors
/// As [`restore`](super::restore()) for `dir` and for a newer format; [`StorageError::Backup`] when nothing is whole or when nothing
/// tells the format of the directory.
pub fn salvage(
    path: &Path,
    dir: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Salvaged, StorageError> {
    let mut archive = ArchiveReader::open(path)?;
    let mut target = Target::new(dir)?;
    let mut found = Found::default();
    if let Err(fault) = archive.start()? {
        found.step_over(&mut archive, fault)?;
    }
    while found.manifest.is_none() && !found.at_end {
        match archive.next_frame() {
            Ok(frame) => found.keep(&archive, frame, &mut target, progress)?,
            Err(fault) => found.step_over(&mut archive, fault)?,
        }
    }
    if found.damage.is_empty()
        && let Err(fault) = archive.finish()
    {
        found.step_over(&mut archive, fault)?;
    }
    found.finish(&archive, target, progress)
}

#[derive(Default)]
struct Found {
    header: Option<Header>,
    manifest: Option<Manifest>,
    ledger: Ledger,
    has_format: bool,
    damage: Vec<Damage>,
    at_end: bool,
}

impl Found {
    fn keep(
        &mut self,
        archive: &ArchiveReader,
        frame: Frame,
        target: &mut Target,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<(), StorageError> {
        match frame {
            Frame::Header(header) => {
                refuse_newer(archive, &header)?;
                self.header = Some(header);
            }
            Frame::Manifest(manifest) => {
                refuse_newer(archive, &manifest.header)?;
                self.manifest = Some(manifest);
            }
            Frame::Block { name, rows, raw } => {
                let (at, total) = archive.position();
                if !matches!(Place::of(&name), Some(Place::Table(_) | Place::Volume(_))) {
                    return Ok(());
                }
                if !self.ledger.add(&name, rows, &raw) {
                    self.damage.push(Damage {
                        at,
                        what: format!("entry `{name}` stands there a second time"),
                    });
                    return Ok(());
                }
                let rows = rows_of(&raw, rows).expect("the reader gives whole rows");
                self.has_format |=
                    name == META.0 && rows.iter().any(|(key, _)| *key == META.1.as_bytes());
                target.put(&name, &rows)?;
                progress(Progress {
                    entry: &name,
                    done_bytes: at,
                    total_bytes: Some(total),
                });
            }
        }
        Ok(())
    }

    /// Notes the damage and goes to the next whole frame.
    fn step_over(&mut self, archive: &mut ArchiveReader, fault: Fault) -> Result<(), StorageError> {
        match fault {
            Fault::Damaged { at, what } => {
                self.damage.push(Damage { at, what });
                self.at_end = !archive.search()?;
                Ok(())
            }
            failed @ Fault::Failed(_) => Err(archive.broken(failed)),
        }
    }

    fn finish(
        mut self,
        archive: &ArchiveReader,
        mut target: Target,
        progress: &mut dyn FnMut(Progress<'_>),
    ) -> Result<Salvaged, StorageError> {
        let entries = self.ledger.finish();
        if entries.is_empty() {
            return Err(archive.refuse("nothing in it is whole".to_owned()));
        }
        let header = self.header.or_else(|| {
            self.manifest
                .as_ref()
                .map(|manifest| manifest.header.clone())
        });
        if !self.has_format {
            let unknown = "neither its header, its manifest nor its table `meta` is whole, so its storage format is not known";
            let format = header
                .as_ref()
                .ok_or_else(|| archive.refuse(unknown.to_owned()))?
                .storage_format;
            target.put(META.0, &[(META.1.as_bytes(), &u64::from(format).encode())])?;
        }
        let (_, total) = archive.position();
        target.finish(&mut |entry| {
            progress(Progress {
                entry,
                done_bytes: total,
                total_bytes: Some(total),
            });
        })?;
        let missing = self
            .manifest
            .map(|manifest| missing_of(&manifest, &entries));
        Ok(Salvaged {
            header,
            entries,
            damage: self.damage,
            missing,
        })
    }
}

fn refuse_newer(archive: &ArchiveReader, header: &Header) -> Result<(), StorageError> {
    format_refusal(header).map_or(Ok(()), |refusal| Err(archive.refuse(refusal)))
}

fn missing_of(manifest: &Manifest, entries: &[Entry]) -> Vec<Missing> {
    let stored = manifest
        .entries
        .iter()
        .filter(|entry| Place::of(&entry.name) != Some(Place::File));
    let incomplete = stored.filter(|entry| !entries.contains(entry));
    let missing = |entry: &Entry| {
        let restored = entries
            .iter()
            .find(|other| other.name == entry.name)
            .map_or(0, |other| other.rows);
        Missing {
            name: entry.name.clone(),
            rows: entry.rows,
            restored,
        }
    };
    incomplete.map(missing).collect()
}
