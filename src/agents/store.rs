//! Tables of agents and the handle to them.

use super::error::AgentsError;
use super::live::Live;
use super::metrics::{METRICS, Metrics};
use super::model::{AgentRecord, EnrolmentRecord};
use crate::accounts::Visible;
use crate::builds::{Builds, HeldLease};
use crate::kit::{Clock, Tasks};
use crate::logs::Logs;
use crate::reports::Reports;
use crate::storage::{Storage, StorageError, Table, TableCheck, Volumes};
use std::sync::Arc;
use std::time::Duration;
use testhide_protocol::AgentId;
use testhide_protocol::api::{Agent, AgentLease};

pub(super) const AGENTS: Table<AgentId, AgentRecord> = Table::new("agents");
pub(super) const BY_NAME: Table<String, [u8; 16]> = Table::new("agents_by_name");
pub(super) const ENROLMENTS: Table<[u8; 32], EnrolmentRecord> = Table::new("agent_enrolments");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[
    AGENTS.check(),
    BY_NAME.check(),
    ENROLMENTS.check(),
    METRICS.check(),
];

/// Silence after which an agent is suspect: three missed heartbeats.
pub(super) const SUSPECT_AFTER: Duration = Duration::from_secs(15);

/// The agents; clones share them.
#[derive(Clone)]
pub struct Agents {
    pub(super) storage: Storage,
    pub(super) volumes: Volumes,
    pub(super) clock: Clock,
    pub(super) tasks: Tasks,
    pub(super) builds: Builds,
    pub(super) logs: Logs,
    pub(super) reports: Reports,
    pub(super) live: Arc<Live>,
    pub(super) metrics: Arc<Metrics>,
    /// Largest file taken from an agent.
    pub(super) max_file_bytes: u64,
}

impl Agents {
    /// The agents in `storage`.
    #[must_use]
    #[expect(
        clippy::too_many_arguments,
        reason = "these are the floors below agents, each once"
    )]
    pub fn new(
        storage: Storage,
        volumes: Volumes,
        clock: Clock,
        tasks: Tasks,
        builds: Builds,
        logs: Logs,
        reports: Reports,
        max_file_bytes: u64,
    ) -> Self {
        let live = Arc::new(Live::new(clock.clone()));
        Self {
            storage,
            volumes,
            clock,
            tasks,
            builds,
            logs,
            reports,
            live,
            metrics: Arc::default(),
            max_file_bytes,
        }
    }

    /// Every agent, by name, with those of its builds whose projects are `visible`.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn list(&self, visible: &Visible) -> Result<Vec<Agent>, AgentsError> {
        let mut leases = self.builds.leases()?;
        leases.retain(|held| match visible {
            Visible::All => true,
            // One that ended meanwhile or cannot be read is not shown.
            only @ Visible::Only(_) => self
                .builds
                .get(held.lease.build)
                .is_ok_and(|build| only.contains(build.project)),
        });
        let records: Vec<AgentRecord> = self.storage.read(|rtxn| {
            let agents = AGENTS.read(rtxn)?;
            let mut all = Vec::new();
            for row in BY_NAME.read(rtxn)?.all()? {
                all.extend(agents.get(&AgentId::from_bytes(row?.1))?);
            }
            Ok::<_, StorageError>(all)
        })?;
        let show = |record: AgentRecord| self.shown(record, &leases);
        Ok(records.into_iter().map(show).collect())
    }

    /// One agent, by name or id, as in the list.
    ///
    /// # Errors
    /// [`AgentsError::NotFound`], failures of the store.
    pub fn show(&self, visible: &Visible, agent: &str) -> Result<Agent, AgentsError> {
        let id = self.find(agent)?.id;
        let all = self.list(visible)?;
        let found = all.into_iter().find(|agent| agent.id == id);
        found.ok_or_else(|| AgentsError::NotFound(id.to_string()))
    }

    fn shown(&self, record: AgentRecord, leases: &[HeldLease]) -> Agent {
        let own = leases.iter().filter(|held| held.agent == record.id);
        let builds = own
            .map(|held| AgentLease {
                build_id: held.lease.build,
                build_number: held.number,
                attempt: held.lease.attempt,
            })
            .collect();
        Agent {
            id: record.id,
            state: self.live.state(record.id).to_owned(),
            name: record.name,
            labels: record.labels,
            capacity: record.capacity,
            version: record.version,
            platform: record.platform,
            enrolled_at: record.enrolled_at,
            last_seen_at: self.live.last_heard_at(record.id).or(record.last_seen_at),
            builds,
            host: self.latest_metrics(record.id),
            mode: record.mode.mode,
            mode_reason: record.mode.reason,
            mode_changed_by: Some(record.mode.by).filter(|by| !by.is_empty()),
            mode_changed_at: record.mode.changed_at,
        }
    }
}
