//! Tables of agents and the handle to them.

use super::door::Door;
use super::error::AgentsError;
use super::live::Live;
use super::metrics::{METRICS, Metrics};
use super::model::{AgentRecord, EnrolmentRecord, StoredConnections, StoredTroubles};
use super::refusal::Troubles;
use crate::accounts::Visible;
use crate::audit::Audit;
use crate::builds::{Builds, HeldLease};
use crate::kit::{Clock, Tasks, random_bytes};
use crate::logs::Logs;
use crate::reports::Reports;
use crate::storage::{Storage, StorageError, Table, TableCheck, Volumes};
use std::sync::Arc;
use std::time::Duration;
use testhide_protocol::AgentId;
use testhide_protocol::api::{Agent, AgentDetails, AgentLease};

pub(super) const AGENTS: Table<AgentId, AgentRecord> = Table::new("agents");
pub(super) const BY_NAME: Table<String, [u8; 16]> = Table::new("agents_by_name");
pub(super) const ENROLMENTS: Table<[u8; 32], EnrolmentRecord> = Table::new("agent_enrolments");

/// The last connections of each agent.
pub(super) const CONNECTIONS: Table<AgentId, StoredConnections> = Table::new("agent_connections");

/// What went wrong with each agent.
pub(super) const TROUBLES: Table<AgentId, StoredTroubles> = Table::new("agent_troubles");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[
    AGENTS.check(),
    BY_NAME.check(),
    ENROLMENTS.check(),
    METRICS.check(),
    CONNECTIONS.check(),
    TROUBLES.check(),
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
    pub(super) audit: Audit,
    pub(super) door: Arc<Door>,
    pub(super) troubles: Arc<Troubles>,
    /// Tells this start of the server from others.
    pub(super) boot: u64,
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
        audit: Audit,
        max_file_bytes: u64,
    ) -> Self {
        let live = Arc::new(Live::new(clock.clone()));
        let door = Arc::new(Door::new(clock.clone()));
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
            audit,
            door,
            troubles: Arc::default(),
            boot: u64::from_be_bytes(random_bytes()),
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
        records.into_iter().map(show).collect()
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

    /// One agent, by name or id, with its past.
    ///
    /// # Errors
    /// [`AgentsError::NotFound`], failures of the store.
    pub fn details(&self, visible: &Visible, agent: &str) -> Result<AgentDetails, AgentsError> {
        let agent = self.show(visible, agent)?;
        let (refusals, _) = self.troubles_of(agent.id)?;
        Ok(AgentDetails {
            connections: self.connections_of(agent.id)?,
            refusals,
            agent,
        })
    }

    fn shown(&self, record: AgentRecord, leases: &[HeldLease]) -> Result<Agent, AgentsError> {
        let own = leases.iter().filter(|held| held.agent == record.id);
        let builds = own
            .map(|held| AgentLease {
                build_id: held.lease.build,
                build_number: held.number,
                attempt: held.lease.attempt,
            })
            .collect();
        Ok(Agent {
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
            address: self.address_of(record.id)?,
            last_error: self.troubles_of(record.id)?.1,
        })
    }
}
