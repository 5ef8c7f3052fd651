//! The handle that the rest of the server holds.

use super::consumer::Ended;
use super::error::GatesError;
use crate::builds::Builds;
use crate::events::Consumer;
use crate::jobs::Jobs;
use crate::kit::Clock;
use crate::projects::Projects;
use crate::reports::Reports;
use crate::storage::Storage;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Gates; clones share them.
#[derive(Clone)]
pub struct Gates {
    pub(super) storage: Storage,
    pub(super) clock: Clock,
    pub(super) projects: Projects,
    pub(super) jobs: Jobs,
    pub(super) reports: Reports,
    pub(super) builds: Builds,
    /// Facts are read before the verdict is written: one build is evaluated at a time, so that an older look at it never
    /// replaces a newer one.
    pub(super) evaluating: Arc<Mutex<()>>,
}

impl Gates {
    /// The gates in `storage`, over these floors.
    #[must_use]
    pub fn new(
        storage: Storage,
        clock: Clock,
        projects: Projects,
        jobs: Jobs,
        reports: Reports,
        builds: Builds,
    ) -> Self {
        Self {
            storage,
            clock,
            projects,
            jobs,
            reports,
            builds,
            evaluating: Arc::default(),
        }
    }

    /// The follower of the event log that evaluates builds; to be started once.
    #[must_use]
    pub fn consumer(&self) -> Arc<dyn Consumer> {
        Arc::new(Ended(self.clone()))
    }
}

/// Runs what reads disks for long on a thread of its own.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GatesError> + Send + 'static,
) -> Result<T, GatesError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(GatesError::Panicked(error.to_string())))
}
