//! The handle to `state.redb`: many readers, one writer thread.

use super::disk::DiskGuard;
use super::error::StorageError;
use super::held::HeldDatabase;
use super::thread::WriterThread;
use super::writer::{self, Job, Message, Request, Writer};
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
    database: Arc<HeldDatabase>,
    messages: mpsc::Sender<Message>,
    committed: watch::Receiver<u64>,
    broken: CancellationToken,
    answers: Answers,
    /// Last, so that the way to the thread is closed before it is waited for.
    thread: Arc<WriterThread>,
}

/// How a caller waits for the writer thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Answers {
    /// The task waits, the thread goes on with others.
    #[default]
    Awaited,
    /// The caller's thread waits as well, so that one write follows another in an order that repeats.
    #[cfg(test)]
    InTurn,
}

impl Answers {
    /// The answer, once it is there.
    pub(super) async fn wait<T>(
        self,
        answered: oneshot::Receiver<T>,
    ) -> Result<T, oneshot::error::RecvError> {
        match self {
            Self::Awaited => answered.await,
            #[cfg(test)]
            // Without a share of the task's time: who waits in place would use it up and wait for ever.
            Self::InTurn => super::memory::wait_in_place(tokio::task::unconstrained(answered)),
        }
    }
}

impl Storage {
    pub(super) fn start(
        database: HeldDatabase,
        guard: DiskGuard,
        quick_repair_above: u64,
        answers: Answers,
    ) -> Result<Self, StorageError> {
        let database = Arc::new(database);
        let (messages, inbox) = mpsc::channel(writer::QUEUE);
        let (commits, committed) = watch::channel(0);
        let broken = CancellationToken::new();
        let writer = Writer {
            database: database.clone(),
            commits,
            broken: broken.clone(),
            guard,
            quick_repair_above,
            failed_mends: 0,
        };
        let thread = writer.spawn(inbox)?;
        Ok(Self {
            database,
            messages,
            committed,
            broken,
            answers,
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
    /// Whatever `write` answers, with nothing of it stored; [`StorageError::ReadOnly`] below the hard floor of free disk;
    /// [`StorageError::Unavailable`] when the disk failed: of writes that were under way then, nobody knows whether they are stored.
    pub async fn write<T, E, F>(&self, write: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StorageError> + Send + 'static,
        F: FnMut(&WriteTxn) -> Result<T, E> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Box<dyn Request> = Box::new(Job::new(write, answer));
        if self.messages.send(Message::Write(job)).await.is_err() {
            return Err(StorageError::Closing.into());
        }
        self.answers
            .wait(answered)
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
        let job: Box<dyn Request> = Box::new(Job::new(write, answer));
        if self.messages.blocking_send(Message::Write(job)).is_err() {
            return Err(StorageError::Closing.into());
        }
        answered
            .blocking_recv()
            .unwrap_or_else(|_| Err(StorageError::Closing.into()))
    }

    /// Why nothing can be written now, for a person; `None` when all is well. Free disk below its floor is not meant.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        let trouble = self.database.trouble()?;
        Some(self.database.unavailable(&trouble).to_string())
    }

    /// Tries to make the store writable again after the disk failed; does nothing when it is. To be called about once a second.
    ///
    /// # Errors
    /// Why it is still not.
    pub async fn mend(&self) -> Result<(), StorageError> {
        if self.database.trouble().is_none() {
            return Ok(());
        }
        let (answer, answered) = oneshot::channel();
        let sent = self.messages.send(Message::Mend(answer)).await;
        sent.map_err(|_| StorageError::Closing)?;
        let waited = self.answers.wait(answered).await;
        waited.unwrap_or(Err(StorageError::Closing))
    }

    /// Fires when the state cannot be used any more: it is damaged, or its disk fails for other reasons than space for a minute. A new
    /// start reads what was committed.
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
        drop(self.messages.send(Message::Stop).await);
        let thread = self.thread.clone();
        drop(self);
        drop(tokio::task::spawn_blocking(move || thread.join()).await);
    }
}
