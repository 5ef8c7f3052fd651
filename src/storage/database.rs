//! The handle to `state.redb`: many readers, one writer thread.

use super::error::StorageError;
use super::thread::WriterThread;
use super::writer::{self, Job, Request, Writer};
use redb::ReadableDatabase;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// A consistent view of the state; later commits do not show in it.
pub struct ReadTxn(pub(super) redb::ReadTransaction);

/// The one running write. No network, file, parsing or `.await` inside.
pub struct WriteTxn(pub(super) redb::WriteTransaction);

/// The state store; clones share it.
#[derive(Clone)]
pub struct Storage {
    database: Arc<redb::Database>,
    requests: mpsc::Sender<Box<dyn Request>>,
    committed: watch::Receiver<u64>,
    broken: CancellationToken,
    /// Last, so that the way to the thread is closed before it is waited for.
    thread: Arc<WriterThread>,
}

impl Storage {
    pub(super) fn start(
        database: redb::Database,
        guard: super::disk::DiskGuard,
    ) -> Result<Self, StorageError> {
        let database = Arc::new(database);
        let (requests, inbox) = mpsc::channel(writer::QUEUE);
        let (commits, committed) = watch::channel(0);
        let broken = CancellationToken::new();
        let writer = Writer {
            database: database.clone(),
            commits,
            broken: broken.clone(),
            guard,
        };
        let thread = writer.spawn(inbox)?;
        Ok(Self {
            database,
            requests,
            committed,
            broken,
            thread: Arc::new(WriterThread::new(thread)),
        })
    }

    /// A consistent view of what is committed now.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn begin_read(&self) -> Result<ReadTxn, StorageError> {
        Ok(ReadTxn(self.database.begin_read()?))
    }

    /// Runs `read` on a consistent view.
    ///
    /// # Errors
    /// Failures of the store, and whatever `read` answers.
    pub fn read<T, E: From<StorageError>>(
        &self,
        read: impl FnOnce(&ReadTxn) -> Result<T, E>,
    ) -> Result<T, E> {
        read(&self.begin_read()?)
    }

    /// Runs `write` in the next transaction and answers once it is on disk.
    ///
    /// Writes that wait at the same time share one commit. `write` may run more than once, each time on a fresh
    /// transaction, but takes effect exactly once, or not at all when it answers an error.
    ///
    /// # Errors
    /// Whatever `write` answers, with nothing of it stored; [`StorageError`] when the store failed or is read-only.
    pub async fn write<T, E, F>(&self, write: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
        F: FnMut(&WriteTxn) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Job::new(write, answer));
        if self.requests.send(job).await.is_err() {
            return Err(StorageError::Closing.into());
        }
        answered
            .await
            .unwrap_or_else(|_| Err(StorageError::Closing.into()))
    }

    /// As [`Storage::write`], for threads outside the async runtime.
    ///
    /// # Errors
    /// As [`Storage::write`].
    pub fn write_blocking<T, E, F>(&self, write: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
        F: FnMut(&WriteTxn) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job = Box::new(Job::new(write, answer));
        if self.requests.blocking_send(job).is_err() {
            return Err(StorageError::Closing.into());
        }
        answered
            .blocking_recv()
            .unwrap_or_else(|_| Err(StorageError::Closing.into()))
    }

    /// Fires when the disk failed under the store. Nothing works from then on; a new start reads what was committed.
    #[must_use]
    pub fn broken(&self) -> CancellationToken {
        self.broken.clone()
    }

    /// Changes with every commit; wakes readers, carries nothing else.
    #[must_use]
    pub fn commits(&self) -> watch::Receiver<u64> {
        self.committed.clone()
    }

    /// Ends the writer after what waits now and waits for it. Handles that remain answer [`StorageError::Closing`].
    pub async fn close(self) {
        drop(self.requests.send(Box::new(writer::Stop)).await);
        let thread = self.thread.clone();
        drop(self);
        drop(tokio::task::spawn_blocking(move || thread.join()).await);
    }
}
