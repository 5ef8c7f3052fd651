//! When a change of duration is worth a word, and which outcome is worse: pure.
//!
//! Two numbers alone are compared by plain thresholds. Where a test has a history, its head is compared with that too, by the modified
//! z-score: 0.6745 times the distance from the median, over the median absolute deviation; 3.5 and more is an outlier (B. Iglewicz
//! and D. Hoaglin, "How to Detect and Handle Outliers", 1993). Medians, because a history holds the outliers of the past.

use testhide_protocol::api::{Outcome, Significance};

/// Milliseconds by which a test must be slower or faster to be named.
const LEAST_MS: u64 = 100;

/// Percent of the base's duration by which it must be slower or faster.
const LEAST_PERCENT: u64 = 20;

/// Passed runs that make a history.
pub(super) const LEAST_RUNS: usize = 5;

/// Passed runs that are looked at; more say little more and cost reads.
pub(super) const MOST_RUNS: usize = 20;

/// The modified z-score of an outlier, as Iglewicz and Hoaglin recommend it.
const THRESHOLD: f64 = 3.5;

/// The 75th percentile of the normal distribution: makes a median absolute deviation comparable with a standard deviation.
const NORMAL_QUARTILE: f64 = 0.6745;

/// A test whose runs all take the same time still varies by so much: a clock tick, and a hundredth of its duration.
const LEAST_DEVIATION_MS: f64 = 1.0;

/// The direction of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Slower,
    Faster,
}

/// Whether two durations differ by the plain thresholds.
pub(super) fn change(base: Option<u64>, head: Option<u64>) -> Option<Change> {
    let (base, head) = (base?, head?);
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

/// How a duration stands to earlier ones; `None` when there are too few of them.
pub(super) fn significance(earlier: &[u64], head_ms: u64) -> Option<Significance> {
    if earlier.len() < LEAST_RUNS {
        return None;
    }
    let median_ms = median(earlier.iter().map(|ms| *ms as f64).collect());
    let mad_ms = median(
        earlier
            .iter()
            .map(|ms| (*ms as f64 - median_ms).abs())
            .collect(),
    );
    let deviation = mad_ms.max(LEAST_DEVIATION_MS).max(median_ms / 100.0);
    Some(Significance {
        test: "modified_z_score".to_owned(),
        runs: u32::try_from(earlier.len()).unwrap_or(u32::MAX),
        median_ms,
        mad_ms,
        score: NORMAL_QUARTILE * (head_ms as f64 - median_ms) / deviation,
        threshold: THRESHOLD,
    })
}

/// Whether a history bears a change out.
pub(super) fn bears_out(significance: &Significance, change: Change) -> bool {
    match change {
        Change::Slower => significance.score >= significance.threshold,
        Change::Faster => significance.score <= -significance.threshold,
    }
}

/// How alarming an outcome is.
pub(in crate::reports) fn severity(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::NotRun => 0,
        Outcome::Skipped => 1,
        Outcome::Passed => 2,
        Outcome::KnownIssue => 3,
        Outcome::Failed => 4,
        Outcome::Error => 5,
    }
}

/// Which of two rows of a test counts, the heavier: one that ran, of the later attempt, the more alarming. A row that did not run says
/// nothing against one that did: a shard lists the tests of the others so.
pub fn weight(turn: u32, outcome: Outcome) -> (bool, u32, u8) {
    let ran = !matches!(outcome, Outcome::Skipped | Outcome::NotRun);
    (ran, turn, severity(outcome))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        even if even.is_multiple_of(2) => f64::midpoint(values[middle - 1], values[middle]),
        _ => values[middle],
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, LEAST_RUNS, bears_out, significance};
    use proptest::prelude::*;

    fn check(earlier: &[u64], head: u64, slower: Option<bool>, faster: Option<bool>) {
        let found = significance(earlier, head);
        let borne_out = |change| found.as_ref().map(|found| bears_out(found, change));
        assert_eq!(
            (borne_out(Change::Slower), borne_out(Change::Faster)),
            (slower, faster),
            "{earlier:?} {head} {found:?}"
        );
    }

    #[test]
    fn what_a_history_says() {
        let steady = [1_000, 1_010, 990, 1_005, 1_000, 995];
        check(&steady, 1_300, Some(true), Some(false));
        check(&steady, 700, Some(false), Some(true));
        check(&steady, 1_020, Some(false), Some(false));
        // A test that is sometimes twice as slow is not slower because it was so once more.
        let wild = [1_000, 1_900, 1_100, 2_100, 950, 1_800, 1_900];
        check(&wild, 2_000, Some(false), Some(false));
        check(&wild, 9_000, Some(true), Some(false));
        check(&[100; 5], 220, Some(true), Some(false));
        check(&[100; 4], 900, None, None);
    }

    proptest! {
        #[test]
        fn the_score_grows_with_the_distance(earlier in proptest::collection::vec(0u64..5_000, LEAST_RUNS..20), one in 0u64..9_000, two in 0u64..9_000) {
            let score = |head| significance(&earlier, head).unwrap().score;
            prop_assert!(score(one).is_finite());
            prop_assert!((one <= two) == (score(one) <= score(two)));
            // What lies among the earlier ones is no outlier both ways.
            let found = significance(&earlier, one).unwrap();
            prop_assert!(!(bears_out(&found, Change::Slower) && bears_out(&found, Change::Faster)));
        }
    }
}
