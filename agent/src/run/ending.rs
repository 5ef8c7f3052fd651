//! Ends an attempt whose runner is dead: first its processes, then its journal, with a line in the log that says what is missing.

use std::time::{Duration, Instant};

use testhide_protocol::wire::AttemptEnd;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::leftovers::end_leftovers;
use super::log::Log;
use crate::clock::WorkClock;
use crate::spool::{
    self, Boot, Journal, JournalWriter, Patience, Recovered, Room, Spool, SpoolDir, SpoolError,
    Stored, Survival,
};
use crate::threads::off_thread;

/// How long before a disk that was full is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// Why an attempt has no runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    /// It died while this agent process watched.
    RunnerGone,
    /// It was not there when this agent process began.
    AgentRestarted,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// The journal has its end.
    Yes,
    /// It has a runner after all, which began late.
    RunnerLives,
    /// The agent ends, or the server did not say in time what it has.
    NotNow,
    /// The disk refuses it for good.
    Never,
}

/// Ends what a dead runner left in `spool`. Where the machine went down, `word` says what the server has.
pub(super) async fn end(
    spool: &Spool,
    now: Boot,
    cause: Cause,
    word: impl Future<Output = Option<Stored>>,
    stopping: &CancellationToken,
) -> Ended {
    let (dir, lease) = (spool.dir(), spool.lease());
    // Held to the end, so that a runner which was started and is late finds its place taken.
    let lock = match dir.lock() {
        Ok(Some(lock)) => lock,
        Ok(None) => return Ended::RunnerLives,
        Err(error) => return never(dir, &error),
    };
    tracing::warn!(build.id = %lease.build, build.attempt = lease.attempt, ?cause, runner.log = last_words(dir), "ends an attempt that has no runner");
    end_leftovers(lease, dir.read_group()).await;
    let is_whole = spool::survival(dir, now) == Survival::Whole;
    let stored = if is_whole {
        None
    } else {
        tokio::select! {
            biased;
            stored = word => match stored {
                Some(stored) => Some(stored),
                None => return Ended::NotNow,
            },
            () = stopping.cancelled() => return Ended::NotNow,
        }
    };
    let recovered = loop {
        let dir = dir.clone();
        let recover = move || match stored {
            Some(stored) => spool::recover_cut(&dir, now, stored),
            None => spool::recover(&dir, now),
        };
        match off_thread(recover).await {
            Ok(Ok(recovered)) => break recovered,
            Ok(Err(error)) if error.is_full() => {
                tracing::warn!(%error, "the end of an attempt waits for the disk");
                tokio::select! {
                    () = sleep(AGAIN) => {}
                    () = stopping.cancelled() => return Ended::NotNow,
                }
            }
            Ok(Err(error)) => return never(spool.dir(), &error),
            Err(_) => return Ended::NotNow,
        }
    };
    let Recovered { unfinished, is_cut } = recovered;
    let Some(journal) = unfinished else {
        return Ended::Yes;
    };
    let message = words(cause, is_cut.then_some(journal.place().log_bytes));
    let result = write_end(journal, dir, message, stopping).await;
    drop(lock);
    match result {
        Ok(()) => Ended::Yes,
        Err(error) if error.is_full() => Ended::NotNow,
        Err(error) => never(dir, &error),
    }
}

async fn write_end(
    journal: Journal,
    dir: &SpoolDir,
    message: String,
    stopping: &CancellationToken,
) -> Result<(), SpoolError> {
    let place = journal.place();
    let room = Room::endless(dir.clone());
    let journal = JournalWriter::start(journal, room, WorkClock::start(), |_| {});
    let hurry = async {
        stopping.cancelled().await;
        journal.set_patience(Patience::None);
        std::future::pending::<()>().await;
    };
    let write = async {
        let mut log = Log::new(journal.clone(), Instant::now());
        log.set_step(place.step);
        log.set_open_line(place.open_line);
        log.say(&format!("the build was interrupted: {message}"))
            .await;
        journal.end(AttemptEnd::Interrupted, Some(message)).await
    };
    tokio::select! {
        biased;
        result = write => result,
        () = hurry => unreachable!("it waits for ever"),
    }
}

/// What happened; `cut` is the byte of the log from which on output is missing.
fn words(cause: Cause, cut: Option<u64>) -> String {
    match (cut, cause) {
        (Some(byte), _) => format!(
            "its machine went down; output after byte {byte} of the log is missing, as far as there was any: at most what was written \
             in the last second, or since the disk last took a sync"
        ),
        (None, Cause::RunnerGone) => "its runner was killed".to_owned(),
        (None, Cause::AgentRestarted) => "the agent was restarted".to_owned(),
    }
}

fn never(dir: &SpoolDir, error: &SpoolError) -> Ended {
    let lease = dir.lease();
    tracing::error!(build.id = %lease.build, build.attempt = lease.attempt, %error, "an attempt cannot be ended");
    Ended::Never
}

/// The end of what the runner said outside of the build's log.
fn last_words(dir: &SpoolDir) -> String {
    const SHOWN: usize = 500;
    let text = std::fs::read(dir.runner_log()).unwrap_or_default();
    let from = text.len().saturating_sub(SHOWN);
    String::from_utf8_lossy(&text[from..]).trim().to_owned()
}
