//! Earlier failures that look alike: vectors of failures in an index that can be made again from the events.
//!
//! All failures of one test with one signature are one entry, so that a list of five shows five different failures, and the index
//! grows with what goes wrong, not with how often. An entry's vector is that of its first failure. Keys and what they
//! stand for are in the state, written before the vector goes into the index; a key that the state does not know is not seen.

use super::error::AnalysisError;
use super::essence::Essence;
use super::handle::blocking;
use super::model::{StoredVector, StoredVerdict};
use super::store::{VECTOR_KEYS, VECTORS, signature_key, verdicts_of};
use crate::events::{Attempted, Consumer, EventLog};
use crate::history::place_of_result;
use crate::index::{Opened, VectorError, VectorIndex};
use crate::ml::DIMENSIONS;
use crate::storage::{Storage, StorageError, WriteTxn};
use parking_lot::RwLock;
use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use testhide_protocol::api::{Event, EventRecord};
use testhide_protocol::{ProjectId, ReportId, ResultId};

/// Entries of a list.
const BEST: usize = 5;

/// Cosine similarity below which two failures are not alike.
const LEAST_SIMILARITY: f32 = 0.5;

/// New vectors after which the index is saved; a large index waits for an eighth of its size, since all of it is written.
const SAVE_AFTER: usize = 64;

/// Events after which the index is saved although little changed, so that a restart has not many to read again.
const SAVE_AFTER_EVENTS: u64 = 10_000;

/// The index with what its keys stand for.
pub(super) struct Similar {
    storage: Storage,
    index: VectorIndex,
    /// What is in the state's table, for the filter of a search.
    entries: RwLock<HashMap<u64, StoredVector>>,
    unsaved: AtomicUsize,
}

impl Similar {
    /// Opens the index in `directory`. Blocks.
    ///
    /// # Errors
    /// A directory that cannot be used, failures of the store.
    pub(super) fn open(storage: Storage, directory: &Path) -> Result<Self, AnalysisError> {
        let (mut index, mut opened) = VectorIndex::open(directory, DIMENSIONS)?;
        if index.cursor() > EventLog::new(storage.clone()).last()? {
            // The state is an older one than the index knows: its keys stand for something else now.
            drop(index);
            let path = directory.to_owned();
            std::fs::remove_dir_all(&path).map_err(|source| VectorError::Io {
                doing: "remove",
                path,
                source,
            })?;
            (index, opened) = VectorIndex::open(directory, DIMENSIONS)?;
        }
        if let Opened::Rebuilt(reason) = &opened {
            tracing::warn!("the index of similar failures is filled again: {reason}");
        }
        let entries = storage.read(|rtxn| {
            VECTORS
                .read(rtxn)?
                .all()?
                .collect::<Result<HashMap<_, _>, StorageError>>()
        })?;
        Ok(Self {
            storage,
            index,
            entries: RwLock::new(entries),
            unsaved: AtomicUsize::new(0),
        })
    }

    /// The kinds of failures of `project` from before the report of `result` that look most like it, best first, with their
    /// similarity. Blocks.
    ///
    /// # Errors
    /// Failures of the index.
    pub(super) fn find(
        &self,
        project: ProjectId,
        result: ResultId,
        essence: &Essence,
    ) -> Result<Vec<(StoredVector, f32)>, AnalysisError> {
        let Some(vector) = essence.vector() else {
            return Ok(Vec::new());
        };
        let entries = self.entries.read();
        let earlier =
            |entry: &StoredVector| entry.project == project && is_before(entry.first, result);
        let accept = |key: u64| entries.get(&key).is_some_and(earlier);
        let found = self.index.search_filtered(&vector, BEST, accept)?;
        let shown = |(key, distance): (u64, f32)| {
            Some((*entries.get(&key)?, (1.0 - distance).clamp(0.0, 1.0)))
        };
        Ok(found
            .into_iter()
            .filter_map(shown)
            .filter(|(_, similarity)| *similarity >= LEAST_SIMILARITY)
            .collect())
    }

    /// Takes the failures of a judged report in.
    fn add(&self, project: ProjectId, report: ReportId) -> Result<(), AnalysisError> {
        let verdicts = self
            .storage
            .read(|rtxn| verdicts_of(rtxn, report, usize::MAX))?;
        let failures: Vec<StoredVerdict> = verdicts
            .into_iter()
            .filter(|verdict| verdict.essence != Essence::default())
            .collect();
        if failures.is_empty() {
            return Ok(());
        }
        let failures = Arc::new(failures);
        let to_store = failures.clone();
        let entries = self.storage.write_blocking(move |wtxn| {
            to_store
                .iter()
                .map(|failure| put_entry(wtxn, project, failure))
                .collect::<Result<Vec<_>, StorageError>>()
        })?;
        for ((key, entry), failure) in entries.into_iter().zip(failures.iter()) {
            if entry.first == failure.run.result
                && let Some(vector) = failure.essence.vector()
            {
                self.index.add(key, &vector)?;
                self.unsaved.fetch_add(1, Ordering::Relaxed);
            }
            self.entries.write().insert(key, entry);
        }
        Ok(())
    }

    /// Saves the index as that of event `seq`, when enough has changed.
    fn save(&self, seq: u64) -> Result<(), AnalysisError> {
        let changed = self.unsaved.load(Ordering::Relaxed) >= SAVE_AFTER.max(self.index.len() / 8);
        if changed || seq.saturating_sub(self.index.cursor()) >= SAVE_AFTER_EVENTS {
            self.index.save(seq)?;
            self.unsaved.store(0, Ordering::Relaxed);
        }
        Ok(())
    }
}

/// The entry of a failure, with its key; makes it when it is the first of its kind. The same failure again changes nothing.
fn put_entry(
    wtxn: &WriteTxn,
    project: ProjectId,
    failure: &StoredVerdict,
) -> Result<(u64, StoredVector), StorageError> {
    let of = (project, failure.test, signature_key(failure.signature));
    let mut keys = VECTOR_KEYS.write(wtxn)?;
    let mut vectors = VECTORS.write(wtxn)?;
    if let Some(key) = keys.get(&of)?
        && let Some(entry) = vectors.get(&key)?
    {
        return Ok((key, entry));
    }
    let key = vectors.last()?.map_or(1, |(last, _)| last + 1);
    let entry = StoredVector {
        project,
        test: failure.test,
        signature: failure.signature,
        first: failure.run.result,
    };
    keys.put(&of, &key)?;
    vectors.put(&key, &entry)?;
    Ok((key, entry))
}

/// The consumer `similar_failures`.
pub(super) struct Follower(pub(super) Arc<Similar>);

impl Consumer for Follower {
    fn name(&self) -> &'static str {
        "similar_failures"
    }

    fn consume<'a>(
        &'a self,
        batch: &'a [EventRecord],
    ) -> Pin<Box<dyn Future<Output = Attempted> + Send + 'a>> {
        Box::pin(async move {
            for (done, record) in batch.iter().enumerate() {
                let (Event::VerdictsReached { report, .. }, Some(project)) =
                    (&record.event, record.project_id)
                else {
                    continue;
                };
                let (similar, report) = (self.0.clone(), *report);
                if let Err(error) = blocking(move || similar.add(project, report)).await {
                    return Attempted {
                        done,
                        error: Some(error.into()),
                    };
                }
            }
            let Some(last) = batch.last().map(|record| record.seq) else {
                return Attempted::all(batch);
            };
            let similar = self.0.clone();
            let saved = blocking(move || similar.save(last)).await;
            if let Err(error) = saved {
                // Nothing is lost: the next start goes on from the snapshot that is there.
                tracing::warn!("failed to save the index of similar failures: {error}");
            }
            Attempted::all(batch)
        })
    }

    fn resume_at(&self) -> Option<u64> {
        Some(self.0.index.cursor())
    }
}

/// Whether a failure stands in an earlier report than another: failures of one report are no help for each other.
fn is_before(one: ResultId, other: ResultId) -> bool {
    let report = |result| place_of_result(result).map(|(report, _)| report);
    report(one) < report(other)
}
