//! Which failing runs are the first after a pass: pure.
//!
//! Runs are handed over newest first, so a failure waits for the run before it. That is the report before it on its branch in which
//! the test passed or failed; skipped, planned and expected failures say nothing. Several runs of a test in one report are
//! one: it passed when one passed and none failed.

use super::store::BranchHash;
use std::collections::BTreeMap;
use testhide_protocol::api::Outcome;

/// Gathers runs, newest first, until every failure among the wanted ones knows what came before it.
#[derive(Default)]
pub(super) struct Marker {
    branches: BTreeMap<BranchHash, Line>,
    /// Failures that still wait.
    waiting: usize,
    /// Numbers of the runs that failed after a pass.
    first: Vec<usize>,
}

/// One branch, as far back as it was looked at.
#[derive(Default)]
struct Line {
    /// Failures of the report after the present one.
    newer: Vec<usize>,
    /// The present report.
    batch: u64,
    failures: Vec<usize>,
    passed: bool,
    failed: bool,
}

impl Marker {
    /// Takes the next older run. `number` is given for those whose mark is wanted.
    pub(super) fn add(
        &mut self,
        branch: BranchHash,
        batch: u64,
        outcome: Outcome,
        number: Option<usize>,
    ) {
        let failed = outcome.is_failure();
        if !failed && outcome != Outcome::Passed {
            return;
        }
        let line = self.branches.entry(branch).or_default();
        if line.batch != batch {
            line.settle(&mut self.first, &mut self.waiting);
            line.newer = std::mem::take(&mut line.failures);
            (line.batch, line.passed, line.failed) = (batch, false, false);
        }
        if failed {
            line.failed = true;
            self.waiting += usize::from(number.is_some());
            line.failures.extend(number);
        } else {
            line.passed = true;
        }
    }

    /// Whether older runs can still say something.
    pub(super) fn is_waiting(&self) -> bool {
        self.waiting > 0
    }

    /// The numbers of the runs that failed after a pass, after the oldest run that there is or that matters.
    pub(super) fn finish(mut self) -> Vec<usize> {
        for line in self.branches.values_mut() {
            line.settle(&mut self.first, &mut self.waiting);
        }
        self.first.sort_unstable();
        self.first
    }
}

impl Line {
    /// The present report is known whole: it decides over the failures of the one after it.
    fn settle(&mut self, first: &mut Vec<usize>, waiting: &mut usize) {
        if !self.passed && !self.failed {
            return;
        }
        *waiting -= self.newer.len();
        let newer = std::mem::take(&mut self.newer);
        if self.passed && !self.failed {
            first.extend(newer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Marker;
    use proptest::prelude::*;
    use testhide_protocol::api::Outcome;

    /// Runs newest first, as branch, batch and a letter; the marked ones in capitals.
    fn check(runs: &[(u8, u64, char)], expected: &str) {
        let mut marker = Marker::default();
        for (number, (branch, batch, letter)) in runs.iter().enumerate() {
            marker.add([*branch; 16], *batch, outcome(*letter), Some(number));
        }
        let first = marker.finish();
        let marked: String = runs
            .iter()
            .enumerate()
            .map(|(number, run)| match first.contains(&number) {
                true => run.2.to_ascii_uppercase(),
                false => run.2,
            })
            .collect();
        assert_eq!(marked, expected, "{runs:?}");
    }

    fn outcome(letter: char) -> Outcome {
        match letter {
            'p' => Outcome::Passed,
            'f' => Outcome::Failed,
            'e' => Outcome::Error,
            'k' => Outcome::KnownIssue,
            _ => Outcome::Skipped,
        }
    }

    #[test]
    fn marks() {
        let one_branch = |letters: &str, expected: &str| {
            let count = letters.len() as u64;
            let runs: Vec<_> = letters
                .chars()
                .zip(0..)
                .map(|(letter, at)| (1, count - at, letter))
                .collect();
            check(&runs, expected);
        };
        one_branch("ffp", "fFp");
        one_branch("pfpfp", "pFpFp");
        one_branch("fsp", "Fsp");
        one_branch("fkep", "fkEp");
        one_branch("ff", "ff");
        one_branch("f", "f");
        one_branch("", "");
        check(&[(1, 3, 'f'), (2, 2, 'p'), (1, 1, 'f')], "fpf");
        check(&[(1, 3, 'f'), (2, 2, 'f'), (1, 1, 'p')], "Ffp");
        // One report with a failing and a passing row failed.
        check(&[(1, 2, 'f'), (1, 1, 'p'), (1, 1, 'f')], "fpf");
        check(
            &[(1, 2, 'p'), (1, 2, 'f'), (1, 2, 'e'), (1, 1, 'p')],
            "pFEp",
        );
    }

    proptest! {
        #[test]
        fn nothing_waits_longer_than_it_must(letters in "[pfs]{0,30}") {
            let mut marker = Marker::default();
            let runs: Vec<Outcome> = letters.chars().map(outcome).collect();
            for (number, run) in runs.iter().enumerate() {
                marker.add([0; 16], 1_000 - number as u64, *run, Some(number));
                // What is decided needs one decisive report behind it, and one more that ends that report.
                let decisive = |run: &&Outcome| run.is_failure() || **run == Outcome::Passed;
                let last_two: Vec<_> = runs[..=number].iter().filter(decisive).rev().take(2).collect();
                let open = last_two.iter().any(|run| run.is_failure());
                prop_assert_eq!(marker.is_waiting(), open);
            }
        }
    }
}
