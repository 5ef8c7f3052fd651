//! Use case: read a whole archive and prove that it is as it was written.

use super::archive::{Row, format_refusal, rows_of};
use super::manifest::{Header, Ledger, Manifest, Place, Progress};
use super::reader::{ArchiveReader, Fault, Frame};
use crate::storage::StorageError;
use std::path::Path;

/// Reads everything in the archive at `path` and answers with what is in it. Needs no server and writes nothing.
///
/// # Errors
/// [`StorageError::Backup`] with what is wrong and where, when a bit of the archive is not as it was written or when it is
/// of a format that this program does not know.
pub fn verify(
    path: &Path,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Manifest, StorageError> {
    read_whole(path, &mut |_, _| Ok(()), progress)
}

/// Takes the rows of a block with the name of their entry.
type EachRows<'a> = dyn FnMut(&str, &[Row<'_>]) -> Result<(), StorageError> + 'a;

/// Calls `each` with the rows of every block, entry after entry. Only an `Ok` at the end says that they were the right ones.
pub(super) fn read_whole(
    path: &Path,
    each: &mut EachRows<'_>,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<Manifest, StorageError> {
    let mut archive = ArchiveReader::open(path)?;
    if let Err(fault) = archive.start()? {
        return Err(archive.broken(fault));
    }
    let header = read_header(&mut archive)?;
    let mut ledger = Ledger::default();
    let mut last: Option<(String, Vec<u8>)> = None;
    loop {
        let (start, total) = archive.position();
        let damaged = |archive: &ArchiveReader, what: String| {
            Err(archive.broken(Fault::Damaged { at: start, what }))
        };
        match archive
            .next_frame()
            .map_err(|fault| archive.broken(fault))?
        {
            Frame::Header(_) => return damaged(&archive, "it has a second header".to_owned()),
            Frame::Block { name, rows, raw } => {
                if Place::of(&name).is_none() || !ledger.add(&name, rows, &raw) {
                    return damaged(&archive, format!("entry `{name}` has no place in a backup"));
                }
                let rows = rows_of(&raw, rows).expect("the reader gives whole rows");
                let before = last
                    .take()
                    .filter(|(entry, _)| *entry == name)
                    .map(|(_, key)| key);
                if !is_ascending(before.as_deref(), &rows) {
                    return damaged(&archive, format!("rows of `{name}` are not in order"));
                }
                each(&name, &rows)?;
                progress(Progress {
                    entry: &name,
                    done_bytes: archive.position().0,
                    total_bytes: Some(total),
                });
                last = rows.last().map(|(key, _)| (name, key.to_vec()));
            }
            Frame::Manifest(manifest) => {
                if manifest.header != header || manifest.entries != ledger.finish() {
                    return damaged(
                        &archive,
                        "its manifest does not fit what stands before".to_owned(),
                    );
                }
                archive.finish().map_err(|fault| archive.broken(fault))?;
                return Ok(manifest);
            }
        }
    }
}

fn read_header(archive: &mut ArchiveReader) -> Result<Header, StorageError> {
    let (at, _) = archive.position();
    match archive
        .next_frame()
        .map_err(|fault| archive.broken(fault))?
    {
        Frame::Header(header) => match format_refusal(&header) {
            Some(refusal) => Err(archive.refuse(refusal)),
            None => Ok(header),
        },
        _ => Err(archive.broken(Fault::Damaged {
            at,
            what: "it has no header".to_owned(),
        })),
    }
}

fn is_ascending(before: Option<&[u8]>, rows: &[Row<'_>]) -> bool {
    let keys = || before.into_iter().chain(rows.iter().map(|(key, _)| *key));
    keys().zip(keys().skip(1)).all(|(left, right)| left < right)
}
