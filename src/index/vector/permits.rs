//! A bound on concurrent searches.
//!
//! The engine keeps working memory for a fixed number of threads and fails a search that finds none free. Searches are
//! short and run on blocking threads, so the ones above the bound wait here instead.

use parking_lot::{Condvar, Mutex};

/// A counting semaphore for threads.
pub(super) struct Permits {
    free: Mutex<usize>,
    returned: Condvar,
}

/// The right to search; it goes back when dropped.
pub(super) struct Permit<'a> {
    permits: &'a Permits,
}

impl Permits {
    pub(super) fn new(count: usize) -> Self {
        Self {
            free: Mutex::new(count),
            returned: Condvar::new(),
        }
    }

    /// Waits until one is free.
    pub(super) fn take(&self) -> Permit<'_> {
        let mut free = self.free.lock();
        self.returned.wait_while(&mut free, |free| *free == 0);
        *free -= 1;
        Permit { permits: self }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        *self.permits.free.lock() += 1;
        self.permits.returned.notify_one();
    }
}
