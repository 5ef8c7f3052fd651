//! Tables of builds and the handle to them.

use super::error::BuildsError;
use super::facts::{PrintedRecord, ReportFacts};
use super::model::{AttemptRecord, BuildRecord, IdempotencyRecord, LeaseRecord, QueueRecord};
use super::queue::Workforce;
use super::tally::Tallies;
use crate::accounts::{Principal, require};
use crate::artifacts::Artifacts;
use crate::jobs::Jobs;
use crate::kit::{Bell, Clock, Hearing};
use crate::logs::Logs;
use crate::projects::Projects;
use crate::reports::Reports;
use crate::storage::{Storage, StorageError, Table, TableCheck, Transaction, WriteTxn};
use parking_lot::RwLock;
use std::sync::Arc;
use testhide_protocol::api::{ProjectPermission, Tps};
use testhide_protocol::{AgentId, BuildId, JobId, ProjectId, UserId};

pub(super) const BUILDS: Table<BuildId, BuildRecord> = Table::new("builds");
pub(super) const BY_NUMBER: Table<u64, [u8; 16]> = Table::new("builds_by_number");
pub(super) const BY_PROJECT: Table<(ProjectId, u64), [u8; 16]> = Table::new("builds_by_project");
pub(super) const BY_JOB: Table<(JobId, u64), [u8; 16]> = Table::new("builds_by_job");
pub(super) const ATTEMPTS: Table<(BuildId, u32), AttemptRecord> = Table::new("build_attempts");

/// Reports of an attempt in the order of arrival.
pub(super) const REPORT_FACTS: Table<(BuildId, u32, u32), ReportFacts> =
    Table::new("build_report_facts");

/// Failures that were printed in an attempt, in the order of arrival.
pub(super) const PRINTED: Table<(BuildId, u32, u32), PrintedRecord> =
    Table::new("build_printed_failures");
pub(super) const QUEUE: Table<u64, QueueRecord> = Table::new("build_queue");
pub(super) const LEASES: Table<(AgentId, BuildId), LeaseRecord> = Table::new("build_leases");
pub(super) const IDEMPOTENCY: Table<(UserId, String), IdempotencyRecord> =
    Table::new("build_idempotency");

/// The last number given: `fence`.
pub(super) const COUNTERS: Table<String, u64> = Table::new("build_counters");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[
    BUILDS.check(),
    BY_NUMBER.check(),
    BY_PROJECT.check(),
    BY_JOB.check(),
    ATTEMPTS.check(),
    REPORT_FACTS.check(),
    PRINTED.check(),
    QUEUE.check(),
    LEASES.check(),
    IDEMPOTENCY.check(),
    COUNTERS.check(),
];

/// The builds; clones share them.
#[derive(Clone)]
pub struct Builds {
    pub(super) storage: Storage,
    pub(super) clock: Clock,
    pub(super) projects: Projects,
    pub(super) jobs: Jobs,
    pub(super) logs: Logs,
    pub(super) artifacts: Artifacts,
    pub(super) reports: Reports,
    /// What is counted of builds whose reports arrive.
    pub(super) tallies: Arc<Tallies>,
    /// Wakes whoever hands builds to agents or tells them to end; carries nothing.
    wake: Bell,
    /// The agents, for saying why a build waits.
    workforce: Arc<RwLock<Workforce>>,
}

impl Builds {
    /// The builds in `storage`.
    #[must_use]
    pub fn new(
        storage: Storage,
        clock: Clock,
        projects: Projects,
        jobs: Jobs,
        logs: Logs,
        artifacts: Artifacts,
        reports: Reports,
    ) -> Self {
        Self {
            storage,
            clock,
            projects,
            jobs,
            logs,
            artifacts,
            reports,
            tallies: Arc::default(),
            wake: Bell::default(),
            workforce: Arc::default(),
        }
    }

    /// One build, whoever asks.
    ///
    /// # Errors
    /// [`BuildsError::NotFound`], failures of the store.
    pub fn get(&self, id: BuildId) -> Result<BuildRecord, BuildsError> {
        self.storage.read(|rtxn| load(rtxn, id))
    }

    /// The build that `text` names (its id or its number), if `principal` may see it.
    ///
    /// # Errors
    /// [`BuildsError::NotFound`] also for a build that the caller may not see.
    pub fn resolve(&self, principal: &Principal, text: &str) -> Result<BuildRecord, BuildsError> {
        self.resolve_for(principal, text, ProjectPermission::Read)
    }

    /// As [`Builds::resolve`], for something that needs `permission` on its project.
    ///
    /// # Errors
    /// As [`Builds::resolve`], and [`BuildsError::Refused`] when the caller may see the build but not do this.
    pub fn resolve_for(
        &self,
        principal: &Principal,
        text: &str,
        permission: ProjectPermission,
    ) -> Result<BuildRecord, BuildsError> {
        let missing = || BuildsError::NotFound(text.chars().take(64).collect());
        let record = self.storage.read(|rtxn| {
            let id = match text.parse::<u64>() {
                Ok(number) => BY_NUMBER.read(rtxn)?.get(&number)?.map(BuildId::from_bytes),
                Err(_) => text.parse::<BuildId>().ok(),
            };
            load(rtxn, id.ok_or_else(missing)?)
        })?;
        if require(principal, ProjectPermission::Read, record.project).is_err() {
            return Err(missing());
        }
        require(principal, permission, record.project)?;
        Ok(record)
    }

    /// Fires when there may be something new for agents: a build to take, a build to end.
    #[must_use]
    pub fn changes(&self) -> Hearing {
        self.wake.listen()
    }

    /// Tells which agents are connected and take builds, and which were drained or disabled (labels and name of each), for saying why
    /// a build waits.
    pub fn set_agents(
        &self,
        taking: Vec<(Vec<String>, String)>,
        resting: Vec<(Vec<String>, String)>,
    ) {
        *self.workforce.write() = Workforce { taking, resting };
    }

    pub(super) fn workforce(&self) -> Workforce {
        self.workforce.read().clone()
    }

    /// Lets every waiting session look at the queue again.
    pub fn wake(&self) {
        self.wake.ring();
    }
}

/// One build.
///
/// # Errors
/// [`BuildsError::NotFound`], failures of the store.
pub fn load<T: Transaction>(txn: &T, id: BuildId) -> Result<BuildRecord, BuildsError> {
    BUILDS
        .read(txn)?
        .get(&id)?
        .ok_or_else(|| BuildsError::NotFound(id.to_string()))
}

/// One build, where it is there. Leases and places in the queue of a state that was saved from a damaged disk may have none.
pub(super) fn load_if_there<T: Transaction>(
    txn: &T,
    id: BuildId,
) -> Result<Option<BuildRecord>, StorageError> {
    BUILDS.read(txn)?.get(&id)
}

pub(super) fn save(wtxn: &WriteTxn, record: &BuildRecord) -> Result<(), StorageError> {
    BUILDS.write(wtxn)?.put(&record.id, record)
}

/// Stores what the analysis says of a build after it has dealt with one more of its reports.
///
/// # Errors
/// [`BuildsError::NotFound`], failures of the store.
pub fn set_tps(wtxn: &WriteTxn, build: BuildId, tps: Tps) -> Result<(), BuildsError> {
    let mut record = load(wtxn, build)?;
    record.reports_pending = record.reports_pending.saturating_sub(1);
    record.tps = tps.into();
    Ok(save(wtxn, &record)?)
}
