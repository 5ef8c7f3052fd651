//! The tests of an attempt over all its reports, each once: pure.
//!
//! Reports of one turn stand beside each other (shards, several frameworks), and the worst outcome of a test counts; a later turn runs
//! tests again, and the last turn in which a test ran counts. Who passes after a failure recovered from it.

use super::facts::TestFact;
use crate::reports::weight;
use std::collections::BTreeMap;
use testhide_protocol::TestId;
use testhide_protocol::api::Outcome;

/// One test while its rows are added up.
struct Merging {
    test: TestFact,
    turn: u32,
    /// Whether any row failed or recovered.
    troubled: bool,
}

/// Adds rows up, each with the turn of its report; answers the tests by name.
pub(super) fn merge(rows: impl IntoIterator<Item = (u32, TestFact)>) -> Vec<TestFact> {
    let mut tests: BTreeMap<TestId, Merging> = BTreeMap::new();
    for (turn, row) in rows {
        let troubled = row.recovered || row.outcome.is_failure();
        let Some(known) = tests.get_mut(&row.id) else {
            let new = Merging {
                turn,
                troubled,
                test: row,
            };
            tests.insert(new.test.id, new);
            continue;
        };
        known.troubled |= troubled;
        known.test.duration_ms = known.test.duration_ms.max(row.duration_ms);
        if weight(turn, row.outcome) > weight(known.turn, known.test.outcome) {
            known.test.outcome = row.outcome;
            known.turn = turn;
        }
    }
    let mut tests: Vec<TestFact> = tests
        .into_values()
        .map(|Merging { test, troubled, .. }| TestFact {
            recovered: troubled && test.outcome == Outcome::Passed,
            ..test
        })
        .collect();
    tests.sort_by(|one, two| (&one.name, one.id).cmp(&(&two.name, two.id)));
    tests
}

#[cfg(test)]
mod tests {
    use super::{TestFact, merge};
    use testhide_protocol::TestId;
    use testhide_protocol::api::Outcome::{self, Error, Failed, KnownIssue, Passed, Skipped};

    fn row(number: u8, outcome: Outcome, duration_ms: Option<u64>) -> TestFact {
        TestFact {
            id: TestId::from_bytes([number; 16]),
            name: format!("t{number}"),
            outcome,
            recovered: false,
            duration_ms,
        }
    }

    #[test]
    fn the_last_turn_that_ran_counts_and_the_worst_within_it() {
        let check = |rows: &[(u32, Outcome)], outcome: Outcome, recovered: bool| {
            let add = |rows: &mut dyn Iterator<Item = &(u32, Outcome)>| {
                merge(rows.map(|(turn, outcome)| (*turn, row(1, *outcome, None))))
            };
            let expected = TestFact {
                recovered,
                ..row(1, outcome, None)
            };
            assert_eq!(add(&mut rows.iter()), [expected], "{rows:?}");
            assert_eq!(
                add(&mut rows.iter().rev()),
                add(&mut rows.iter()),
                "{rows:?}"
            );
        };
        check(&[(1, Passed)], Passed, false);
        check(&[(1, Failed), (1, Passed)], Failed, false);
        check(&[(1, Failed), (1, Error)], Error, false);
        check(&[(1, Failed), (2, Passed)], Passed, true);
        check(&[(1, Passed), (2, Failed)], Failed, false);
        check(&[(1, Failed), (2, Skipped)], Failed, false);
        check(&[(1, Skipped), (1, Passed)], Passed, false);
        check(&[(1, Failed), (2, KnownIssue)], KnownIssue, false);
    }

    #[test]
    fn the_longest_duration_counts_and_names_give_the_order() {
        let rows = [
            (1, row(2, Passed, Some(5))),
            (1, row(1, Passed, None)),
            (1, row(2, Passed, Some(9))),
            (1, row(2, Passed, None)),
        ];
        let expected = [row(1, Passed, None), row(2, Passed, Some(9))];
        assert_eq!(merge(rows), expected);
    }
}
