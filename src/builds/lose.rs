//! Leases whose agent is gone, and agents that come back.

use super::claim::DEFAULT_TIMEOUT_SECONDS;
use super::error::BuildsError;
use super::finish::end_attempt;
use super::lifecycle::Fact;
use super::model::BuildRecord;
use super::store::{ATTEMPTS, Builds, LEASES, load_if_there};
use crate::storage::WriteTxn;
use testhide_protocol::api::BuildState;
use testhide_protocol::wire::Lease;
use testhide_protocol::{AgentId, BuildId};

/// A lease as the store has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeldLease {
    /// Who holds it.
    pub agent: AgentId,
    /// The right.
    pub lease: Lease,
    /// Number of its build.
    pub number: u64,
}

/// An attempt that was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lost {
    /// Its build.
    pub build: BuildId,
    /// Its number.
    pub number: u64,
}

impl Builds {
    /// Every lease there is.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn leases(&self) -> Result<Vec<HeldLease>, BuildsError> {
        self.storage.read(|rtxn| {
            LEASES
                .read(rtxn)?
                .all()?
                .map(|row| Ok(held(row?)))
                .collect()
        })
    }

    /// Seconds that an attempt of `build` may take; `None` when there is no such build.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn time_limit(&self, build: BuildId) -> Result<Option<u32>, BuildsError> {
        let record = self.storage.read(|rtxn| load_if_there(rtxn, build))?;
        let limit = |record: BuildRecord| record.definition().timeout_seconds;
        Ok(record.map(|record| limit(record).unwrap_or(DEFAULT_TIMEOUT_SECONDS)))
    }

    /// The leases of one agent.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn leases_of(&self, agent: AgentId) -> Result<Vec<HeldLease>, BuildsError> {
        self.storage.read(|rtxn| {
            LEASES
                .read(rtxn)?
                .prefix(&agent)?
                .map(|row| Ok(held(row?)))
                .collect()
        })
    }

    /// Gives up one lease because its agent is gone: `infra_lost`, and queued again where retries are left. Does nothing when the lease
    /// is no longer held; a lease under which its build does not run is only taken away.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn lose(&self, held: HeldLease, reason: String) -> Result<Option<Lost>, BuildsError> {
        let now = self.clock.now();
        let lost = self
            .storage
            .write(move |wtxn| {
                let present = LEASES.read(wtxn)?.get(&(held.agent, held.lease.build))?;
                if present.is_none_or(|present| present.fence != held.lease.fence) {
                    return Ok(None);
                }
                if let Some(mut record) = running_under(wtxn, held)? {
                    let fact = Fact::AgentLost;
                    end_attempt(wtxn, &mut record, fact, Some(reason.clone()), now)?;
                }
                Ok::<_, BuildsError>(Some(Lost {
                    build: held.lease.build,
                    number: held.number,
                }))
            })
            .await?;
        if lost.is_some() {
            self.wake();
        }
        Ok(lost)
    }

    /// Takes one lease back because its agent does not take it: the build waits again under the same attempt, no retry is used. An attempt
    /// whose journal had begun is given up as by [`Builds::lose`]. Does nothing when the lease is no longer held.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn decline(&self, held: HeldLease, reason: String) -> Result<(), BuildsError> {
        let now = self.clock.now();
        self.storage
            .write(move |wtxn| {
                let lease = held.lease;
                let present = LEASES.read(wtxn)?.get(&(held.agent, lease.build))?;
                if present.is_none_or(|present| present.fence != lease.fence) {
                    return Ok(());
                }
                let attempt = ATTEMPTS.read(wtxn)?.get(&(lease.build, lease.attempt))?;
                let fact = if attempt.is_some_and(|attempt| attempt.journal_seq > 0) {
                    Fact::AgentLost
                } else {
                    Fact::Declined
                };
                match running_under(wtxn, held)? {
                    Some(mut record) => {
                        end_attempt(wtxn, &mut record, fact, Some(reason.clone()), now)
                    }
                    None => Ok(()),
                }
            })
            .await?;
        self.wake();
        Ok(())
    }

    /// Those of `leases` that `agent` has no right to any more although it never said their end: somebody else decided so.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn taken_from(&self, agent: AgentId, leases: &[Lease]) -> Result<Vec<Lease>, BuildsError> {
        self.storage.read(|rtxn| {
            let held = LEASES.read(rtxn)?;
            let attempts = ATTEMPTS.read(rtxn)?;
            let mut taken = Vec::new();
            for lease in leases {
                let present = held.get(&(agent, lease.build))?;
                if present.is_some_and(|present| present.fence == lease.fence) {
                    continue;
                }
                let attempt = attempts.get(&(lease.build, lease.attempt))?;
                if !attempt.is_some_and(|attempt| attempt.ended_by_agent()) {
                    taken.push(*lease);
                }
            }
            Ok(taken)
        })
    }
}

/// The build of a lease that is held. When it does not run under it (in a state that was saved from a damaged disk it may be lost, or
/// older), nothing is left to end: the lease goes, so that its agent has its slot back.
fn running_under(wtxn: &WriteTxn, held: HeldLease) -> Result<Option<BuildRecord>, BuildsError> {
    let HeldLease { agent, lease, .. } = held;
    let record = load_if_there(wtxn, lease.build)?.filter(|record| {
        record.state == BuildState::Running
            && record.agent == Some(agent)
            && (record.attempt, record.fence) == (lease.attempt, lease.fence)
    });
    if record.is_none() {
        LEASES.write(wtxn)?.remove(&(agent, lease.build))?;
    }
    Ok(record)
}

pub(super) fn held(
    ((agent, build), record): ((AgentId, BuildId), super::model::LeaseRecord),
) -> HeldLease {
    HeldLease {
        agent,
        lease: Lease {
            build,
            attempt: record.attempt,
            fence: record.fence,
        },
        number: record.number,
    }
}
