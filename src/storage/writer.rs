//! The single writer thread: takes every write that waits, runs them in one transaction, commits once, answers each.
//!
//! The disk's sync is the scarce thing: a small durable commit costs milliseconds, whatever it holds. A write that fails
//! must not leave a trace in its neighbours' commit. When one in a group fails, the transaction is thrown away, the others
//! run again together in a fresh one, and the failed ones run alone after them; each answer is therefore true of what is on disk.
//!
//! When redb fails (a full disk, an I/O error, a panic of its), the file goes on as a view that can be read, writes are refused, and
//! [`Message::Mend`] opens it again.

use super::database::WriteTxn;
use super::disk::DiskGuard;
use super::error::StorageError;
use super::held::{HeldDatabase, guarded, panic_text};
use redb::Durability;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

/// Writes that may wait before callers are held back.
pub(super) const QUEUE: usize = 1024;

/// Most writes in one commit. Enough to fill a sync's time, few enough that a failing one does not repeat much work.
const GROUP: usize = 256;

/// File size above which every commit makes the file quick to open after a crash. Measured: redb repairs about 120 MB a
/// second, so a smaller file opens within half a second without it, and commits are four times as fast.
pub(super) const QUICK_REPAIR_ABOVE: u64 = 64 * 1024 * 1024;

/// Failed attempts to mend, for other reasons than space, after which the process had better start anew; about a minute.
const MENDS: u32 = 60;

/// Something the writer thread can run.
pub(super) trait Request: Send {
    /// Runs in `wtxn`; says whether the transaction may still be committed.
    fn run(&mut self, wtxn: &WriteTxn) -> bool;
    /// Answers with the outcome of the last run.
    fn answer(self: Box<Self>);
    /// Answers that the store failed.
    fn fail(self: Box<Self>, error: StorageError);
}

/// What the writer thread is told.
pub(super) enum Message {
    /// Run this in the next transaction.
    Write(Box<dyn Request>),
    /// Make the file writable again, if it is not.
    Mend(oneshot::Sender<Result<(), StorageError>>),
    /// End after everything that was sent before.
    Stop,
}

/// A caller's closure with the place for its answer.
pub(super) struct Job<T, E, F> {
    write: F,
    outcome: Option<Result<T, E>>,
    answer: oneshot::Sender<Result<T, E>>,
}

impl<T, E, F> Job<T, E, F> {
    pub(super) fn new(write: F, answer: oneshot::Sender<Result<T, E>>) -> Self {
        Self {
            write,
            outcome: None,
            answer,
        }
    }
}

impl<T, E, F> Request for Job<T, E, F>
where
    T: Send,
    E: From<StorageError> + Send,
    F: FnMut(&WriteTxn) -> Result<T, E> + Send,
{
    fn run(&mut self, wtxn: &WriteTxn) -> bool {
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.write)(wtxn)))
            .unwrap_or_else(|panic| Err(StorageError::Panicked(panic_text(&*panic)).into()));
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>) {
        if let Some(outcome) = self.outcome {
            drop(self.answer.send(outcome));
        }
    }

    fn fail(self: Box<Self>, error: StorageError) {
        drop(self.answer.send(Err(error.into())));
    }
}

/// What the thread works with.
pub(super) struct Writer {
    pub database: Arc<HeldDatabase>,
    /// Counts commits; wakes readers.
    pub commits: watch::Sender<u64>,
    /// Fires when the file cannot be used any more.
    pub broken: CancellationToken,
    pub guard: DiskGuard,
    /// See [`QUICK_REPAIR_ABOVE`].
    pub quick_repair_above: u64,
    /// Attempts to mend, in a row, that failed for other reasons than space.
    pub failed_mends: u32,
}

type Requests = Vec<Box<dyn Request>>;

impl Writer {
    /// Starts the thread; it ends with [`Message::Stop`] or when every sender is gone.
    pub(super) fn spawn(
        mut self,
        mut inbox: mpsc::Receiver<Message>,
    ) -> Result<std::thread::JoinHandle<()>, StorageError> {
        let body = move || {
            while let Some(first) = inbox.blocking_recv() {
                let mut group = Requests::new();
                let mut next = Some(first);
                while let Some(Message::Write(request)) = next {
                    group.push(request);
                    let has_room = group.len() < GROUP;
                    next = has_room.then(|| inbox.try_recv().ok()).flatten();
                }
                if !group.is_empty() {
                    self.commit_group(group);
                }
                match next {
                    Some(Message::Mend(answer)) => drop(answer.send(self.mend())),
                    Some(Message::Stop) => return self.end(inbox),
                    Some(Message::Write(_)) | None => {}
                }
            }
        };
        std::thread::Builder::new()
            .name("state-writer".into())
            .spawn(body)
            .map_err(|source| StorageError::io("start the writer of", "state.redb", source))
    }

    fn end(self, mut inbox: mpsc::Receiver<Message>) {
        inbox.close();
        while let Ok(late) = inbox.try_recv() {
            match late {
                Message::Write(request) => request.fail(StorageError::Closing),
                Message::Mend(answer) => drop(answer.send(Err(StorageError::Closing))),
                Message::Stop => {}
            }
        }
    }

    fn commit_group(&self, group: Requests) {
        if let Err((free_mb, floor_mb)) = self.guard.check_hard() {
            for request in group {
                request.fail(StorageError::ReadOnly { free_mb, floor_mb });
            }
            return;
        }
        let (good, failed) = self.run_group(group);
        // The transaction that saw a failure is gone; the others had no part in it and go first.
        if !good.is_empty() {
            self.commit_group(good);
        }
        for request in failed {
            let (_, refused) = self.run_group(vec![request]);
            for request in refused {
                request.answer();
            }
        }
    }

    /// Runs a group in one transaction. Commits and answers when all succeed; else gives back who succeeded and who failed,
    /// with nothing stored.
    fn run_group(&self, mut group: Requests) -> (Requests, Requests) {
        let wtxn = match self.begin() {
            Ok(wtxn) => wtxn,
            Err(error) => {
                self.break_down(group, &format!("a write cannot begin: {error}"));
                return (Vec::new(), Vec::new());
            }
        };
        let kept: Vec<bool> = group.iter_mut().map(|request| request.run(&wtxn)).collect();
        if kept.iter().all(|keep| *keep) {
            match guarded("state.redb", || Ok(wtxn.0.commit()?)) {
                Ok(()) => {
                    self.commits.send_modify(|count| *count += 1);
                    for request in group {
                        request.answer();
                    }
                }
                Err(error) => self.break_down(group, &format!("a commit failed: {error}")),
            }
            return (Vec::new(), Vec::new());
        }
        let rolled_back = guarded("state.redb", || Ok(wtxn.0.abort()?));
        // A write that failed because the disk did has the disk's answer, not its own.
        if rolled_back.is_err() || self.database.trouble().is_some() {
            self.break_down(group, "a write could not be rolled back");
            return (Vec::new(), Vec::new());
        }
        let mut good = Vec::new();
        let mut failed = Vec::new();
        for (request, keep) in group.into_iter().zip(kept) {
            if keep {
                good.push(request);
            } else {
                failed.push(request);
            }
        }
        (good, failed)
    }

    fn begin(&self) -> Result<WriteTxn, StorageError> {
        let mut wtxn = self.database.begin_write()?;
        guarded("state.redb", || {
            wtxn.set_durability(Durability::Immediate)?;
            wtxn.set_quick_repair(self.database.bytes() > self.quick_repair_above);
            Ok(())
        })?;
        Ok(WriteTxn(wtxn))
    }

    /// redb failed. Whether the group is on disk is not known, so nobody is told that it is.
    fn break_down(&self, group: Requests, what: &str) {
        let trouble = self.database.give_up(what);
        for request in group {
            request.fail(self.database.unavailable(&trouble));
        }
        // What a failed commit wrote may be there, now that the file was read anew.
        self.commits.send_modify(|count| *count += 1);
    }

    fn mend(&mut self) -> Result<(), StorageError> {
        let is_space = |writer: &Self| writer.database.trouble().is_some_and(|it| it.is_space);
        let mended = self.database.mend();
        match &mended {
            Ok(()) => self.failed_mends = 0,
            Err(StorageError::Corrupt { .. }) => self.failed_mends = MENDS,
            Err(_) if is_space(self) => self.failed_mends = 0,
            Err(_) => self.failed_mends += 1,
        }
        if self.failed_mends >= MENDS {
            tracing::error!("`state.redb` cannot be opened again");
            self.broken.cancel();
        }
        self.commits.send_modify(|count| *count += 1);
        mended
    }
}
