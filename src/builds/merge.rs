//! The tests of an attempt over all its reports, each once: pure.
//!
//! A build may have many reports, and the same test in several of them: a step that runs failures again, shards, an upload that comes
//! twice. Reports that one step wrote stand beside each other, and the worst outcome of a test counts; a report of a later step, or
//! an upload, is a further attempt, and the last attempt in which the test ran counts. So the order in which reports
//! arrive decides nothing, except for uploads, whose order is all that is known of them.

use crate::reports::weight;
use std::collections::HashMap;
use testhide_protocol::TestId;
use testhide_protocol::api::{Outcome, OutcomeCounts};

/// Every test of an attempt with what its reports add up to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Merged {
    tests: HashMap<TestId, Merging>,
    counts: OutcomeCounts,
}

/// What is known of one test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Merging {
    /// Of the last attempt in which it ran.
    outcome: Outcome,
    /// Which attempt that was.
    turn: u32,
}

impl Merged {
    /// Adds the tests of a report that tells of attempt `turn`.
    pub(super) fn add(&mut self, turn: u32, tests: impl IntoIterator<Item = (TestId, Outcome)>) {
        for (test, outcome) in tests {
            let new = Merging { outcome, turn };
            let Some(known) = self.tests.get_mut(&test) else {
                self.tests.insert(test, new);
                self.counts.add(outcome);
                continue;
            };
            let before = known.outcome;
            *known = later(*known, new);
            if known.outcome != before {
                *slot(&mut self.counts, before) -= 1;
                *slot(&mut self.counts, known.outcome) += 1;
            }
        }
    }

    /// Tests by outcome.
    pub(super) fn counts(&self) -> OutcomeCounts {
        self.counts
    }

    /// Whether a report tells of the test.
    pub(super) fn contains(&self, test: TestId) -> bool {
        self.tests.contains_key(&test)
    }
}

/// Which of two rows of a test counts.
fn later(one: Merging, other: Merging) -> Merging {
    let weight = |row: Merging| weight(row.turn, row.outcome);
    if weight(other) > weight(one) {
        other
    } else {
        one
    }
}

fn slot(counts: &mut OutcomeCounts, outcome: Outcome) -> &mut u64 {
    match outcome {
        Outcome::Passed => &mut counts.passed,
        Outcome::Failed => &mut counts.failed,
        Outcome::Error => &mut counts.error,
        Outcome::Skipped => &mut counts.skipped,
        Outcome::KnownIssue => &mut counts.known_issue,
        Outcome::NotRun => &mut counts.not_run,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ALL: [Outcome; 6] = [
        Outcome::Passed,
        Outcome::Failed,
        Outcome::Error,
        Outcome::Skipped,
        Outcome::KnownIssue,
        Outcome::NotRun,
    ];

    fn test(number: u8) -> TestId {
        TestId::from_bytes([number; 16])
    }

    #[test]
    fn the_last_attempt_that_ran_counts_and_the_worst_within_it() {
        use Outcome::{Error, Failed, Passed, Skipped};
        let check = |rows: &[(u32, Outcome)], expected: Outcome| {
            let mut merged = Merged::default();
            for (turn, outcome) in rows {
                merged.add(*turn, [(test(1), *outcome)]);
            }
            let mut counts = OutcomeCounts::default();
            counts.add(expected);
            assert_eq!(merged.counts(), counts, "{rows:?}");
        };
        check(&[(1, Failed), (2, Passed)], Passed);
        check(&[(2, Passed), (1, Failed)], Passed);
        check(&[(1, Passed), (2, Failed)], Failed);
        check(&[(1, Failed), (1, Passed)], Failed);
        check(&[(1, Failed), (2, Skipped)], Failed);
        check(&[(1, Skipped), (1, Passed)], Passed);
        check(&[(1, Failed), (1, Error), (1, Error)], Error);
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_decides_nothing_and_each_test_counts_once(
            rows in proptest::collection::vec((0u8..6, 0u32..4, 0usize..6), 0..60),
            turned in any::<u64>(),
        ) {
            let add = |rows: &[(u8, u32, usize)]| {
                let mut merged = Merged::default();
                for (number, turn, outcome) in rows {
                    merged.add(*turn, [(test(*number), ALL[*outcome])]);
                }
                merged
            };
            let merged = add(&rows);
            let mut other = rows.clone();
            other.sort_by_key(|(number, turn, outcome)| {
                (turned.rotate_left(u32::from(*number) * 7) ^ turned.rotate_right(*turn * 5 + *outcome as u32), *turn)
            });
            prop_assert_eq!(&add(&other), &merged);
            let doubled: Vec<_> = rows.iter().chain(&rows).copied().collect();
            prop_assert_eq!(&add(&doubled), &merged);
            let tests: std::collections::HashSet<u8> = rows.iter().map(|row| row.0).collect();
            let counts = merged.counts();
            prop_assert_eq!(counts.total, tests.len() as u64);
            let sum = counts.passed + counts.failed + counts.error + counts.skipped + counts.known_issue + counts.not_run;
            prop_assert_eq!(sum, counts.total);
        }
    }
}
