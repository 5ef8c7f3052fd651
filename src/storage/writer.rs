//! The single writer thread: takes every write that waits, runs them in one transaction, commits once, answers each.
//!
//! The disk's sync is the scarce thing: a small durable commit costs milliseconds, whatever it holds. A write that fails
//! must not leave a trace in its neighbours' commit. When one in a group fails, the transaction is thrown away, the others
//! run again together in a fresh one, and the failed ones run alone after them; each answer is therefore true of what is on disk.

use super::database::WriteTxn;
use super::disk::DiskGuard;
use super::error::StorageError;
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
const QUICK_REPAIR_ABOVE: u64 = 64 * 1024 * 1024;

/// Something the writer thread can run.
pub(super) trait Request: Send {
    /// Runs in `wtxn`; says whether the transaction may still be committed.
    fn run(&mut self, wtxn: &WriteTxn) -> bool;
    /// Answers with the outcome of the last run.
    fn answer(self: Box<Self>);
    /// Answers that the store failed.
    fn fail(self: Box<Self>, error: StorageError);
    /// Ends the writer.
    fn is_stop(&self) -> bool {
        false
    }
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

/// Ends the writer after everything that was sent before it.
pub(super) struct Stop;

impl Request for Stop {
    fn run(&mut self, _: &WriteTxn) -> bool {
        true
    }
    fn answer(self: Box<Self>) {}
    fn fail(self: Box<Self>, _: StorageError) {}
    fn is_stop(&self) -> bool {
        true
    }
}

/// What the thread works with.
pub(super) struct Writer {
    pub database: Arc<redb::Database>,
    /// Counts commits; wakes readers.
    pub commits: watch::Sender<u64>,
    /// Fires when redb failed: it answers nothing but that failure from then on.
    pub broken: CancellationToken,
    pub guard: DiskGuard,
}

type Requests = Vec<Box<dyn Request>>;

impl Writer {
    /// Starts the thread; it ends with [`Stop`] or when every sender is gone.
    pub(super) fn spawn(
        self,
        mut inbox: mpsc::Receiver<Box<dyn Request>>,
    ) -> Result<std::thread::JoinHandle<()>, StorageError> {
        let body = move || {
            while let Some(first) = inbox.blocking_recv() {
                let mut group = vec![first];
                while group.len() < GROUP {
                    match inbox.try_recv() {
                        Ok(next) => group.push(next),
                        Err(_) => break,
                    }
                }
                let stop = group.iter().any(|request| request.is_stop());
                self.commit_group(group);
                if stop {
                    inbox.close();
                    while let Ok(late) = inbox.try_recv() {
                        late.fail(StorageError::Closing);
                    }
                    return;
                }
            }
        };
        std::thread::Builder::new()
            .name("state-writer".into())
            .spawn(body)
            .map_err(|source| StorageError::io("start the writer of", "state.redb", source))
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
            match wtxn.0.commit() {
                Ok(()) => {
                    self.commits.send_modify(|count| *count += 1);
                    for request in group {
                        request.answer();
                    }
                }
                Err(error) => self.break_down(group, &format!("commit failed: {error}")),
            }
            return (Vec::new(), Vec::new());
        }
        if let Err(error) = wtxn.0.abort() {
            self.break_down(group, &format!("failed to roll back a write: {error}"));
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
        wtxn.set_durability(Durability::Immediate)?;
        wtxn.set_quick_repair(self.guard.state_file_bytes() > QUICK_REPAIR_ABOVE);
        Ok(WriteTxn(wtxn))
    }

    /// redb failed. Whether the group is on disk is not known, so nobody is told that it is; the process is to start anew.
    fn break_down(&self, group: Requests, what: &str) {
        tracing::error!("{what}");
        self.broken.cancel();
        for request in group {
            request.fail(StorageError::Corrupt {
                table: "state.redb".into(),
                what: what.to_owned(),
            });
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned())
}
