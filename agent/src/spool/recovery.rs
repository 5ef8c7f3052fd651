//! What a dead runner left: its journal is read, a torn tail is cut, and the rest is open to be ended.
//!
//! The death of a process loses nothing that was written, so only the last segment is read. When the machine went down, everything
//! after the last sync may be missing: all that is here is read through, and the server says how much it has.

use std::fs::{self, File};
use std::path::Path;

use testhide_protocol::wire::{Frame, RecordBody, decompress_chunk};

use super::boot::Boot;
use super::directory::{SpoolDir, SpoolError};
use super::format::HEAD;
use super::journal::{Journal, Place, announce_end};
use super::reader::{Entry, Reader};

/// What a server has of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its last record.
    pub(crate) seq: u64,
    /// Raw bytes of its log.
    pub(crate) log_bytes: u64,
}

/// What became of the machine since the journal was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Survival {
    /// It ran all the time: what was written is there.
    Whole,
    /// It went down, or the journal's beginning is not there to say so.
    Unknown,
}

/// Whether everything that was written to the directory is there still.
pub(crate) fn survival(dir: &SpoolDir, now: Boot) -> Survival {
    let segments = dir.segments().unwrap_or_default();
    let head = |first: &u64| Some(Reader::open_segment(dir, *first).ok()?.head());
    match segments.iter().rev().find_map(head) {
        Some(head) if head.boot.is_same(now) => Survival::Whole,
        _ => Survival::Unknown,
    }
}

/// A journal that nobody writes any more.
pub(crate) struct Recovered {
    /// Open behind its last whole record; nothing when the attempt had ended.
    pub(crate) unfinished: Option<Journal>,
    /// Whether output that was written is missing: the machine went down.
    pub(crate) is_cut: bool,
}

/// Opens the journal of a dead runner whose machine lived on. The caller holds the directory's lock.
///
/// # Errors
/// When the disk refuses it; it may be tried again.
pub(crate) fn recover(dir: &SpoolDir, now: Boot) -> Result<Recovered, SpoolError> {
    let segments = dir.segments()?;
    // The last one may have been begun and have no head yet.
    let last = segments
        .iter()
        .rev()
        .find_map(|first| scan(dir, *first, u64::MAX));
    match last {
        Some(scan) => go_on(dir, now, &scan, false),
        None => begin_anew(dir, now, Place::default(), false),
    }
}

/// Opens what a machine that went down left of a journal, behind what the server has of it. The caller holds the directory's lock.
///
/// # Errors
/// When the disk refuses it; it may be tried again.
pub(crate) fn recover_cut(
    dir: &SpoolDir,
    now: Boot,
    stored: Stored,
) -> Result<Recovered, SpoolError> {
    let segments = dir.segments()?;
    let is_cut = stored.seq > 0 || !segments.is_empty();
    // A hole between what the server has and what is here would stay one: what is behind it is of no use.
    let first = segments
        .iter()
        .rev()
        .find(|first| **first <= stored.seq + 1);
    let scan = first.and_then(|first| scan(dir, *first, stored.seq));
    match scan {
        Some(scan) if scan.place.seq >= stored.seq => go_on(dir, now, &scan, is_cut),
        _ => {
            let place = Place {
                seq: stored.seq,
                log_bytes: stored.log_bytes,
                step: scan.map_or(0, |scan| scan.place.step),
                // Nobody here knows how the server's log ends; an empty line more is no harm.
                open_line: stored.log_bytes > 0,
            };
            begin_anew(dir, now, place, is_cut)
        }
    }
}

/// Begins a journal behind `place`; of what is here nothing is of use.
fn begin_anew(
    dir: &SpoolDir,
    now: Boot,
    place: Place,
    is_cut: bool,
) -> Result<Recovered, SpoolError> {
    for first in dir.segments()? {
        let path = dir.segment(first);
        fs::remove_file(&path).map_err(SpoolError::at(&path))?;
    }
    Ok(Recovered {
        unfinished: Some(Journal::begin(dir.clone(), now, place)?),
        is_cut,
    })
}

/// Goes on behind the last whole record.
fn go_on(dir: &SpoolDir, now: Boot, scan: &Scan, is_cut: bool) -> Result<Recovered, SpoolError> {
    cut(dir, scan)?;
    let unfinished = if scan.ended {
        announce_end(dir, scan.place)?;
        None
    } else {
        Some(Journal::go_on(
            dir.clone(),
            now,
            scan.first,
            scan.length,
            scan.place,
        )?)
    };
    Ok(Recovered { unfinished, is_cut })
}

/// Deletes what is behind the last whole record, and makes that durable.
fn cut(dir: &SpoolDir, scan: &Scan) -> Result<(), SpoolError> {
    for first in dir.segments()? {
        if first > scan.first {
            let path = dir.segment(first);
            fs::remove_file(&path).map_err(SpoolError::at(&path))?;
        }
    }
    let path = dir.segment(scan.first);
    let cut = || {
        let file = File::options().write(true).open(&path)?;
        let torn = file.metadata()?.len().saturating_sub(scan.length);
        if torn > 0 {
            tracing::warn!(build.id = %dir.lease().build, spool.torn_bytes = torn, "cut the torn tail of a journal");
            file.set_len(scan.length)?;
            file.sync_all()?;
        }
        Ok(())
    };
    cut().map_err(SpoolError::at(&path))
}

/// What whole records say.
#[derive(Debug, Clone, Copy)]
struct Scan {
    /// The segment in which the last of them is.
    first: u64,
    /// Its bytes up to there.
    length: u64,
    place: Place,
    ended: bool,
}

/// Reads the segment that begins with `first` and those behind it; nothing when it has no head. Files of records up to `stored` need not
/// be there.
fn scan(dir: &SpoolDir, first: u64, stored: u64) -> Option<Scan> {
    let mut reader = Reader::open_segment(dir, first).ok()?;
    let head = reader.head();
    let mut scan = Scan {
        first,
        length: HEAD as u64,
        place: Place {
            seq: first - 1,
            log_bytes: head.log_bytes,
            step: head.step,
            open_line: head.open_line,
        },
        ended: false,
    };
    let mut last_chunk = None;
    // Anything that is no whole record is the torn end: the writer never leaves one in the middle.
    while let Ok(Some((seq, entry))) = reader.next(u64::MAX) {
        match entry {
            Entry::Chunk(frame) => {
                let Ok(Frame::Chunk { chunk, .. }) = Frame::decode(frame) else {
                    break;
                };
                scan.place.log_bytes = chunk.offset + u64::from(chunk.raw_len);
                scan.place.step = chunk.step;
                last_chunk = Some(chunk);
            }
            Entry::Record(RecordBody::File { file, size, .. })
                if seq > stored && !holds(&dir.file(file), size) =>
            {
                break;
            }
            Entry::Record(RecordBody::StepStarted { step, .. }) => scan.place.step = step,
            Entry::Record(RecordBody::Ended { .. }) => scan.ended = true,
            Entry::Record(_) => {}
        }
        scan.place.seq = seq;
        scan.first = reader.head().first;
        scan.length = reader.position();
        if scan.ended {
            break;
        }
    }
    if let Some(chunk) = last_chunk {
        let raw = decompress_chunk(chunk.offset, chunk.raw_len, &chunk.data);
        scan.place.open_line = raw.is_ok_and(|raw| raw.last() != Some(&b'\n'));
    }
    Some(scan)
}

/// Whether a file's bytes survived.
fn holds(file: &Path, size: u64) -> bool {
    fs::metadata(file).is_ok_and(|metadata| metadata.len() == size)
}
