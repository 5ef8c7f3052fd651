//! Leases whose agent is gone, and agents that come back.

use super::claim::DEFAULT_TIMEOUT_SECONDS;
use super::error::BuildsError;
use super::finish::end_attempt;
use super::lifecycle::Fact;
use super::store::{ATTEMPTS, Builds, LEASES, load};
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

    /// Seconds that an attempt of `build` may take.
    ///
    /// # Errors
    /// [`BuildsError::NotFound`], failures of the store.
    pub fn time_limit(&self, build: BuildId) -> Result<u32, BuildsError> {
        Ok(self
            .get(build)?
            .definition()
            .timeout_seconds
            .unwrap_or(DEFAULT_TIMEOUT_SECONDS))
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
    /// is no longer held.
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
                let mut record = load(wtxn, held.lease.build)?;
                end_attempt(
                    wtxn,
                    &mut record,
                    Fact::AgentLost,
                    Some(reason.clone()),
                    now,
                )?;
                Ok::<_, BuildsError>(Some(Lost {
                    build: record.id,
                    number: record.number,
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
                let mut record = load(wtxn, lease.build)?;
                end_attempt(wtxn, &mut record, fact, Some(reason.clone()), now)
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
