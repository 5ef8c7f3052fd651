//! Answers that nobody may give any more: said again, too late, with a hole before them, by the wrong agent, under an old fence.
//!
//! They go past the sessions, which take none of them, to what must hold without any session: the truth about a build.

use super::server::Server;
use super::trace::Trace;
use crate::builds::{BuildsError, Entry, Inspected, InspectedAttempt, JournalBatch};
use testhide_protocol::AgentId;
use testhide_protocol::wire::{Lease, RecordBody};

/// Records that an attempt of a simulation never has.
const FAR: u64 = 1_000_000;

/// What is wrong with an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stale {
    /// It is stored already.
    Again,
    /// Its attempt is over.
    TooLate,
    /// Records before it are missing.
    Gap,
    /// Another agent holds the lease.
    Foreign,
    /// The fence of the lease is another one.
    OldFence,
}

impl Stale {
    pub(super) const ALL: [Self; 5] = [
        Self::Again,
        Self::TooLate,
        Self::Gap,
        Self::Foreign,
        Self::OldFence,
    ];

    /// Whether an attempt can get such an answer.
    fn fits(self, attempt: &InspectedAttempt) -> bool {
        match self {
            Self::Again => attempt.journal_seq > 1,
            Self::TooLate => attempt.state.is_final(),
            Self::Gap | Self::Foreign | Self::OldFence => !attempt.state.is_final(),
        }
    }
}

/// Gives a wrong answer for one of the attempts; what it changes goes into the trace.
pub(super) async fn answer(server: &Server, trace: &Trace, nth: usize, stale: Stale) {
    let Ok(inspected) = server.builds.inspect() else {
        return;
    };
    let fitting: Vec<_> = inspected
        .attempts
        .iter()
        .filter(|attempt| stale.fits(attempt))
        .collect();
    let Some(attempt) = fitting.get(nth % fitting.len().max(1)) else {
        return;
    };
    let (agent, batch) = wrong(&inspected, attempt, stale);
    let answer = server.builds.apply(agent, batch).await;
    trace.line(format!("answered: {}", answer.is_ok()));
    let is_right = match (stale, answer) {
        (Stale::Again, Ok(applied)) => applied.seq >= attempt.journal_seq,
        (_, Ok(_)) => false,
        (Stale::Gap, Err(BuildsError::Journal { .. })) => true,
        // A disk that takes nothing, or a server that dies meanwhile.
        (_, Err(error)) => matches!(error, BuildsError::LeaseGone(_) | BuildsError::Storage(_)),
    };
    if !is_right {
        trace.fail(format!("an answer was taken that is wrong: {stale:?}"));
    }
}

fn wrong(
    inspected: &Inspected,
    attempt: &InspectedAttempt,
    stale: Stale,
) -> (AgentId, JournalBatch) {
    let next = attempt.journal_seq + 1;
    let seqs = match stale {
        // Less than all of it, so that who counts anew is found out.
        Stale::Again => 1..next - 1,
        Stale::Gap => next + FAR..next + FAR + 1,
        Stale::TooLate | Stale::Foreign | Stale::OldFence => next..next + 1,
    };
    let says = RecordBody::SourceResolved {
        commit: "bad".to_owned(),
    };
    let entries = seqs.map(|seq| (seq, Entry::Body(says.clone()))).collect();
    let mut lease: Lease = attempt.lease;
    if stale == Stale::OldFence {
        lease.fence = lease.fence.wrapping_sub(1);
    }
    let mut others = inspected.attempts.iter().map(|other| other.agent);
    let other = others.find(|other| *other != attempt.agent);
    let agent = match stale {
        Stale::Foreign => other.unwrap_or_else(AgentId::generate),
        _ => attempt.agent,
    };
    (agent, JournalBatch { lease, entries })
}
