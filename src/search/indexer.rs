//! Follows the event log and puts what can be searched into the text index.
//!
//! The index's own cursor counts: it is committed together with the blocks, so after a crash the events behind it come again,
//! and a block that comes again replaces itself. When the index cannot be written (a full disk), no event is set aside: the
//! writer is dropped, and the next batch begins by reading everything behind the index's cursor from the log itself.

use super::error::SearchError;
use super::facts::{AttemptFacts, FailureFacts};
use super::log_block::{AttemptLog, LogBlock};
use super::lookup::Lookup;
use crate::events::{Attempted, Consumer, EventLog};
use crate::index::{BlockDoc, BlockKey, IndexError, TextIndex, TextWriter};
use crate::kit::Clock;
use crate::logs::Logs;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use testhide_protocol::api::{Event, EventRecord};
use testhide_protocol::{BuildId, ReportId};

/// Text after which a commit comes early.
const COMMIT_BYTES: usize = 32_000_000;

/// Events read at once when the index is behind its consumer's cursor.
const CATCH_UP: usize = 256;

/// Failures read at once: a broken environment fails every test of a large suite.
const FAILURES: usize = 256;

/// The consumer `search`; clones share it.
#[derive(Clone)]
pub struct Indexer(Arc<Shared>);

struct Shared {
    index: TextIndex,
    facts: Lookup,
    log: EventLog,
    logs: Logs,
    clock: Clock,
    commit_every: Duration,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Made for the first event, and again after a failure.
    writer: Option<TextWriter>,
    /// Last event that the writer has seen; counts only while there is a writer.
    reached: u64,
    /// Bytes of text since the last commit.
    bytes: usize,
    /// When that was, on the monotonic clock.
    committed_at: Option<Duration>,
}

/// Attempts that a batch has met: most of its events are of a few builds.
type Attempts = HashMap<(BuildId, u32), Option<AttemptFacts>>;

impl Consumer for Indexer {
    fn name(&self) -> &'static str {
        "search"
    }

    fn consume<'a>(
        &'a self,
        batch: &'a [EventRecord],
    ) -> Pin<Box<dyn Future<Output = Attempted> + Send + 'a>> {
        Box::pin(async move {
            let Some(last) = batch.last().map(|record| record.seq) else {
                return Attempted::all(batch);
            };
            let events = batch.to_vec();
            let attempted = self.blocking(move |shared| shared.add(&events)).await;
            let attempted = attempted.unwrap_or_else(|error| Attempted {
                done: 0,
                error: Some(error),
            });
            if attempted.error.is_none()
                && self.is_commit_due(last).await
                && let Err(error) = self.blocking(Shared::commit).await
            {
                tracing::error!("failed to commit the text index: {error:#}");
            }
            attempted
        })
    }

    fn resume_at(&self) -> Option<u64> {
        Some(self.0.index.cursor())
    }
}

impl Indexer {
    pub(super) fn new(
        index: TextIndex,
        facts: Lookup,
        log: EventLog,
        logs: Logs,
        clock: Clock,
        commit_every: Duration,
    ) -> Self {
        let state = Mutex::default();
        Self(Arc::new(Shared {
            index,
            facts,
            log,
            logs,
            clock,
            commit_every,
            state,
        }))
    }

    /// Runs `work` where it may take long. A panic drops the writer: nobody knows how much it holds.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> T + Send + 'static,
    ) -> Result<T, anyhow::Error> {
        let shared = self.0.clone();
        tokio::task::spawn_blocking(move || work(&shared))
            .await
            .map_err(|error| {
                self.0.state.lock().writer = None;
                error.into()
            })
    }

    /// Waits for the moment of the next commit. `false` when more events came before it: they go into the same commit.
    async fn is_commit_due(&self, last: u64) -> bool {
        let pause = self.0.until_commit();
        if pause.is_zero() {
            return true;
        }
        // A closing store ends the wait at once; the commit is then the last one.
        drop(self.0.log.wait_after(last, pause).await);
        self.0.log.last().is_ok_and(|newest| newest <= last) || self.0.until_commit().is_zero()
    }
}

/// Why an event is not in the index.
enum Failure {
    /// The event cannot be read: set it aside.
    Event(SearchError),
    /// The index cannot be written, whatever the event.
    Index(IndexError),
}

impl<E: Into<SearchError>> From<E> for Failure {
    fn from(error: E) -> Self {
        match error.into() {
            SearchError::Index(error) => Self::Index(error),
            error => Self::Event(error),
        }
    }
}

impl Shared {
    /// Adds what a batch tells of to the writer.
    fn add(&self, batch: &[EventRecord]) -> Attempted {
        let mut state = self.state.lock();
        let mut attempts = Attempts::new();
        let mut done = 0;
        let outcome = self
            .catch_up(&mut state, batch[0].seq, &mut attempts)
            .and_then(|()| {
                for record in batch {
                    self.event(&mut state, record, &mut attempts)?;
                    state.reached = state.reached.max(record.seq);
                    done += 1;
                }
                Ok(())
            });
        match outcome {
            Ok(()) => Attempted::all(batch),
            Err(Failure::Event(error)) => Attempted {
                done,
                error: Some(error.into()),
            },
            Err(Failure::Index(error)) => {
                state.writer = None;
                let error = anyhow::Error::from(error);
                tracing::error!(
                    "the text index cannot be written and stays at event {}: {error:#}",
                    self.index.cursor()
                );
                Attempted::all(batch)
            }
        }
    }

    /// Makes sure that there is a writer and that it has seen every event before `seq`.
    fn catch_up(
        &self,
        state: &mut State,
        seq: u64,
        attempts: &mut Attempts,
    ) -> Result<(), Failure> {
        if state.writer.is_none() {
            state.writer = Some(self.index.writer().map_err(Failure::Index)?);
            state.reached = self.index.cursor();
            state.bytes = 0;
        }
        while state.reached + 1 < seq {
            let mut missed = self.log.after(state.reached, CATCH_UP)?;
            missed.retain(|record| record.seq < seq);
            if missed.is_empty() {
                state.reached = seq - 1;
            }
            for record in missed {
                match self.event(state, &record, attempts) {
                    // It was tried and set aside when its turn was.
                    Err(Failure::Event(error)) => {
                        tracing::warn!(
                            event.seq = record.seq,
                            "event {} is not searchable: {error}",
                            record.seq
                        );
                    }
                    other => other?,
                }
                state.reached = record.seq;
            }
        }
        Ok(())
    }

    /// Deals with one event. A panic is that event's failure and nobody else's: it is set aside like one that cannot be read.
    fn event(
        &self,
        state: &mut State,
        record: &EventRecord,
        attempts: &mut Attempts,
    ) -> Result<(), Failure> {
        catch_unwind(AssertUnwindSafe(|| self.index(state, record, attempts))).unwrap_or_else(
            |_| {
                let what = format!("indexing event {} panicked", record.seq);
                Err(Failure::Event(SearchError::Panicked(what)))
            },
        )
    }

    fn index(
        &self,
        state: &mut State,
        record: &EventRecord,
        attempts: &mut Attempts,
    ) -> Result<(), Failure> {
        match record.event {
            Event::LogAppended {
                build,
                attempt,
                from,
                to,
                ..
            } => {
                let log = AttemptLog {
                    logs: &self.logs,
                    build,
                    attempt,
                };
                self.log_range(state, log, from, to, attempts)?;
            }
            Event::ReportStored { report, .. } => self.failures(state, report)?,
            _ => {}
        }
        if state.bytes >= COMMIT_BYTES {
            self.commit_state(state)?;
        }
        Ok(())
    }

    /// Adds the blocks of the chunks in `from..to`, and again the block whose last line was open at `from`.
    fn log_range(
        &self,
        state: &mut State,
        log: AttemptLog<'_>,
        from: u64,
        to: u64,
        attempts: &mut Attempts,
    ) -> Result<(), Failure> {
        let facts = match attempts.entry((log.build, log.attempt)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(free) => free.insert(self.facts.attempt(log.build, log.attempt)?),
        };
        // A build that is gone has nothing to find.
        let Some(facts) = facts else { return Ok(()) };
        if let Some(earlier) = log.open_line_before(from)?
            && let Some(block) = log.block(earlier)?
        {
            add_block(state, log, earlier, &block, facts)?;
        }
        for offset in self.logs.offsets(log.build, log.attempt, from, to)? {
            let Some(block) = log.block(offset)? else {
                break;
            };
            add_block(state, log, offset, &block, facts)?;
        }
        Ok(())
    }

    fn failures(&self, state: &mut State, report: ReportId) -> Result<(), Failure> {
        let mut after = None;
        loop {
            let failures = self.facts.failures_of(report, after, FAILURES)?;
            for failure in &failures {
                add_failure(state, failure)?;
            }
            after = failures.last().map(|failure| failure.result);
            if failures.len() < FAILURES {
                return Ok(());
            }
        }
    }

    fn commit(&self) -> Result<(), IndexError> {
        self.commit_state(&mut self.state.lock())
    }

    fn commit_state(&self, state: &mut State) -> Result<(), IndexError> {
        let Some(writer) = &mut state.writer else {
            return Ok(());
        };
        let committed = writer.commit(state.reached);
        if committed.is_err() {
            state.writer = None;
        }
        state.bytes = 0;
        state.committed_at = Some(self.clock.monotonic());
        committed
    }

    /// How long to wait until the next commit may come.
    fn until_commit(&self) -> Duration {
        let state = self.state.lock();
        let due = state
            .committed_at
            .map_or(Duration::ZERO, |at| at + self.commit_every);
        due.saturating_sub(self.clock.monotonic())
    }
}

fn add_block(
    state: &mut State,
    log: AttemptLog<'_>,
    offset: u64,
    block: &LogBlock,
    facts: &AttemptFacts,
) -> Result<(), IndexError> {
    let text = block.text();
    if text.is_empty() {
        return Ok(());
    }
    let doc = BlockDoc {
        key: BlockKey::Log {
            build_id: log.build.bytes(),
            attempt: log.attempt,
            offset,
        },
        project: facts.project.bytes(),
        build: facts.number,
        build_id: log.build.bytes(),
        attempt: log.attempt,
        job: &facts.job,
        branch: &facts.branch,
        // Answered from the store: it changes after the line was written.
        status: "",
        agent: &facts.agent,
        test: "",
        step: facts.step(block.step),
        time: block.time.0,
        text: &text,
    };
    add_doc(state, &doc)
}

fn add_failure(state: &mut State, failure: &FailureFacts) -> Result<(), IndexError> {
    let build = failure.build.as_ref();
    let doc = BlockDoc {
        key: BlockKey::Failure {
            result_id: failure.result.bytes(),
            ordinal: 0,
        },
        project: failure.project.bytes(),
        build: build.map_or(0, |build| build.number),
        build_id: build.map_or([0; 16], |build| build.id.bytes()),
        attempt: build.map_or(0, |build| build.attempt),
        job: build.map_or("", |build| &build.job),
        branch: &failure.branch,
        status: &failure.status,
        agent: &failure.agent,
        test: &failure.test,
        step: "",
        time: failure.time.0,
        text: &failure.text,
    };
    add_doc(state, &doc)
}

fn add_doc(state: &mut State, doc: &BlockDoc<'_>) -> Result<(), IndexError> {
    state.bytes += doc.text.len();
    state
        .writer
        .as_mut()
        .expect("the batch began with a writer")
        .add(doc)
}
