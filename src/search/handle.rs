//! The handle that the rest of the server holds.

use super::error::SearchError;
use super::indexer::Indexer;
use super::lookup::Lookup;
use crate::builds::Builds;
use crate::events::EventLog;
use crate::index::{IndexError, TextIndex};
use crate::kit::Clock;
use crate::logs::Logs;
use crate::projects::Projects;
use crate::reports::Reports;
use crate::storage::{Storage, StorageError};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Searches that run at once; more of them would take the disk and the cores from ingest. Others wait.
const AT_ONCE: usize = 4;

/// Shortest time between two commits of the index. A commit costs some 20 ms and leaves a segment to merge; a line can be found
/// this long after it was written, and a little for the work.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// The search; clones share it.
#[derive(Clone)]
pub struct Search {
    pub(super) index: TextIndex,
    pub(super) facts: Lookup,
    pub(super) logs: Logs,
    pub(super) projects: Projects,
    pub(super) log: EventLog,
    pub(super) permits: Arc<Semaphore>,
    indexer: Arc<Indexer>,
}

/// What the search looks into.
#[derive(Clone)]
pub struct SearchParts {
    /// The store.
    pub storage: Storage,
    /// Time.
    pub clock: Clock,
    /// Projects.
    pub projects: Projects,
    /// Logs.
    pub logs: Logs,
    /// Builds.
    pub builds: Builds,
    /// Reports.
    pub reports: Reports,
}

impl Search {
    /// The search over the index in `dir`. An index that is damaged, of another version, or ahead of the store (which was
    /// restored from an older backup) is made anew; the indexer then fills it from the first event on.
    ///
    /// # Errors
    /// A directory that cannot be made or emptied, failures of the store.
    pub fn open(dir: &Path, parts: SearchParts) -> Result<Self, SearchError> {
        Self::open_with(dir, parts, COMMIT_EVERY)
    }

    /// As [`Search::open`], with another time between commits.
    pub(super) fn open_with(
        dir: &Path,
        parts: SearchParts,
        commit_every: Duration,
    ) -> Result<Self, SearchError> {
        let SearchParts {
            storage,
            clock,
            projects,
            logs,
            builds,
            reports,
        } = parts;
        let log = EventLog::new(storage.clone());
        let facts = Lookup {
            storage,
            builds,
            reports,
        };
        let index = open_index(dir, log.last()?)?;
        let indexer = Indexer::new(
            index.clone(),
            facts.clone(),
            log.clone(),
            logs.clone(),
            clock,
            commit_every,
        );
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        Ok(Self {
            index,
            facts,
            logs,
            projects,
            log,
            permits,
            indexer: Arc::new(indexer),
        })
    }

    /// Events that are stored and not in the index yet.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn lag(&self) -> Result<u64, StorageError> {
        Ok(self.log.last()?.saturating_sub(self.index.cursor()))
    }

    /// The consumer that keeps the index up to date.
    #[must_use]
    pub fn indexer(&self) -> Arc<Indexer> {
        self.indexer.clone()
    }
}

fn open_index(dir: &Path, last_event: u64) -> Result<TextIndex, IndexError> {
    let why = match TextIndex::open(dir) {
        Ok(index) if index.cursor() <= last_event => return Ok(index),
        Ok(index) => format!(
            "it knows event {}, the store ends at {last_event}",
            index.cursor()
        ),
        Err(error @ (IndexError::Damaged { .. } | IndexError::OtherVersion { .. })) => {
            error.to_string()
        }
        Err(error) => return Err(error),
    };
    tracing::warn!(index.dir = %dir.display(), "the text index is made anew: {why}");
    TextIndex::recreate(dir)
}
