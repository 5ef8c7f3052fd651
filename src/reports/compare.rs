//! What differs between two runs: pure, by test identity.

use super::model::CompactRow;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use testhide_protocol::TestId;
use testhide_protocol::api::{ComparedTest, Comparison, Outcome};

/// Milliseconds by which a test must be slower or faster to be named.
const LEAST_MS: u64 = 100;

/// Percent of the base's duration by which it must be slower or faster.
const LEAST_PERCENT: u64 = 20;

/// Compares the results of a base with those of a head. A test that has several results on one side counts by the worst of them, and
/// by its longest duration. Durations are compared where the test passed on both sides.
#[must_use]
pub fn compare(base: &[CompactRow], head: &[CompactRow]) -> Comparison {
    let mut tests: BTreeMap<TestId, ComparedTest> = BTreeMap::new();
    for row in base {
        let test = tests.entry(row.test).or_insert_with(|| named(row));
        test.base = worst(test.base, row.outcome);
        test.base_ms = test.base_ms.max(row.duration_ms);
    }
    for row in head {
        let test = tests.entry(row.test).or_insert_with(|| named(row));
        test.head = worst(test.head, row.outcome);
        test.head_ms = test.head_ms.max(row.duration_ms);
    }
    let mut found = Comparison::default();
    for test in tests.into_values() {
        let lists = lists_of(&test);
        found.unchanged += u64::from(lists.is_empty());
        for list in lists {
            list(&mut found).push(test.clone());
        }
    }
    sort(&mut found);
    found
}

type List = fn(&mut Comparison) -> &mut Vec<ComparedTest>;

/// The lists that name a test.
fn lists_of(test: &ComparedTest) -> Vec<List> {
    let mut lists: Vec<List> = Vec::new();
    let fails = |outcome: Option<Outcome>| outcome.is_some_and(Outcome::is_failure);
    match (test.base, test.head) {
        (None, _) => lists.push(|found| &mut found.added),
        (_, None) => lists.push(|found| &mut found.removed),
        (Some(base), Some(head)) if ran(base) && !ran(head) => {
            lists.push(|found| &mut found.newly_skipped);
        }
        (Some(Outcome::Passed), Some(Outcome::Passed)) => match change(test) {
            Some(Change::Slower) => lists.push(|found| &mut found.slower),
            Some(Change::Faster) => lists.push(|found| &mut found.faster),
            None => {}
        },
        _ => {}
    }
    match (fails(test.base), fails(test.head)) {
        (false, true) => lists.push(|found| &mut found.new_failures),
        (true, true) => lists.push(|found| &mut found.still_failing),
        (true, false) if test.head == Some(Outcome::Passed) => lists.push(|found| &mut found.fixed),
        _ => {}
    }
    lists
}

enum Change {
    Slower,
    Faster,
}

fn change(test: &ComparedTest) -> Option<Change> {
    let (base, head) = (test.base_ms?, test.head_ms?);
    let by = base.abs_diff(head);
    if by < LEAST_MS || by.saturating_mul(100) < base.saturating_mul(LEAST_PERCENT) {
        return None;
    }
    Some(if head > base {
        Change::Slower
    } else {
        Change::Faster
    })
}

fn named(row: &CompactRow) -> ComparedTest {
    ComparedTest {
        test_id: row.test,
        display_name: row.display_name.clone(),
        base: None,
        head: None,
        base_ms: None,
        head_ms: None,
    }
}

fn worst(before: Option<Outcome>, outcome: Outcome) -> Option<Outcome> {
    before
        .into_iter()
        .chain([outcome])
        .max_by_key(|outcome| severity(*outcome))
}

/// How alarming an outcome is.
#[must_use]
pub fn severity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::NotRun => 0,
        Outcome::Skipped => 1,
        Outcome::Passed => 2,
        Outcome::KnownIssue => 3,
        Outcome::Failed => 4,
        Outcome::Error => 5,
    }
}

fn ran(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Skipped | Outcome::NotRun)
}

fn sort(found: &mut Comparison) {
    let Comparison {
        new_failures,
        fixed,
        still_failing,
        added,
        removed,
        newly_skipped,
        slower,
        faster,
        unchanged: _,
    } = found;
    for list in [
        new_failures,
        fixed,
        still_failing,
        added,
        removed,
        newly_skipped,
    ] {
        list.sort_by(|one, two| {
            (&one.display_name, one.test_id).cmp(&(&two.display_name, two.test_id))
        });
    }
    for list in [slower, faster] {
        list.sort_by_key(|test| {
            (
                Reverse(
                    test.base_ms
                        .unwrap_or(0)
                        .abs_diff(test.head_ms.unwrap_or(0)),
                ),
                test.test_id,
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::compare;
    use crate::reports::CompactRow;
    use proptest::prelude::*;
    use std::collections::BTreeSet;
    use testhide_protocol::TestId;
    use testhide_protocol::api::{ComparedTest, Comparison, Outcome};

    fn row(test: u8, outcome: Outcome, duration_ms: Option<u64>) -> CompactRow {
        CompactRow {
            test: TestId::from_bytes([test; 16]),
            display_name: format!("test {test}"),
            outcome,
            recovered: false,
            attempts: 1,
            duration_ms,
            signature: None,
            row: 0,
            failed_row: None,
            fail_ids: Vec::new(),
        }
    }

    fn check(base: Option<(Outcome, u64)>, head: Option<(Outcome, u64)>, expected: &[&str]) {
        let side = |side: Option<(Outcome, u64)>| {
            side.map(|(outcome, ms)| row(1, outcome, Some(ms)))
                .into_iter()
                .collect::<Vec<_>>()
        };
        let found = compare(&side(base), &side(head));
        let named: Vec<&str> = lists(&found)
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(name, _)| name)
            .collect();
        assert_eq!(named, expected, "{base:?} {head:?}");
        assert_eq!(found.unchanged, u64::from(expected.is_empty()));
    }

    fn lists(found: &Comparison) -> [(&'static str, &Vec<ComparedTest>); 8] {
        [
            ("new_failures", &found.new_failures),
            ("fixed", &found.fixed),
            ("still_failing", &found.still_failing),
            ("added", &found.added),
            ("removed", &found.removed),
            ("newly_skipped", &found.newly_skipped),
            ("slower", &found.slower),
            ("faster", &found.faster),
        ]
    }

    #[test]
    fn each_list() {
        use Outcome::{Error, Failed, KnownIssue, NotRun, Passed, Skipped};
        check(Some((Passed, 5)), Some((Failed, 5)), &["new_failures"]);
        check(Some((Skipped, 0)), Some((Error, 5)), &["new_failures"]);
        check(None, Some((Failed, 5)), &["new_failures", "added"]);
        check(None, Some((Passed, 5)), &["added"]);
        check(Some((Failed, 5)), None, &["removed"]);
        check(Some((Error, 5)), Some((Passed, 500)), &["fixed"]);
        check(Some((Failed, 5)), Some((Error, 500)), &["still_failing"]);
        check(Some((Failed, 5)), Some((Skipped, 0)), &["newly_skipped"]);
        check(Some((Passed, 5)), Some((NotRun, 0)), &["newly_skipped"]);
        check(Some((Skipped, 0)), Some((Passed, 900)), &[]);
        check(Some((Passed, 0)), Some((KnownIssue, 900)), &[]);
        check(Some((Passed, 0)), Some((Passed, 99)), &[]);
        check(Some((Passed, 0)), Some((Passed, 100)), &["slower"]);
        check(Some((Passed, 1000)), Some((Passed, 1199)), &[]);
        check(Some((Passed, 1000)), Some((Passed, 1200)), &["slower"]);
        check(Some((Passed, 1000)), Some((Passed, 801)), &[]);
        check(Some((Passed, 1000)), Some((Passed, 800)), &["faster"]);
        check(Some((Passed, 150)), Some((Passed, 50)), &["faster"]);
    }

    #[test]
    fn the_worst_of_several_results_counts() {
        let base = [row(1, Outcome::Passed, Some(10))];
        let head = [
            row(1, Outcome::Failed, Some(1)),
            row(1, Outcome::Passed, Some(7)),
        ];
        let found = compare(&base, &head);
        assert_eq!(
            (found.new_failures[0].head, found.new_failures[0].head_ms),
            (Some(Outcome::Failed), Some(7))
        );
    }

    fn rows() -> impl Strategy<Value = Vec<CompactRow>> {
        let outcomes = [
            Outcome::Passed,
            Outcome::Failed,
            Outcome::Error,
            Outcome::Skipped,
            Outcome::KnownIssue,
            Outcome::NotRun,
        ];
        let one = (
            0u8..20,
            proptest::sample::select(outcomes.to_vec()),
            proptest::option::of(0u64..2_000),
        );
        proptest::collection::vec(
            one.prop_map(|(test, outcome, ms)| row(test, outcome, ms)),
            0..40,
        )
    }

    proptest! {
        #[test]
        fn every_test_is_somewhere(base in rows(), head in rows()) {
            let found = compare(&base, &head);
            let named: BTreeSet<TestId> = lists(&found).iter().flat_map(|(_, list)| list.iter().map(|test| test.test_id)).collect();
            let all: BTreeSet<TestId> = base.iter().chain(&head).map(|row| row.test).collect();
            prop_assert_eq!(named.len() as u64 + found.unchanged, all.len() as u64);
            prop_assert!(named.is_subset(&all));
        }

        #[test]
        fn order_does_not_matter(base in rows(), head in rows()) {
            let turned = |rows: &[CompactRow]| rows.iter().rev().cloned().collect::<Vec<_>>();
            prop_assert_eq!(compare(&base, &head), compare(&turned(&base), &turned(&head)));
        }

        #[test]
        fn the_other_way_round_mirrors(base in rows(), head in rows()) {
            let (there, back) = (compare(&base, &head), compare(&head, &base));
            let ids = |list: &[ComparedTest]| list.iter().map(|test| test.test_id).collect::<BTreeSet<_>>();
            prop_assert_eq!(ids(&there.added), ids(&back.removed));
            prop_assert_eq!(ids(&there.still_failing), ids(&back.still_failing));
            prop_assert!(ids(&there.fixed).is_subset(&ids(&back.new_failures)));
            let itself = compare(&base, &base);
            prop_assert!(itself.new_failures.is_empty() && itself.fixed.is_empty() && itself.added.is_empty());
            prop_assert!(itself.slower.is_empty() && itself.faster.is_empty() && itself.newly_skipped.is_empty());
        }
    }
}
