//! The end of an attempt, and with it (mostly) of its build.

use super::error::BuildsError;
use super::lifecycle::{Fact, Move, next};
use super::model::{BuildRecord, QueueRecord};
use super::store::{ATTEMPTS, LEASES, QUEUE, save};
use crate::events;
use crate::logs;
use crate::storage::WriteTxn;
use testhide_protocol::api::{BuildState, Event, StepState};
use testhide_protocol::{AgentId, Timestamp};

/// Ends the present attempt of `record` by `fact`: attempt, lease, log, queue and events in the caller's transaction.
pub(super) fn end_attempt(
    wtxn: &WriteTxn,
    record: &mut BuildRecord,
    fact: Fact,
    reason: Option<String>,
    now: Timestamp,
) -> Result<(), BuildsError> {
    let Some(agent) = record.agent else {
        return Err(BuildsError::LeaseGone("no agent holds the build"));
    };
    let what = next(record.standing(), fact)?;
    if what == Move::PutBack {
        return put_back(wtxn, record, agent, reason, now);
    }
    let attempt_state = match what {
        Move::To(state) => state,
        Move::QueueAgain => BuildState::InfraLost,
        Move::AskToEnd | Move::PutBack => {
            return Err(BuildsError::LeaseGone("the attempt goes on"));
        }
    };
    let mut attempts = ATTEMPTS.write(wtxn)?;
    if let Some(mut attempt) = attempts.get(&(record.id, record.attempt))? {
        attempt.state = attempt_state;
        attempt.finished_at = Some(now);
        attempt.reason.clone_from(&reason);
        for step in &mut attempt.steps {
            step.state = match step.state {
                StepState::Running => StepState::Cancelled,
                StepState::Pending => StepState::Skipped,
                ended => ended,
            };
        }
        attempts.put(&(record.id, record.attempt), &attempt)?;
    }
    drop(attempts);
    LEASES.write(wtxn)?.remove(&(agent, record.id))?;
    logs::complete(wtxn, record.id, record.attempt)?;
    record.reason = reason;
    if what == Move::QueueAgain {
        return queue_again(wtxn, record, now);
    }
    record.state = attempt_state;
    record.finished_at = Some(now);
    save(wtxn, record)?;
    let event = Event::BuildFinished {
        build: record.id,
        number: record.number,
        attempt: record.attempt,
        status: record.state,
    };
    events::append(wtxn, now, Some(record.project), &event)?;
    Ok(())
}

/// The same build number, the next attempt, another agent preferred.
fn queue_again(
    wtxn: &WriteTxn,
    record: &mut BuildRecord,
    now: Timestamp,
) -> Result<(), BuildsError> {
    let lost = Event::AttemptLost {
        build: record.id,
        number: record.number,
        attempt: record.attempt,
    };
    events::append(wtxn, now, Some(record.project), &lost)?;
    record.attempt += 1;
    record.forget_reports();
    record.retries_left = record.retries_left.saturating_sub(1);
    wait_again(wtxn, record, now)
}

/// The same attempt as if it had never been given: no record of it, no retry used.
fn put_back(
    wtxn: &WriteTxn,
    record: &mut BuildRecord,
    agent: AgentId,
    reason: Option<String>,
    now: Timestamp,
) -> Result<(), BuildsError> {
    ATTEMPTS.write(wtxn)?.remove(&(record.id, record.attempt))?;
    LEASES.write(wtxn)?.remove(&(agent, record.id))?;
    record.reason = reason;
    wait_again(wtxn, record, now)
}

/// Back into the queue, at its old place; another agent than the last is preferred.
fn wait_again(
    wtxn: &WriteTxn,
    record: &mut BuildRecord,
    now: Timestamp,
) -> Result<(), BuildsError> {
    record.state = BuildState::Queued;
    record.started_at = None;
    record.agent = None;
    let waiting = QueueRecord {
        build: record.id,
        labels: record.definition().labels,
        avoid: record.agent_name.take(),
    };
    QUEUE.write(wtxn)?.put(&record.number, &waiting)?;
    save(wtxn, record)?;
    let queued = Event::BuildQueued {
        build: record.id,
        number: record.number,
        attempt: record.attempt,
    };
    events::append(wtxn, now, Some(record.project), &queued)?;
    Ok(())
}
