//! How much of this machine's disk an attempt may take until the server has what it produced.

use std::fs;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::directory::SpoolDir;

/// The room of one attempt. Copies are the same room.
#[derive(Debug, Clone)]
pub(crate) struct Room {
    dir: SpoolDir,
    limit: u64,
    /// What the attempt had on disk at the last count, and everything that came since: never less than what there is.
    taken: Arc<AtomicU64>,
}

impl Room {
    /// Room of `limit` bytes.
    pub(crate) fn of(dir: SpoolDir, limit: u64) -> Self {
        let taken = Arc::new(AtomicU64::new(0));
        Self { dir, limit, taken }
    }

    /// Room for whatever comes.
    pub(crate) fn endless(dir: SpoolDir) -> Self {
        Self::of(dir, u64::MAX)
    }

    /// Whether so much more output fits; it is counted when it does.
    pub(crate) fn take(&self, bytes: u64) -> bool {
        if self.add(bytes) {
            return true;
        }
        // The agent may have deleted what is delivered.
        self.count();
        self.add(bytes)
    }

    /// Whether enough is free again for output that had to wait: more than one chunk's room, so that a step does not stop at each.
    pub(crate) fn has_emptied(&self, bytes: u64) -> bool {
        self.count();
        let free = self
            .limit
            .saturating_sub(self.taken.load(Ordering::Relaxed));
        free >= bytes.max(self.limit / 8)
    }

    /// Takes what has to be written whatever the limit says.
    pub(crate) fn take_anyway(&self, bytes: u64) {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
    }

    /// The same as [`Self::take`] for a file: one that is larger than the whole room is taken when nothing else waits for delivery.
    pub(crate) fn take_file(&self, bytes: u64) -> bool {
        if self.take(bytes) {
            return true;
        }
        let nothing_waits = bytes > self.limit && self.waiting().is_ok_and(|waits| !waits);
        if nothing_waits {
            self.take_anyway(bytes);
        }
        nothing_waits
    }

    fn add(&self, bytes: u64) -> bool {
        let add = |taken: u64| {
            let sum = taken.saturating_add(bytes);
            (sum <= self.limit).then_some(sum)
        };
        self.taken
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, add)
            .is_ok()
    }

    fn count(&self) {
        match self.on_disk() {
            Ok(bytes) => self.taken.store(bytes, Ordering::Relaxed),
            Err(error) => tracing::warn!(%error, "cannot count what waits for delivery"),
        }
    }

    fn on_disk(&self) -> io::Result<u64> {
        let mut bytes = 0;
        for folder in [self.dir.path().to_owned(), self.dir.files()] {
            for entry in fs::read_dir(folder)? {
                match entry?.metadata() {
                    Ok(metadata) if metadata.is_file() => bytes += metadata.len(),
                    Ok(_) => {}
                    // Deleted while we look.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(bytes)
    }

    /// Whether files or whole segments are here.
    fn waiting(&self) -> io::Result<bool> {
        let has_files = fs::read_dir(self.dir.files())?.next().is_some();
        let segments = self.dir.segments().map_err(io::Error::other)?;
        Ok(has_files || segments.len() > 1)
    }
}
