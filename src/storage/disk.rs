//! Free disk and its two floors: below the soft one files are refused, below the hard one everything is.
//!
//! The guard asks the file system at most once a second and never remembers a refusal longer than that, so the server comes
//! back by itself when space returns.

use parking_lot::Mutex;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one answer of the file system is believed.
const FRESH: Duration = Duration::from_secs(1);

/// Free bytes below which writes are refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floors {
    /// Below this, artifacts and reports are refused (507).
    pub soft_bytes: u64,
    /// Below this, everything is refused (503).
    pub hard_bytes: u64,
}

impl Default for Floors {
    fn default() -> Self {
        Self {
            soft_bytes: 1024 * 1024 * 1024,
            hard_bytes: 256 * 1024 * 1024,
        }
    }
}

/// How the disk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskState {
    /// Everything is taken.
    Roomy,
    /// Files are refused.
    Tight,
    /// Everything is refused.
    Full,
}

/// Watches the disk that holds one directory; clones share what they know.
#[derive(Clone)]
pub struct DiskGuard(Arc<Inner>);

struct Inner {
    floors: Floors,
    known: Mutex<Option<Known>>,
    /// How long an answer is believed.
    fresh: Duration,
    free: Box<dyn Fn() -> u64 + Send + Sync>,
}

#[derive(Clone, Copy)]
struct Known {
    at: Instant,
    free: u64,
}

const MB: u64 = 1024 * 1024;

impl DiskGuard {
    /// Watches the disk under `dir`.
    #[must_use]
    pub fn new(dir: PathBuf, floors: Floors) -> Self {
        let free = move || {
            rustix::fs::statvfs(&dir)
                .map_or(u64::MAX, |stat| stat.f_bavail.saturating_mul(stat.f_frsize))
        };
        Self(Arc::new(Inner {
            floors,
            known: Mutex::new(None),
            fresh: FRESH,
            free: Box::new(free),
        }))
    }

    /// Asks `free` instead of the file system; for tests of a full disk. Answers are not kept.
    #[must_use]
    pub fn with_probe(floors: Floors, free: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            floors,
            known: Mutex::new(None),
            fresh: Duration::ZERO,
            free: Box::new(free),
        }))
    }

    /// Free bytes, as last asked.
    #[must_use]
    pub fn free_bytes(&self) -> u64 {
        self.known().free
    }

    /// How the disk stands.
    #[must_use]
    pub fn state(&self) -> DiskState {
        let free = (self.0.free)();
        if free < self.0.floors.hard_bytes {
            DiskState::Full
        } else if free < self.0.floors.soft_bytes {
            DiskState::Tight
        } else {
            DiskState::Roomy
        }
    }

    /// Free and floor in MB when the hard floor is passed.
    pub(super) fn check_hard(&self) -> Result<(), (u64, u64)> {
        self.check(self.0.floors.hard_bytes)
    }

    /// Free and floor in MB when the soft floor is passed.
    pub(super) fn check_soft(&self) -> Result<(), (u64, u64)> {
        self.check(self.0.floors.soft_bytes)
    }

    /// Asks the file system again at the next question.
    #[cfg(test)]
    pub(super) fn forget(&self) {
        *self.0.known.lock() = None;
    }

    fn check(&self, floor: u64) -> Result<(), (u64, u64)> {
        let mut free = self.known().free;
        if free < floor {
            // Never refuse on old news.
            *self.0.known.lock() = None;
            free = self.known().free;
        }
        if free < floor {
            Err((free / MB, floor / MB))
        } else {
            Ok(())
        }
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the age of an answer is the machine's time, also in tests"
    )]
    fn known(&self) -> Known {
        let mut known = self.0.known.lock();
        match *known {
            Some(fresh) if fresh.at.elapsed() < self.0.fresh => fresh,
            _ => {
                let now = Known {
                    at: Instant::now(),
                    free: (self.0.free)(),
                };
                *known = Some(now);
                now
            }
        }
    }
}
