//! What a dead agent process left: journals are read through, torn tails cut, the rest is kept for delivery.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use testhide_protocol::wire::{Frame, RecordBody};
use tokio::sync::Notify;

use super::directory::{Found, Progress, Spool, SpoolError, found};
use super::format::MAGIC;
use super::journal::{Journal, truncate};
use super::reader::{Entry, Reader};

/// An attempt of an earlier agent process.
pub(crate) struct Recovered {
    /// Its directory.
    pub(crate) spool: Arc<Spool>,
    /// Its journal, open behind the last whole record; nothing when the attempt had ended.
    pub(crate) unfinished: Option<Journal>,
    /// The step that was running or ran last.
    pub(crate) step: u32,
    /// Whether the log ends inside a line.
    pub(crate) open_line: bool,
}

/// Reads the spool's directory, oldest build first. What is delivered already is deleted.
///
/// # Errors
/// When the directory cannot be read or a journal cannot be opened.
pub(crate) fn recover(root: &Path, wake: &Arc<Notify>) -> Result<Vec<Recovered>, SpoolError> {
    let mut recovered = Vec::new();
    for entry in fs::read_dir(root).map_err(SpoolError::at(root))? {
        let entry = entry.map_err(SpoolError::at(root))?;
        let name = entry.file_name();
        match found(&name.to_string_lossy()) {
            Found::Attempt(lease) => {
                recovered.push(recover_one(Spool::existing(
                    entry.path(),
                    lease,
                    Arc::clone(wake),
                ))?);
            }
            Found::Done => {
                fs::remove_dir_all(entry.path()).map_err(SpoolError::at(&entry.path()))?;
            }
            Found::Foreign => {
                tracing::warn!(spool.path = %entry.path().display(), "the spool holds something that is not an attempt");
            }
        }
    }
    recovered.sort_by_key(|one| (one.spool.lease().build, one.spool.lease().attempt));
    Ok(recovered)
}

fn recover_one(spool: Arc<Spool>) -> Result<Recovered, SpoolError> {
    let scan = scan(&spool)?;
    let path = spool.journal();
    let file = File::options()
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(SpoolError::at(&path))?;
    let torn = file
        .metadata()
        .map_err(SpoolError::at(&path))?
        .len()
        .saturating_sub(scan.progress.length);
    if scan.progress.length < MAGIC.len() as u64 {
        let mut file = &file;
        truncate(file, 0)
            .and_then(|()| file.write_all(MAGIC))
            .map_err(SpoolError::at(&path))?;
    } else if torn > 0 {
        tracing::warn!(build.id = %spool.lease().build, spool.torn_bytes = torn, "cut the torn tail of a journal");
        truncate(&file, scan.progress.length).map_err(SpoolError::at(&path))?;
    }
    let progress = Progress {
        length: scan.progress.length.max(MAGIC.len() as u64),
        ..scan.progress
    };
    fs::create_dir_all(path.with_file_name("files")).map_err(SpoolError::at(&path))?;
    let unfinished = if progress.ended {
        spool.announce(progress);
        None
    } else {
        Some(Journal::go_on(
            Arc::clone(&spool),
            progress,
            scan.log_bytes,
        )?)
    };
    Ok(Recovered {
        spool,
        unfinished,
        step: scan.step,
        open_line: scan.open_line,
    })
}

/// What the whole records of a journal say.
#[derive(Default)]
struct Scan {
    progress: Progress,
    log_bytes: u64,
    step: u32,
    open_line: bool,
}

fn scan(spool: &Spool) -> Result<Scan, SpoolError> {
    let mut scan = Scan::default();
    let Ok(mut reader) = Reader::open(spool) else {
        return Ok(scan);
    };
    scan.progress.length = reader.position();
    let length = fs::metadata(spool.journal())
        .map_err(SpoolError::at(&spool.journal()))?
        .len();
    let mut last_chunk = None;
    // Anything that is no whole record is the torn end: the writer never leaves one in the middle.
    while let Ok(Some((seq, entry))) = reader.next(spool, length) {
        match entry {
            Entry::Chunk(frame) => {
                let Ok(Frame::Chunk { chunk, .. }) = Frame::decode(frame) else {
                    break;
                };
                scan.log_bytes = chunk.offset + u64::from(chunk.raw_len);
                scan.step = chunk.step;
                last_chunk = Some(chunk);
            }
            Entry::Record(RecordBody::File { file, size, .. }) if !holds(spool, file, size) => {
                break;
            }
            Entry::Record(RecordBody::StepStarted { step, .. }) => scan.step = step,
            Entry::Record(RecordBody::Ended { .. }) => scan.progress.ended = true,
            Entry::Record(_) => {}
        }
        scan.progress.length = reader.position();
        scan.progress.seq = seq;
        if scan.progress.ended {
            break;
        }
    }
    scan.open_line = last_chunk.is_some_and(|chunk| {
        let raw =
            testhide_protocol::wire::decompress_chunk(chunk.offset, chunk.raw_len, &chunk.data);
        raw.is_ok_and(|raw| raw.last() != Some(&b'\n'))
    });
    Ok(scan)
}

/// Whether a file's bytes survived; after a loss of power they may not have.
fn holds(spool: &Spool, file: u32, size: u64) -> bool {
    fs::metadata(spool.file(file)).is_ok_and(|metadata| metadata.len() == size)
}
