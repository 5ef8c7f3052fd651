//! Every background task of the process: tracked, cancellable, and missed when it ends early.

use std::future::Future;
use std::sync::Arc;
use tokio::task::JoinError;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Runs `work` on a thread that may block, and answers what it answers.
///
/// In a simulation it runs as a task of the one thread there is, so that a schedule can be repeated.
///
/// # Errors
/// When `work` panicked.
pub async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, JoinError> {
    #[cfg(test)]
    if sequential::is_on() {
        #[expect(clippy::disallowed_methods, reason = "it is waited for here")]
        return tokio::spawn(async move { work() }).await;
    }
    tokio::task::spawn_blocking(work).await
}

/// Whether everything that this thread starts stays on it.
#[cfg(test)]
pub(crate) mod sequential {
    use std::cell::Cell;

    thread_local!(static ON: Cell<bool> = const { Cell::new(false) });

    /// From now on nothing that this thread starts runs on another.
    pub(crate) fn turn_on() {
        ON.set(true);
    }

    pub(crate) fn is_on() -> bool {
        ON.get()
    }
}

/// The tasks of one server; clones share them.
#[derive(Clone, Default)]
pub struct Tasks {
    tracker: TaskTracker,
    stop: CancellationToken,
    failed: Arc<parking_lot::Mutex<Option<String>>>,
}

impl Tasks {
    /// No tasks yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Fires when the server is to end; long-running work selects on it.
    #[must_use]
    pub fn stopping(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Asks every task to end.
    pub fn stop(&self) {
        self.stop.cancel();
    }

    /// Runs a task that may end whenever it likes (a connection, a request's tail).
    #[expect(clippy::disallowed_methods, reason = "this is the place that spawns")]
    pub fn spawn<F>(&self, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        drop(tokio::spawn(self.tracker.track_future(task)));
    }

    /// Runs a task that the server cannot do without: when it ends (or panics) before the server stops, the server stops.
    #[expect(clippy::disallowed_methods, reason = "this is the place that spawns")]
    pub fn spawn_essential<F>(&self, name: &'static str, task: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let tasks = self.clone();
        let handle = tokio::spawn(task);
        drop(tokio::spawn(self.tracker.track_future(async move {
            let outcome = handle.await;
            if tasks.stop.is_cancelled() {
                return;
            }
            let what = match outcome {
                Ok(()) => format!("task `{name}` ended early"),
                Err(error) => format!("task `{name}` failed: {error}"),
            };
            tracing::error!(task.name = name, "{what}; stopping");
            tasks.failed.lock().get_or_insert(what);
            tasks.stop.cancel();
        })));
    }

    /// Waits until every task has ended, after [`Tasks::stop`].
    pub async fn finished(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }

    /// Why an essential task ended early, if one did.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failed.lock().clone()
    }
}
