//! An agent came (back): what it goes on with, and what it has to be told again.

use super::claim::assignment;
use super::error::BuildsError;
use super::lose::HeldLease;
use super::store::{ATTEMPTS, Builds, LEASES, load_if_there};
use crate::logs;
use testhide_protocol::AgentId;
use testhide_protocol::wire::{Assignment, Lease, Resume};

/// How an agent that came (back) goes on.
#[derive(Debug, Clone, Default)]
pub struct Resumed {
    /// Where each attempt stands that it holds and may go on with.
    pub resume: Vec<Resume>,
    /// Leases that it was given and never heard of: the connection broke or the server died on the way.
    pub again: Vec<Assignment>,
}

impl Builds {
    /// Compares what the store believes an agent to hold with what it says. An attempt that it lost after its journal had begun is given
    /// up; one of which nothing was ever heard was never begun, and is handed out again under the same lease.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn resume(&self, agent: AgentId, holding: &[Lease]) -> Result<Resumed, BuildsError> {
        let mut again = Vec::new();
        for held in self.leases_of(agent)? {
            if !holding.contains(&held.lease) {
                again.extend(self.again(held).await?);
            }
        }
        let resume = self.storage.read(|rtxn| {
            let leases = LEASES.read(rtxn)?;
            let attempts = ATTEMPTS.read(rtxn)?;
            let mut resume = Vec::new();
            for lease in holding {
                let Some(attempt) = attempts.get(&(lease.build, lease.attempt))? else {
                    continue;
                };
                let present = leases.get(&(agent, lease.build))?;
                let running = present.is_some_and(|present| present.fence == lease.fence);
                // The end was stored and only its acknowledgement was lost: let the agent hear it.
                let ended_by_it = attempt.fence == lease.fence
                    && attempt.agent == agent
                    && attempt.ended_by_agent();
                if running || ended_by_it {
                    resume.push(Resume {
                        lease: *lease,
                        seq: attempt.journal_seq,
                        ended: ended_by_it,
                        log_bytes: logs::head(rtxn, lease.build, lease.attempt)?.bytes,
                    });
                }
            }
            Ok::<_, BuildsError>(resume)
        })?;
        Ok(Resumed { resume, again })
    }

    /// The assignment of a lease that its agent does not know of, to be sent again; `None` when its journal had begun or its build is not
    /// there, for then it is given up.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn again(&self, held: HeldLease) -> Result<Option<Assignment>, BuildsError> {
        let lease = held.lease;
        let (record, begun) = self.storage.read(|rtxn| {
            let attempt = ATTEMPTS.read(rtxn)?.get(&(lease.build, lease.attempt))?;
            let begun = attempt.is_none_or(|attempt| attempt.journal_seq > 0);
            let record = load_if_there(rtxn, lease.build)?;
            Ok::<_, BuildsError>((record.filter(|record| record.fence == lease.fence), begun))
        })?;
        let Some(record) = record.filter(|_| !begun) else {
            self.lose(held, "its agent came back without it".to_owned())
                .await?;
            return Ok(None);
        };
        let definition = record.definition();
        Ok(Some(assignment(record, definition)))
    }

    /// The last record of an attempt that `agent` itself ended under this lease; `None` when it did not.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn ended_at(&self, agent: AgentId, lease: Lease) -> Result<Option<u64>, BuildsError> {
        let attempt = self
            .storage
            .read(|rtxn| ATTEMPTS.read(rtxn)?.get(&(lease.build, lease.attempt)))?;
        let own = attempt.filter(|attempt| {
            attempt.agent == agent && attempt.fence == lease.fence && attempt.ended_by_agent()
        });
        Ok(own.map(|attempt| attempt.journal_seq))
    }

    /// The last record that is stored of an attempt whose lease `agent` holds; `None` when it does not hold it.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn journal_of(&self, agent: AgentId, lease: Lease) -> Result<Option<u64>, BuildsError> {
        self.storage.read(|rtxn| {
            let held = LEASES.read(rtxn)?.get(&(agent, lease.build))?;
            if held.is_none_or(|held| held.fence != lease.fence) {
                return Ok(None);
            }
            let attempt = ATTEMPTS.read(rtxn)?.get(&(lease.build, lease.attempt))?;
            Ok(attempt.map(|attempt| attempt.journal_seq))
        })
    }

    /// Whether `agent` was given this lease at some time: what it sends under it may be late, but is not made up.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn was_given(&self, agent: AgentId, lease: Lease) -> Result<bool, BuildsError> {
        let attempt = self
            .storage
            .read(|rtxn| ATTEMPTS.read(rtxn)?.get(&(lease.build, lease.attempt)))?;
        Ok(attempt.is_some_and(|attempt| attempt.agent == agent && attempt.fence == lease.fence))
    }
}
