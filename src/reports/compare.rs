//! What differs between two runs: pure, by test identity.
//!
//! Both sides are brought into the order of tests and walked along once, without names. Names are asked for only where a list
//! shows them.

use super::model::CompactRow;
use super::rules::{change, weight};
use std::cmp::Reverse;
use std::collections::BTreeMap;
use testhide_protocol::TestId;
use testhide_protocol::api::{ComparedCounts, ComparedTest, Comparison, Outcome, Significance};

pub(super) use super::rules::Change;

/// Compares the results of a base with those of a head. A test that has several results on one side counts by the worst of them, and
/// by its longest duration. Durations are compared where the test passed on both sides, by the plain thresholds alone.
#[must_use]
pub fn compare(base: &[CompactRow], head: &[CompactRow]) -> Comparison {
    let side = |rows: &[CompactRow]| {
        let one = |(at, row): (u32, &CompactRow)| Side {
            test: row.test,
            outcome: row.outcome,
            duration_ms: row.duration_ms,
            at,
            turn: 0,
        };
        fold((0..).zip(rows).map(one).collect())
    };
    let names: BTreeMap<TestId, &str> = base
        .iter()
        .rev()
        .chain(head.iter().rev())
        .map(|row| (row.test, row.display_name.as_str()))
        .collect();
    let found = pair_up(&side(base), &side(head));
    found.into_comparison(|test| names.get(&test).map(|name| (*name).to_owned()))
}

/// What one side says of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Side {
    pub test: TestId,
    pub outcome: Outcome,
    pub duration_ms: Option<u64>,
    /// Where it stands in its report.
    pub at: u32,
    /// Which attempt of the test its report tells of.
    pub turn: u32,
}

/// Brings results into the order of tests, one for each: the outcome that counts, the longest duration, the first place.
pub(super) fn fold(mut rows: Vec<Side>) -> Vec<Side> {
    if !rows.is_sorted_by_key(|row| row.test) {
        rows.sort_by_key(|row| row.test);
    }
    rows.dedup_by(|next, kept| {
        if next.test != kept.test {
            return false;
        }
        if weight(next.turn, next.outcome) > weight(kept.turn, kept.outcome) {
            (kept.turn, kept.outcome) = (next.turn, next.outcome);
        }
        kept.duration_ms = kept.duration_ms.max(next.duration_ms);
        kept.at = kept.at.min(next.at);
        true
    });
    rows
}

/// A test with both sides.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub test: TestId,
    pub base: Option<Outcome>,
    pub head: Option<Outcome>,
    pub base_ms: Option<u64>,
    pub head_ms: Option<u64>,
    /// Where it stands in the head's report, or the base's when it is gone.
    pub at: u32,
    pub significance: Option<Significance>,
}

/// The lists of a comparison, before names.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub new_failures: Vec<Pair>,
    pub fixed: Vec<Pair>,
    pub still_failing: Vec<Pair>,
    pub added: Vec<Pair>,
    pub removed: Vec<Pair>,
    pub newly_skipped: Vec<Pair>,
    pub slower: Vec<Pair>,
    pub faster: Vec<Pair>,
    pub unchanged: u64,
}

/// Walks along both sides, each as [`fold`] gives it.
pub(super) fn pair_up(base: &[Side], head: &[Side]) -> Found {
    let mut found = Found::default();
    let (mut base, mut head) = (base.iter().peekable(), head.iter().peekable());
    loop {
        let test = match (base.peek(), head.peek()) {
            (Some(base), Some(head)) => base.test.min(head.test),
            (Some(side), None) | (None, Some(side)) => side.test,
            (None, None) => return found,
        };
        let base = base.next_if(|side| side.test == test);
        let head = head.next_if(|side| side.test == test);
        found.add(&Pair {
            test,
            base: base.map(|side| side.outcome),
            head: head.map(|side| side.outcome),
            base_ms: base.and_then(|side| side.duration_ms),
            head_ms: head.and_then(|side| side.duration_ms),
            at: head.or(base).map_or(0, |side| side.at),
            significance: None,
        });
    }
}

impl Found {
    /// Puts a test on the lists that name it.
    fn add(&mut self, pair: &Pair) {
        let fails = |outcome: Option<Outcome>| outcome.is_some_and(Outcome::is_failure);
        let by_presence = match (pair.base, pair.head) {
            (None, _) => Some(&mut self.added),
            (_, None) => Some(&mut self.removed),
            (Some(base), Some(head)) if ran(base) && !ran(head) => Some(&mut self.newly_skipped),
            (Some(Outcome::Passed), Some(Outcome::Passed)) => {
                match change(pair.base_ms, pair.head_ms) {
                    Some(Change::Slower) => Some(&mut self.slower),
                    Some(Change::Faster) => Some(&mut self.faster),
                    None => None,
                }
            }
            _ => None,
        };
        let by_outcome = match (fails(pair.base), fails(pair.head)) {
            (false, true) => Some(&mut self.new_failures),
            (true, true) => Some(&mut self.still_failing),
            (true, false) if pair.head == Some(Outcome::Passed) => Some(&mut self.fixed),
            _ => None,
        };
        self.unchanged += u64::from(by_presence.is_none() && by_outcome.is_none());
        for list in [by_presence, by_outcome].into_iter().flatten() {
            list.push(pair.clone());
        }
    }

    fn counts(&self) -> ComparedCounts {
        let length = |list: &Vec<Pair>| list.len() as u64;
        ComparedCounts {
            new_failures: length(&self.new_failures),
            fixed: length(&self.fixed),
            still_failing: length(&self.still_failing),
            added: length(&self.added),
            removed: length(&self.removed),
            newly_skipped: length(&self.newly_skipped),
            slower: length(&self.slower),
            faster: length(&self.faster),
        }
    }

    /// Cuts every list to its first `most` tests: in the order of the report, or the greatest change first. Answers how long they
    /// were and whether anything was cut.
    pub(super) fn cut(&mut self, most: usize) -> (ComparedCounts, bool) {
        let counts = self.counts();
        let mut cut = false;
        for list in [
            &mut self.new_failures,
            &mut self.fixed,
            &mut self.still_failing,
            &mut self.added,
            &mut self.removed,
            &mut self.newly_skipped,
        ] {
            if list.len() > most {
                list.select_nth_unstable_by_key(most, |pair| (pair.at, pair.test));
                list.truncate(most);
                cut = true;
            }
        }
        for list in [&mut self.slower, &mut self.faster] {
            cut |= list.len() > most;
            list.sort_by_key(by_change);
            list.truncate(most);
        }
        (counts, cut)
    }

    /// The tests that lists name.
    pub(super) fn tests(&self) -> Vec<TestId> {
        let lists = [
            &self.new_failures,
            &self.fixed,
            &self.still_failing,
            &self.added,
            &self.removed,
            &self.newly_skipped,
            &self.slower,
            &self.faster,
        ];
        let mut tests: Vec<TestId> = lists.into_iter().flatten().map(|pair| pair.test).collect();
        tests.sort_unstable();
        tests.dedup();
        tests
    }

    /// The comparison that is shown: by name, and by the greatest change.
    pub(super) fn into_comparison(self, name_of: impl Fn(TestId) -> Option<String>) -> Comparison {
        let counts = self.counts();
        let shown = |pairs: Vec<Pair>| {
            let named = |pair: Pair| ComparedTest {
                test_id: pair.test,
                display_name: name_of(pair.test).unwrap_or_else(|| pair.test.to_string()),
                base: pair.base,
                head: pair.head,
                base_ms: pair.base_ms,
                head_ms: pair.head_ms,
                significance: pair.significance,
            };
            pairs.into_iter().map(named).collect::<Vec<_>>()
        };
        let by_name = |pairs: Vec<Pair>| {
            let mut tests = shown(pairs);
            tests.sort_by(|one, two| {
                (&one.display_name, one.test_id).cmp(&(&two.display_name, two.test_id))
            });
            tests
        };
        let by_change = |mut pairs: Vec<Pair>| {
            pairs.sort_by_key(by_change);
            shown(pairs)
        };
        Comparison {
            new_failures: by_name(self.new_failures),
            fixed: by_name(self.fixed),
            still_failing: by_name(self.still_failing),
            added: by_name(self.added),
            removed: by_name(self.removed),
            newly_skipped: by_name(self.newly_skipped),
            slower: by_change(self.slower),
            faster: by_change(self.faster),
            unchanged: self.unchanged,
            counts,
            truncated: false,
        }
    }
}

/// The greatest change first.
pub(super) fn by_change(pair: &Pair) -> (Reverse<u64>, TestId) {
    let (base, head) = (pair.base_ms.unwrap_or(0), pair.head_ms.unwrap_or(0));
    (Reverse(base.abs_diff(head)), pair.test)
}

fn ran(outcome: Outcome) -> bool {
    !matches!(outcome, Outcome::Skipped | Outcome::NotRun)
}

#[cfg(test)]
mod tests {
    use super::{Side, compare, fold, pair_up};
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

    #[test]
    fn a_cut_keeps_the_first_of_the_report_and_the_greatest_change() {
        let base: Vec<CompactRow> = (0..9)
            .map(|test| row(test, Outcome::Passed, Some(100)))
            .collect();
        let mut head = base.clone();
        head.reverse();
        for (number, row) in (0..).zip(&mut head) {
            row.outcome = if number < 5 {
                Outcome::Failed
            } else {
                Outcome::Passed
            };
            row.duration_ms = Some(1_000 + 100 * number);
        }
        let side = |rows: &[CompactRow]| {
            let one = |(at, row): (u32, &CompactRow)| Side {
                test: row.test,
                outcome: row.outcome,
                duration_ms: row.duration_ms,
                at,
                turn: 0,
            };
            fold((0..).zip(rows).map(one).collect())
        };
        let mut found = pair_up(&side(&base), &side(&head));
        let (counts, cut) = found.cut(2);
        assert_eq!((counts.new_failures, counts.slower, cut), (5, 4, true));
        let ids = |list: &[super::Pair]| {
            list.iter()
                .map(|pair| pair.test.bytes()[0])
                .collect::<BTreeSet<_>>()
        };
        assert_eq!(ids(&found.new_failures), BTreeSet::from([7, 8]));
        assert_eq!(ids(&found.slower), BTreeSet::from([0, 1]));
        assert_eq!(found.tests().len(), 4);
    }

    proptest! {
        #[test]
        fn every_test_is_somewhere(base in rows(), head in rows()) {
            let found = compare(&base, &head);
            let named: BTreeSet<TestId> = lists(&found).iter().flat_map(|(_, list)| list.iter().map(|test| test.test_id)).collect();
            let all: BTreeSet<TestId> = base.iter().chain(&head).map(|row| row.test).collect();
            prop_assert_eq!(named.len() as u64 + found.unchanged, all.len() as u64);
            prop_assert!(named.is_subset(&all));
            prop_assert_eq!(found.counts.added, found.added.len() as u64);
            prop_assert_eq!(found.counts.slower, found.slower.len() as u64);
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
