//! An agent takes a build: the lease, the attempt and the event in one transaction.

use super::error::BuildsError;
use super::lifecycle::{Fact, Move, next};
use super::model::{AttemptRecord, BuildRecord, LeaseRecord, StepRecord};
use super::queue::{Waiting, pick};
use super::store::{ATTEMPTS, Builds, COUNTERS, LEASES, QUEUE, load_if_there, save};
use crate::events;
use crate::storage::{StorageError, Transaction, WriteTxn};
use testhide_protocol::api::{BuildState, Event, JobDefinition, StepState};
use testhide_protocol::wire::{Assignment, Lease};
use testhide_protocol::{AgentId, BuildId, Timestamp};

/// Seconds an attempt may take when its job does not say.
pub(super) const DEFAULT_TIMEOUT_SECONDS: u32 = 3600;

/// What an agent can take.
#[derive(Debug, Clone)]
pub struct AgentSlots {
    /// Who.
    pub agent: AgentId,
    /// Its name, a label too.
    pub name: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// Builds it runs at once.
    pub capacity: u32,
}

impl Builds {
    /// Gives the next build that waits for such an agent, or `None` when there is none or its slots are full. Slots are
    /// counted from leases, so that nobody's memory of them can be wrong.
    ///
    /// # Errors
    /// Failures of the store.
    pub async fn claim(&self, slots: &AgentSlots) -> Result<Option<Assignment>, BuildsError> {
        // A look without the writer first: most wakes bring nothing for this agent.
        if self.storage.read(|rtxn| choose(rtxn, slots))?.is_none() {
            return Ok(None);
        }
        let slots = slots.clone();
        let now = self.clock.now();
        self.storage
            .write(move |wtxn| take(wtxn, &slots, now))
            .await
    }
}

/// Gives the next build, past places in the queue whose build is not there or does not wait: a state that was saved from a damaged disk
/// may have such places, and no agent would come past them.
fn take(
    wtxn: &WriteTxn,
    slots: &AgentSlots,
    now: Timestamp,
) -> Result<Option<Assignment>, BuildsError> {
    while let Some((number, build)) = choose(wtxn, slots)? {
        match load_if_there(wtxn, build)? {
            Some(record) if record.state == BuildState::Queued && record.number == number => {
                return give(wtxn, record, slots, now).map(Some);
            }
            _ => {
                tracing::warn!(
                    "place {number} of the queue has no build that waits: it is cleared"
                );
                QUEUE.write(wtxn)?.remove(&number)?;
            }
        }
    }
    Ok(None)
}

/// The place in the queue that an agent takes, with its build.
fn choose<T: Transaction>(
    txn: &T,
    slots: &AgentSlots,
) -> Result<Option<(u64, BuildId)>, StorageError> {
    let held = LEASES.read(txn)?.prefix(&slots.agent)?.count();
    if held >= slots.capacity as usize {
        return Ok(None);
    }
    let mut waiting = Vec::new();
    for row in QUEUE.read(txn)?.all()? {
        let (number, entry) = row?;
        waiting.push(Waiting {
            number,
            build: entry.build,
            labels: entry.labels,
            avoid: entry.avoid,
        });
        // Most queues have a match at their start; only a long run of foreign labels needs a longer look.
        if waiting.len() % 64 == 0
            && let Some(found) = pick(&waiting, &slots.labels, &slots.name)
        {
            return Ok(Some((found.number, found.build)));
        }
    }
    let found = pick(&waiting, &slots.labels, &slots.name);
    Ok(found.map(|found| (found.number, found.build)))
}

fn give(
    wtxn: &WriteTxn,
    mut record: BuildRecord,
    slots: &AgentSlots,
    now: Timestamp,
) -> Result<Assignment, BuildsError> {
    let build = record.id;
    match next(record.standing(), Fact::Claimed)? {
        Move::To(state) => record.state = state,
        Move::AskToEnd | Move::QueueAgain | Move::PutBack => {
            unreachable!("a claim moves a build to running")
        }
    }
    let mut counters = COUNTERS.write(wtxn)?;
    let last = counters.get(&"fence".to_owned())?.unwrap_or(0);
    // Of a saved state, the counter may be lost.
    let fence = last.max(record.fence) + 1;
    counters.put(&"fence".to_owned(), &fence)?;
    record.fence = fence;
    record.started_at = Some(now);
    record.agent = Some(slots.agent);
    record.agent_name = Some(slots.name.clone());
    record.reason = None;
    save(wtxn, &record)?;
    QUEUE.write(wtxn)?.remove(&record.number)?;
    let lease = LeaseRecord {
        attempt: record.attempt,
        fence,
        number: record.number,
        claimed_at: now,
    };
    LEASES.write(wtxn)?.put(&(slots.agent, build), &lease)?;
    let definition = record.definition();
    let attempt = AttemptRecord {
        state: BuildState::Running,
        fence,
        agent: slots.agent,
        agent_name: slots.name.clone(),
        started_at: now,
        finished_at: None,
        reason: None,
        journal_seq: 0,
        ended_in_order: false,
        printed_records: 0,
        printed_failures: 0,
        files: 0,
        steps: steps_of(&definition),
    };
    ATTEMPTS
        .write(wtxn)?
        .put(&(build, record.attempt), &attempt)?;
    let event = Event::BuildStarted {
        build,
        number: record.number,
        attempt: record.attempt,
        agent: slots.agent,
    };
    events::append(wtxn, now, Some(record.project), &event)?;
    Ok(assignment(record, definition))
}

fn steps_of(definition: &JobDefinition) -> Vec<StepRecord> {
    let steps = definition.steps.iter().chain(&definition.post_steps);
    let pending = |name: &str| StepRecord {
        name: name.to_owned(),
        state: StepState::Pending,
        exit_code: None,
        message: None,
        duration_ms: None,
        started_at: None,
    };
    steps.map(|step| pending(step.display_name())).collect()
}

pub(super) fn assignment(record: BuildRecord, definition: JobDefinition) -> Assignment {
    Assignment {
        lease: Lease {
            build: record.id,
            attempt: record.attempt,
            fence: record.fence,
        },
        build_number: record.number,
        job_name: record.job_name,
        project_name: record.project_name,
        timeout_seconds: definition
            .timeout_seconds
            .unwrap_or(DEFAULT_TIMEOUT_SECONDS),
        definition,
        branch: record.branch,
        commit: record.commit,
        parameters: record.parameters,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builds::model::QueueRecord;
    use crate::storage::OpenOptions;

    #[tokio::test]
    async fn a_place_in_the_queue_without_its_build_holds_up_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let (storage, _, _) = OpenOptions::new(dir.path().join("data")).open().unwrap();
        let slots = AgentSlots {
            agent: AgentId::generate(),
            name: "one".to_owned(),
            labels: Vec::new(),
            capacity: 1,
        };
        let taken = storage.write(move |wtxn| {
            for number in 1..=3 {
                let waiting = QueueRecord {
                    build: BuildId::generate(),
                    labels: Vec::new(),
                    avoid: None,
                };
                QUEUE.write(wtxn)?.put(&number, &waiting)?;
            }
            let taken = take(wtxn, &slots, Timestamp(0))?;
            Ok::<_, BuildsError>((taken, QUEUE.read(wtxn)?.all()?.count()))
        });
        let (taken, left) = taken.await.unwrap();
        assert!(taken.is_none(), "{taken:?}");
        assert_eq!(left, 0);
    }
}
