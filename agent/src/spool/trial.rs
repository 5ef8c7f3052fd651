//! What tests do to a journal's disk, and what they see of it.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

/// The disk under one journal. A new one has room for everything.
#[derive(Debug, Default)]
pub(crate) struct Disk {
    full: AtomicBool,
    refuses_to_tell: AtomicUsize,
    synced: Mutex<Vec<u64>>,
    synced_segments: AtomicUsize,
}

impl Disk {
    /// Whether records do not fit any more.
    pub(super) fn is_full(&self) -> bool {
        self.full.load(Ordering::SeqCst)
    }

    /// Fills it, or makes room.
    pub(crate) fn fill(&self, full: bool) {
        self.full.store(full, Ordering::SeqCst);
    }

    /// Refuses the next `times` that the journal tells how far it is, as a full disk does that copies what is overwritten.
    pub(crate) fn refuse_to_tell(&self, times: usize) {
        self.refuses_to_tell.store(times, Ordering::SeqCst);
    }

    pub(super) fn tell(&self) -> io::Result<()> {
        let left = &self.refuses_to_tell;
        let refused = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |times| {
            times.checked_sub(1)
        });
        match refused {
            Ok(_) => Err(io::ErrorKind::StorageFull.into()),
            Err(_) => Ok(()),
        }
    }

    pub(super) fn synced_segment(&self) {
        self.synced_segments.fetch_add(1, Ordering::SeqCst);
    }

    /// How many files were synced.
    pub(crate) fn synced_segments(&self) -> usize {
        self.synced_segments.load(Ordering::SeqCst)
    }

    pub(super) fn synced(&self, seq: u64) {
        self.synced.lock().push(seq);
    }

    /// The last record at each sync.
    pub(crate) fn syncs(&self) -> Vec<u64> {
        self.synced.lock().clone()
    }
}
