//! The state machine of a build, as one pure function.
//!
//! ```text
//! queued ──claimed──► running ──ended──► passed | failed | cancelled | timed_out
//!    ▲                   │
//!    └── retries left ───┴──lost──► infra_lost
//! queued ──cancel──► cancelled
//! running ──declined──► queued (the same attempt: nothing of it was begun)
//! ```

use testhide_protocol::api::BuildState;
use testhide_protocol::wire::AttemptEnd;

/// What a move is decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub state: BuildState,
    /// Times the build may still be queued again after its agent was lost.
    pub retries_left: u32,
    /// Somebody asked for its end.
    pub cancel_requested: bool,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fact {
    /// An agent took it.
    Claimed,
    /// Somebody asked for its end.
    CancelRequested,
    /// Its agent says that the attempt ended.
    Ended { end: AttemptEnd, against: Against },
    /// Its agent is gone.
    AgentLost,
    /// Its agent did not take it; nothing of the attempt was begun.
    Declined,
}

/// What speaks against a passed attempt, whatever its agent says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Against {
    /// What its reports hold against it: failures, and files that could not be taken.
    pub failing_tests: u64,
    /// The exit codes of its steps and its results contradict each other.
    pub inconsistent: bool,
}

impl Against {
    fn is_something(self) -> bool {
        self.failing_tests > 0 || self.inconsistent
    }
}

/// What follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// The attempt goes on; it will be told to end.
    AskToEnd,
    /// The build is in this state now.
    To(BuildState),
    /// The attempt ended as `infra_lost`; the build waits for its next attempt.
    QueueAgain,
    /// The attempt was never begun; the build waits again under the same number of it, with the same retries.
    PutBack,
}

/// A fact that cannot happen in this state; it changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a {state} build cannot take `{fact:?}`")]
pub(super) struct IllegalMove {
    pub state: BuildState,
    pub fact: Fact,
}

/// The one place that decides what becomes of a build.
pub(super) fn next(standing: Standing, fact: Fact) -> Result<Move, IllegalMove> {
    let lost = if standing.cancel_requested {
        Move::To(BuildState::Cancelled)
    } else if standing.retries_left > 0 {
        Move::QueueAgain
    } else {
        Move::To(BuildState::InfraLost)
    };
    match (standing.state, fact) {
        (BuildState::Queued, Fact::Claimed) => Ok(Move::To(BuildState::Running)),
        (BuildState::Queued, Fact::CancelRequested) => Ok(Move::To(BuildState::Cancelled)),
        (BuildState::Running, Fact::CancelRequested) => Ok(Move::AskToEnd),
        (BuildState::Running, Fact::AgentLost) => Ok(lost),
        (BuildState::Running, Fact::Declined) if standing.cancel_requested => {
            Ok(Move::To(BuildState::Cancelled))
        }
        (BuildState::Running, Fact::Declined) => Ok(Move::PutBack),
        (BuildState::Running, Fact::Ended { end, against }) => Ok(match end {
            AttemptEnd::Passed if against.is_something() => Move::To(BuildState::Failed),
            AttemptEnd::Passed => Move::To(BuildState::Passed),
            AttemptEnd::Failed => Move::To(BuildState::Failed),
            AttemptEnd::Cancelled => Move::To(BuildState::Cancelled),
            AttemptEnd::TimedOut => Move::To(BuildState::TimedOut),
            AttemptEnd::Interrupted => lost,
        }),
        (state, fact) => Err(IllegalMove { state, fact }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn fact() -> impl Strategy<Value = Fact> {
        let end = prop_oneof![
            Just(AttemptEnd::Passed),
            Just(AttemptEnd::Failed),
            Just(AttemptEnd::Cancelled),
            Just(AttemptEnd::TimedOut),
            Just(AttemptEnd::Interrupted),
        ];
        prop_oneof![
            Just(Fact::Claimed),
            Just(Fact::CancelRequested),
            Just(Fact::AgentLost),
            Just(Fact::Declined),
            (end, 0u64..3, any::<bool>()).prop_map(|(end, failing_tests, inconsistent)| {
                Fact::Ended {
                    end,
                    against: Against {
                        failing_tests,
                        inconsistent,
                    },
                }
            }),
        ]
    }

    proptest! {
        #[test]
        fn no_sequence_leaves_the_life_of_a_build(retries in 0u32..4, facts in proptest::collection::vec(fact(), 0..40)) {
            let mut standing = Standing { state: BuildState::Queued, retries_left: retries, cancel_requested: false };
            let (mut claims, mut declined) = (0, 0);
            for fact in facts {
                let was = standing;
                match next(standing, fact) {
                    Err(_) => continue,
                    Ok(Move::AskToEnd) => standing.cancel_requested = true,
                    Ok(Move::To(state)) => standing.state = state,
                    Ok(Move::QueueAgain) => {
                        standing.state = BuildState::Queued;
                        standing.retries_left -= 1;
                    }
                    Ok(Move::PutBack) => {
                        prop_assert!(fact == Fact::Declined && was.state == BuildState::Running);
                        standing.state = BuildState::Queued;
                        declined += 1;
                    }
                }
                claims += u32::from(fact == Fact::Claimed);
                prop_assert!(!was.state.is_final(), "a final state is left by {:?}", fact);
                prop_assert!(claims - declined <= retries + 1, "more attempts than the policy allows");
                prop_assert!(fact != Fact::Declined || standing.retries_left == was.retries_left, "declining costs no retry");
                let held_against = matches!(
                    fact,
                    Fact::Ended { against: Against { failing_tests: 1.., .. } | Against { inconsistent: true, .. }, .. }
                );
                prop_assert!(!(held_against && standing.state == BuildState::Passed));
                let lost = matches!(fact, Fact::AgentLost | Fact::Ended { end: AttemptEnd::Interrupted, .. });
                prop_assert!(!(lost && standing.state == BuildState::Failed), "lost is never failed");
            }
            // Wherever it stands, a claim and a loss repeated often enough end it.
            for _ in 0..=retries + 1 {
                for fact in [Fact::Claimed, Fact::AgentLost] {
                    match next(standing, fact) {
                        Ok(Move::To(state)) => standing.state = state,
                        Ok(Move::QueueAgain) => {
                            standing.state = BuildState::Queued;
                            standing.retries_left -= 1;
                        }
                        Ok(Move::AskToEnd | Move::PutBack) | Err(_) => {}
                    }
                }
            }
            prop_assert!(standing.state.is_final());
        }
    }
}
