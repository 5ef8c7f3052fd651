//! Consumers: followers of the log with a durable cursor.

use super::log::{EventLog, last_of};
use super::model::StoredParked;
use crate::kit::{Clock, Tasks};
use crate::storage::{Storage, StorageError, Table, WriteTxn};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use testhide_protocol::api::{EventRecord, ParkedEvent};

/// Where each consumer stands.
pub(super) const CURSORS: Table<String, u64> = Table::new("event_cursors");

/// Events set aside: (sequence number, consumer).
pub(super) const PARKED: Table<(u64, String), StoredParked> = Table::new("event_parked");

/// Events handed over at once.
const BATCH: usize = 256;

/// Tries of one event before it is parked.
const TRIES: u32 = 5;

/// Pause after the first failed try; doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// How long a consumer sleeps when nothing wakes it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a consumer could not deal with an event.
pub type ConsumerError = anyhow::Error;

/// What became of one call of [`Consumer::consume`].
#[derive(Debug)]
pub struct Attempted {
    /// How many events of the batch, from its start, are dealt with for good.
    pub done: usize,
    /// Why it stopped at the next one; `None` when it dealt with all.
    pub error: Option<ConsumerError>,
}

impl Attempted {
    /// The whole batch.
    #[must_use]
    pub fn all(batch: &[EventRecord]) -> Self {
        Self {
            done: batch.len(),
            error: None,
        }
    }
}

/// A follower of the log. It must be idempotent: after a crash it sees events again that it has dealt with.
pub trait Consumer: Send + Sync + 'static {
    /// Its name in the store and on screens; never changed after a release.
    fn name(&self) -> &'static str;

    /// Deals with a batch, in order. What it keeps outside the state store (an index) must be durable before it answers, or
    /// [`Consumer::resume_at`] must say how far it really is.
    fn consume<'a>(
        &'a self,
        batch: &'a [EventRecord],
    ) -> Pin<Box<dyn Future<Output = Attempted> + Send + 'a>>;

    /// The cursor that derived data outside the state store holds itself; the smaller of both counts at the start.
    fn resume_at(&self) -> Option<u64> {
        None
    }
}

/// Runs consumers and tells how they stand; clones share it.
#[derive(Clone)]
pub struct Consumers {
    storage: Storage,
    log: EventLog,
    clock: Clock,
    /// Those that were started, for giving them a parked event again.
    started: Arc<Mutex<Vec<Arc<dyn Consumer>>>>,
}

impl Consumers {
    /// Consumers of the log in `storage`.
    #[must_use]
    pub fn new(storage: Storage, log: EventLog, clock: Clock) -> Self {
        Self {
            storage,
            log,
            clock,
            started: Arc::default(),
        }
    }

    /// Follows the log with `consumer` until the tasks stop; ends at an event border.
    pub fn start(&self, consumer: Arc<dyn Consumer>, tasks: &Tasks) {
        self.started.lock().push(consumer.clone());
        let this = self.clone();
        let stopping = tasks.stopping();
        tasks.spawn_essential(consumer.name(), async move {
            let mut pause = FIRST_PAUSE;
            let mut tries = 0;
            let mut cursor = None;
            while !stopping.is_cancelled() {
                let stepped = match cursor {
                    Some(cursor) => this.step(&*consumer, cursor, &mut tries).await,
                    None => this.start_cursor(&*consumer).map(Step::Moved),
                };
                match stepped {
                    Ok(Step::Moved(to)) => {
                        cursor = Some(to);
                        pause = FIRST_PAUSE;
                        continue;
                    }
                    Ok(Step::Idle) => {
                        tokio::select! {
                            () = stopping.cancelled() => {}
                            _ = this.log.wait_after(cursor.unwrap_or(0), PATIENCE) => {}
                        }
                        continue;
                    }
                    Ok(Step::Failed) => {}
                    Err(error) => {
                        let name = consumer.name();
                        tracing::warn!(
                            consumer = name,
                            "consumer `{name}` cannot use the store: {error}"
                        );
                    }
                }
                tokio::select! {
                    () = stopping.cancelled() => {}
                    () = tokio::time::sleep(pause) => pause = (pause * 2).min(PATIENCE),
                }
            }
        });
    }

    /// Lets `consumer` deal with everything that is in the log now, and returns; for tests and tools.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn drain(&self, consumer: &dyn Consumer) -> Result<(), StorageError> {
        let mut cursor = self.start_cursor(consumer)?;
        let mut tries = 0;
        loop {
            match self.step(consumer, cursor, &mut tries).await? {
                Step::Moved(to) => cursor = to,
                Step::Idle => return Ok(()),
                Step::Failed => {}
            }
        }
    }

    /// How a consumer stands: its cursor, events it has still to see, events set aside.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn status(&self) -> Result<Vec<testhide_protocol::api::Consumer>, StorageError> {
        self.storage.read(|rtxn| {
            let last = last_of(rtxn)?;
            let parked = PARKED.read(rtxn)?;
            let mut all = Vec::new();
            let mut cursors: BTreeMap<String, u64> =
                self.started_names().map(|name| (name, 0)).collect();
            for row in CURSORS.read(rtxn)?.all()? {
                let (name, cursor) = row?;
                cursors.insert(name, cursor);
            }
            let mut counts: BTreeMap<String, u64> = BTreeMap::new();
            for row in parked.all()? {
                *counts.entry(row?.0.1).or_default() += 1;
            }
            for (name, cursor) in cursors {
                let parked = counts.get(&name).copied().unwrap_or(0);
                let lag = last.saturating_sub(cursor);
                all.push(testhide_protocol::api::Consumer {
                    name,
                    cursor,
                    lag,
                    parked,
                });
            }
            Ok(all)
        })
    }

    /// Events that were set aside, oldest first.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn parked(&self) -> Result<Vec<ParkedEvent>, StorageError> {
        self.storage.read(|rtxn| {
            PARKED
                .read(rtxn)?
                .all()?
                .map(|row| {
                    let ((seq, consumer), stored) = row?;
                    Ok(ParkedEvent {
                        consumer,
                        seq,
                        error: stored.error,
                        parked_at: stored.parked_at,
                    })
                })
                .collect()
        })
    }

    /// Gives a parked event to `consumer` once more; it is no longer parked when that goes well. Answers whether it was parked.
    ///
    /// # Errors
    /// The consumer's error (the event stays parked), and failures of the store.
    pub async fn retry(&self, consumer: &dyn Consumer, seq: u64) -> Result<bool, ConsumerError> {
        let key = (seq, consumer.name().to_owned());
        if !self
            .storage
            .read(|rtxn| PARKED.read(rtxn)?.contains(&key))?
        {
            return Ok(false);
        }
        if let Some(record) = self.log.get(seq)?
            && let Some(error) = consumer.consume(&[record]).await.error
        {
            return Err(error);
        }
        self.storage
            .write(move |wtxn| PARKED.write(wtxn)?.remove(&key))
            .await?;
        Ok(true)
    }

    /// As [`Consumers::retry`], for a started consumer by its name.
    ///
    /// # Errors
    /// As [`Consumers::retry`].
    pub async fn retry_named(&self, name: &str, seq: u64) -> Result<bool, ConsumerError> {
        let consumer = self
            .started
            .lock()
            .iter()
            .find(|consumer| consumer.name() == name)
            .cloned();
        match consumer {
            Some(consumer) => self.retry(&*consumer, seq).await,
            None => Ok(false),
        }
    }

    fn started_names(&self) -> impl Iterator<Item = String> {
        let names: Vec<String> = self
            .started
            .lock()
            .iter()
            .map(|consumer| consumer.name().to_owned())
            .collect();
        names.into_iter()
    }

    /// Where `consumer` goes on; at the start for one that nobody knows yet.
    fn start_cursor(&self, consumer: &dyn Consumer) -> Result<u64, StorageError> {
        let name = consumer.name().to_owned();
        let stored = self
            .storage
            .read(|rtxn| CURSORS.read(rtxn)?.get(&name))?
            .unwrap_or(0);
        Ok(consumer.resume_at().map_or(stored, |own| own.min(stored)))
    }

    async fn step(
        &self,
        consumer: &dyn Consumer,
        cursor: u64,
        tries: &mut u32,
    ) -> Result<Step, StorageError> {
        let batch = self.log.after(cursor, BATCH)?;
        if batch.is_empty() {
            return Ok(Step::Idle);
        }
        let attempted = consumer.consume(&batch).await;
        let name = consumer.name();
        let mut reached = attempted
            .done
            .checked_sub(1)
            .map_or(cursor, |last| batch[last].seq);
        if attempted.done > 0 {
            *tries = 0;
        }
        let Some(error) = attempted.error else {
            self.storage
                .write(move |wtxn| set_cursor(wtxn, name, reached))
                .await?;
            return Ok(Step::Moved(reached));
        };
        let Some(failing) = batch.get(attempted.done).map(|record| record.seq) else {
            return Ok(Step::Moved(reached));
        };
        // A store that takes nothing now is not the event's fault.
        if error
            .downcast_ref::<StorageError>()
            .is_some_and(StorageError::is_temporary)
        {
            return Ok(Step::Failed);
        }
        *tries += 1;
        tracing::warn!(
            consumer = name,
            event.seq = failing,
            tries = *tries,
            "consumer `{name}` failed at event {failing}: {error:#}"
        );
        if *tries < TRIES {
            if attempted.done > 0 {
                self.storage
                    .write(move |wtxn| set_cursor(wtxn, name, reached))
                    .await?;
                return Ok(Step::Moved(reached));
            }
            return Ok(Step::Failed);
        }
        *tries = 0;
        reached = failing;
        let parked = StoredParked {
            error: format!("{error:#}"),
            parked_at: self.clock.now(),
        };
        self.storage
            .write(move |wtxn| {
                PARKED
                    .write(wtxn)?
                    .put(&(failing, name.to_owned()), &parked)?;
                set_cursor(wtxn, name, failing)
            })
            .await?;
        Ok(Step::Moved(reached))
    }
}

enum Step {
    Moved(u64),
    Idle,
    Failed,
}

fn set_cursor(wtxn: &WriteTxn, name: &str, seq: u64) -> Result<(), StorageError> {
    CURSORS.write(wtxn)?.put(&name.to_owned(), &seq)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::append;
    use crate::storage::OpenOptions;
    use testhide_protocol::api::Event;
    use testhide_protocol::{ProjectId, Timestamp};

    /// Fails at one sequence number until told otherwise, and remembers what it saw.
    struct Picky {
        bad: Mutex<Option<u64>>,
        seen: Mutex<Vec<u64>>,
    }

    impl Consumer for Picky {
        fn name(&self) -> &'static str {
            "picky"
        }

        fn consume<'a>(
            &'a self,
            batch: &'a [EventRecord],
        ) -> Pin<Box<dyn Future<Output = Attempted> + Send + 'a>> {
            Box::pin(async move {
                for (done, record) in batch.iter().enumerate() {
                    if Some(record.seq) == *self.bad.lock() {
                        return Attempted {
                            done,
                            error: Some(anyhow::anyhow!("cannot read {}", record.seq)),
                        };
                    }
                    self.seen.lock().push(record.seq);
                }
                Attempted::all(batch)
            })
        }
    }

    #[tokio::test]
    async fn an_event_that_keeps_failing_is_parked_and_others_pass() {
        let dir = tempfile::tempdir().unwrap();
        let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
        let log = EventLog::new(storage.clone());
        let clock = Clock::manual(Timestamp(1_000));
        let consumers = Consumers::new(storage.clone(), log.clone(), clock);
        storage
            .write(|wtxn| {
                for _ in 0..10 {
                    let event = Event::ProjectCreated {
                        project: ProjectId::from_bytes([7; 16]),
                    };
                    append(wtxn, Timestamp(5), None, &event)?;
                }
                Ok::<_, StorageError>(())
            })
            .await
            .unwrap();
        let picky = Picky {
            bad: Mutex::new(Some(4)),
            seen: Mutex::default(),
        };
        consumers.drain(&picky).await.unwrap();
        assert_eq!(*picky.seen.lock(), vec![1, 2, 3, 5, 6, 7, 8, 9, 10]);
        let parked = consumers.parked().unwrap();
        assert_eq!(
            (parked.len(), parked[0].seq, parked[0].error.as_str()),
            (1, 4, "cannot read 4")
        );
        let status = consumers.status().unwrap();
        assert_eq!(
            (status[0].cursor, status[0].lag, status[0].parked),
            (10, 0, 1)
        );

        assert!(
            consumers.retry(&picky, 4).await.is_err(),
            "still bad: stays parked"
        );
        *picky.bad.lock() = None;
        assert!(consumers.retry(&picky, 4).await.unwrap());
        assert!(consumers.parked().unwrap().is_empty());
        assert!(!consumers.retry(&picky, 4).await.unwrap());
    }

    #[tokio::test]
    async fn events_count_without_gaps_over_failed_writes() {
        let dir = tempfile::tempdir().unwrap();
        let (storage, _volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
        for fail in [false, true, false] {
            drop(
                storage
                    .write(move |wtxn| {
                        let event = Event::ProjectCreated {
                            project: ProjectId::from_bytes([7; 16]),
                        };
                        append(wtxn, Timestamp(5), None, &event)?;
                        if fail {
                            Err(StorageError::Closing)
                        } else {
                            Ok(())
                        }
                    })
                    .await,
            );
        }
        let log = EventLog::new(storage);
        let seqs: Vec<u64> = log
            .after(0, 10)
            .unwrap()
            .iter()
            .map(|record| record.seq)
            .collect();
        assert_eq!(seqs, vec![1, 2]);
        assert_eq!(log.after(1, 10).unwrap().len(), 1);
    }
}
