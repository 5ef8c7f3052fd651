//! The handle that the rest of the server holds.

use super::consumer::Verdicts;
use super::error::AnalysisError;
use super::renames::Renames;
use super::similar::{Follower, Similar};
use super::train::Trainer;
use crate::builds::Builds;
use crate::events::Consumer;
use crate::history::History;
use crate::jobs::Jobs;
use crate::kit::Clock;
use crate::reports::Reports;
use crate::storage::Storage;
use std::path::Path;
use std::sync::Arc;
use tokio::sync::Mutex;

/// What the analysis may do.
#[derive(Debug, Clone, Copy)]
pub struct AnalysisSettings {
    /// Name a cause for failures.
    pub root_cause: bool,
    /// Call failures flaky.
    pub flakiness: bool,
    /// Look for similar earlier failures.
    pub retriever: bool,
}

/// The analysis; clones share it.
#[derive(Clone)]
pub struct Analysis {
    pub(super) storage: Storage,
    pub(super) clock: Clock,
    pub(super) jobs: Jobs,
    pub(super) history: History,
    pub(super) reports: Reports,
    pub(super) builds: Builds,
    pub(super) settings: AnalysisSettings,
    /// Absent when nobody wants to see similar failures.
    pub(super) similar: Option<Arc<Similar>>,
    /// A build's summary is read before it is written: one report is judged at a time, also when an event is retried by hand.
    pub(super) judging: Arc<Mutex<()>>,
}

impl Analysis {
    /// The analysis of what `storage` holds, with its vector index in `vectors` (`DATA/index/vectors`). Reads the index: blocks.
    ///
    /// # Errors
    /// A directory that cannot be used, failures of the store. A damaged index is no error, it is filled again.
    #[expect(
        clippy::too_many_arguments,
        reason = "these are the floors below the analysis, each once"
    )]
    pub fn open(
        storage: Storage,
        clock: Clock,
        jobs: Jobs,
        history: History,
        reports: Reports,
        builds: Builds,
        vectors: &Path,
        settings: AnalysisSettings,
    ) -> Result<Self, AnalysisError> {
        let similar = match settings.retriever {
            true => Some(Arc::new(Similar::open(storage.clone(), vectors)?)),
            false => None,
        };
        Ok(Self {
            storage,
            clock,
            jobs,
            history,
            reports,
            builds,
            settings,
            similar,
            judging: Arc::default(),
        })
    }

    /// The followers of the event log that do its work; each is to be started once.
    #[must_use]
    pub fn consumers(&self) -> Vec<Arc<dyn Consumer>> {
        let mut all: Vec<Arc<dyn Consumer>> = vec![
            Arc::new(Verdicts(self.clone())),
            Arc::new(Renames(self.clone())),
        ];
        if self.settings.root_cause {
            all.push(Arc::new(Trainer::new(
                self.storage.clone(),
                self.clock.clone(),
            )));
        }
        if let Some(similar) = &self.similar {
            all.push(Arc::new(Follower(similar.clone())));
        }
        all
    }
}

/// Runs what reads disks or computes for long on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AnalysisError> + Send + 'static,
) -> Result<T, AnalysisError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(AnalysisError::Panicked(error.to_string())))
}
