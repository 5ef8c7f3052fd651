//! Somebody wants a build to end.

use super::error::BuildsError;
use super::finish::end_attempt;
use super::lifecycle::{Fact, Move, next};
use super::model::BuildRecord;
use super::store::{Builds, LEASES, QUEUE, load, load_if_there, save};
use crate::accounts::Principal;
use crate::events;
use crate::storage::WriteTxn;
use testhide_protocol::AgentId;
use testhide_protocol::api::{Event, ProjectPermission};
use testhide_protocol::wire::Lease;

/// Whether an agent has the lease under which a build runs.
fn is_held(wtxn: &WriteTxn, record: &BuildRecord) -> Result<bool, BuildsError> {
    let Some(agent) = record.agent else {
        return Ok(false);
    };
    let lease = LEASES.read(wtxn)?.get(&(agent, record.id))?;
    Ok(lease.is_some_and(|lease| lease.fence == record.fence))
}

impl Builds {
    /// Cancels a build: a waiting one at once, a running one by telling its agent, which ends its steps in order.
    ///
    /// # Errors
    /// Permission (execute), [`BuildsError::NotFound`], [`BuildsError::Finished`].
    pub async fn cancel(
        &self,
        principal: &Principal,
        build: &str,
        reason: Option<String>,
    ) -> Result<BuildRecord, BuildsError> {
        let id = self
            .resolve_for(principal, build, ProjectPermission::Execute)?
            .id;
        let now = self.clock.now();
        let reason: String =
            reason.unwrap_or_else(|| format!("cancelled by {}", principal.username));
        let reason: String = reason
            .chars()
            .filter(|c| !c.is_control())
            .take(500)
            .collect();
        let record = self
            .storage
            .write(move |wtxn| {
                let mut record = load(wtxn, id)?;
                let finished = BuildsError::Finished {
                    number: record.number,
                    state: record.state,
                };
                let what = next(record.standing(), Fact::CancelRequested).map_err(|_| finished)?;
                let asked = Event::BuildCancelRequested {
                    build: id,
                    number: record.number,
                };
                events::append(wtxn, now, Some(record.project), &asked)?;
                record.cancel_requested = Some(reason.clone());
                if what == Move::AskToEnd && !is_held(wtxn, &record)? {
                    // In a state that was saved from a damaged disk the lease may be lost: nobody is there to be asked.
                    end_attempt(
                        wtxn,
                        &mut record,
                        Fact::AgentLost,
                        Some(reason.clone()),
                        now,
                    )?;
                    return Ok(record);
                }
                if let Move::To(state) = what {
                    QUEUE.write(wtxn)?.remove(&record.number)?;
                    record.state = state;
                    record.reason = Some(reason.clone());
                    record.finished_at = Some(now);
                    let ended = Event::BuildFinished {
                        build: id,
                        number: record.number,
                        attempt: record.attempt,
                        status: state,
                    };
                    events::append(wtxn, now, Some(record.project), &ended)?;
                }
                save(wtxn, &record)?;
                Ok::<_, BuildsError>(record)
            })
            .await?;
        self.wake();
        Ok(record)
    }

    /// Leases of `agent` whose build somebody wants to end, with the reason.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn cancels_for(&self, agent: AgentId) -> Result<Vec<(Lease, String)>, BuildsError> {
        self.storage.read(|rtxn| {
            let mut cancels = Vec::new();
            for row in LEASES.read(rtxn)?.prefix(&agent)? {
                let ((_, build), lease) = row?;
                let record = load_if_there(rtxn, build)?;
                if let Some(reason) = record.and_then(|record| record.cancel_requested) {
                    cancels.push((
                        Lease {
                            build,
                            attempt: lease.attempt,
                            fence: lease.fence,
                        },
                        reason,
                    ));
                }
            }
            Ok(cancels)
        })
    }
}
