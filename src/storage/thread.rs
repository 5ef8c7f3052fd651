//! A writer's thread, waited for when its last handle goes, so that a process that ends in order leaves clean files.

use parking_lot::Mutex;
use std::thread::JoinHandle;

/// Joins its thread once: when asked, or when dropped.
pub(super) struct WriterThread(Mutex<Option<JoinHandle<()>>>);

impl WriterThread {
    pub(super) fn new(thread: JoinHandle<()>) -> Self {
        Self(Mutex::new(Some(thread)))
    }

    /// Waits for the thread; the way to it must be closed before. Does nothing on the thread itself.
    pub(super) fn join(&self) {
        let thread = self.0.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("a writer thread panicked");
        }
    }
}

impl Drop for WriterThread {
    fn drop(&mut self) {
        self.join();
    }
}
