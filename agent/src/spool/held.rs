//! The agent's side of an attempt's directory: how far its runner is, what of it the server has, and what may be deleted.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use testhide_protocol::wire::{Lease, RecordBody};
use tokio::sync::Notify;

use super::directory::{SpoolDir, SpoolError};
use super::progress::Progress;
use super::reader::{Entry, Reader};
use super::slot::Slot;

/// An attempt that this agent delivers.
#[derive(Debug)]
pub(crate) struct Spool {
    dir: SpoolDir,
    slot: Slot,
    progress: Mutex<Progress>,
    /// Whether the progress can be believed. After a loss of power it cannot until the journal was read through.
    settled: AtomicBool,
    sent: Mutex<Sent>,
    /// Wakes delivery, which then asks every spool.
    wake: Arc<Notify>,
}

/// What delivery has passed and the server has not acknowledged, in order.
#[derive(Debug, Default)]
struct Sent {
    /// The server has everything up to here.
    stored: u64,
    /// Last and first record of each segment.
    segments: VecDeque<(u64, u64)>,
    /// Record and number of each file.
    files: VecDeque<(u64, u32)>,
}

impl Spool {
    /// The attempt in `dir`, as far as its runner says it is.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn open(dir: SpoolDir, wake: Arc<Notify>) -> Result<Arc<Self>, SpoolError> {
        let spool = Self {
            slot: dir.progress_slot()?,
            dir,
            progress: Mutex::default(),
            settled: AtomicBool::new(true),
            sent: Mutex::default(),
            wake,
        };
        spool.look();
        Ok(Arc::new(spool))
    }

    /// Its directory.
    pub(crate) fn dir(&self) -> &SpoolDir {
        &self.dir
    }

    /// Whose records these are.
    pub(crate) fn lease(&self) -> Lease {
        self.dir.lease()
    }

    /// The bytes of the file with this number.
    pub(crate) fn file(&self, number: u32) -> PathBuf {
        self.dir.file(number)
    }

    /// How far the journal may be read, by the last look.
    pub(crate) fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// Looks how far the journal is written, and wakes delivery when it has grown; says whether it has.
    pub(crate) fn look(&self) -> bool {
        let Some(read) = self.slot.read().and_then(|bytes| Progress::parse(&bytes)) else {
            return false;
        };
        let mut progress = self.progress.lock();
        let has_grown = *progress != read;
        *progress = read;
        if has_grown {
            self.wake.notify_one();
        }
        has_grown
    }

    /// Nothing of it may be delivered until [`Self::settle`]: the machine went down, and nobody knows what is left.
    pub(crate) fn unsettle(&self) {
        self.settled.store(false, Ordering::Release);
    }

    /// Its journal was read through.
    pub(crate) fn settle(&self) {
        self.look();
        self.settled.store(true, Ordering::Release);
        self.wake.notify_one();
    }

    /// Whether it may be delivered.
    pub(crate) fn is_settled(&self) -> bool {
        self.settled.load(Ordering::Acquire)
    }

    /// Delivery begins behind the record `seq`, which the server has. Deletes the segments before, and the files that they name: the
    /// acknowledgement of those may have been lost with the connection.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn begin_delivery(&self, seq: u64) -> Result<(), SpoolError> {
        *self.sent.lock() = Sent {
            stored: seq,
            ..Sent::default()
        };
        for pair in self.dir.segments()?.windows(2) {
            if pair[1] <= seq + 1 {
                for number in files_in(&self.dir, pair[0], pair[1] - 1) {
                    delete(&self.dir.file(number));
                }
                delete(&self.dir.segment(pair[0]));
            }
        }
        Ok(())
    }

    /// Delivery has read the segment from `first` to its last record. Deletes it when the server has it already.
    pub(crate) fn has_passed_segment(&self, first: u64, last: u64) {
        let mut sent = self.sent.lock();
        if last <= sent.stored {
            delete(&self.dir.segment(first));
        } else {
            sent.segments.push_back((last, first));
        }
    }

    /// Delivery has sent the file of this record.
    pub(crate) fn has_sent_file(&self, seq: u64, number: u32) {
        self.sent.lock().files.push_back((seq, number));
    }

    /// The server has everything up to `seq`: gives the files that nobody needs any more.
    pub(crate) fn delivered(&self, seq: u64) -> Vec<PathBuf> {
        let mut sent = self.sent.lock();
        sent.stored = sent.stored.max(seq);
        let mut needless = Vec::new();
        while let Some((_, number)) = sent.files.pop_front_if(|(last, _)| *last <= seq) {
            needless.push(self.dir.file(number));
        }
        while let Some((_, first)) = sent.segments.pop_front_if(|(last, _)| *last <= seq) {
            needless.push(self.dir.segment(first));
        }
        needless
    }
}

/// The files that the records from `first` to `last` of one segment name, as far as it can be read.
fn files_in(dir: &SpoolDir, first: u64, last: u64) -> Vec<u32> {
    let mut files = Vec::new();
    let Ok(mut reader) = Reader::open_segment(dir, first) else {
        return files;
    };
    while let Ok(Some((_, entry))) = reader.next(last) {
        if let Entry::Record(RecordBody::File { file, .. }) = entry {
            files.push(file);
        }
    }
    files
}

/// Deletes what is delivered. What cannot be deleted now goes with the directory.
pub(crate) fn delete(path: &std::path::Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(spool.path = %path.display(), %error, "cannot delete what is delivered");
    }
}
