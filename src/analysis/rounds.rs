//! Rounds of a test, and pairs of them that contradict each other: what the rules are made of. Pure.

use crate::history::{Origin, Run};
use crate::ml::Signature;
use std::cmp::Reverse;
use std::collections::BTreeSet;
use testhide_protocol::{JobId, ReportId, Timestamp};

/// Two runs of one commit with different outcomes; one and the same run when it recovered.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub commit: String,
    pub failed: Run,
    pub passed: Run,
}

/// Where a round stands. Runs of one job are all of builds or all of reports alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    Build(u64, u32),
    Report(Timestamp, ReportId),
}

impl Place {
    pub(super) fn of(run: &Run) -> Self {
        match &run.origin.build {
            Some(build) => Self::Build(build.number, build.attempt),
            None => Self::Report(run.time, run.report),
        }
    }
}

/// The runs of a test in one attempt of a build, or in one report; never empty.
pub(super) struct Round<'a> {
    pub place: Place,
    pub runs: Vec<&'a Run>,
}

impl Round<'_> {
    pub(super) fn failed(&self) -> bool {
        self.runs.iter().any(|run| run.outcome.is_failure())
    }

    pub(super) fn failure_with(&self, signature: Option<Signature>) -> Option<&Run> {
        self.runs
            .iter()
            .copied()
            .find(|run| run.outcome.is_failure() && run.signature == signature)
    }

    /// Its failure, or any run when it has none.
    pub(super) fn any_failure(&self) -> &Run {
        self.runs
            .iter()
            .copied()
            .find(|run| run.outcome.is_failure())
            .unwrap_or(self.runs[0])
    }
}

/// Each failed round of a commit with the pass nearest to it, and each pass with the nearest failure.
pub(super) fn pair_up(commit: &str, rounds: &[&Round<'_>], pairs: &mut Vec<(Place, Pair)>) {
    let nearest = |from: usize, failed: bool| {
        let others = (0..rounds.len()).filter(|at| rounds[*at].failed() == failed);
        others.min_by_key(|at| (at.abs_diff(from), Reverse(*at)))
    };
    let mut chosen = BTreeSet::new();
    for (at, round) in rounds.iter().enumerate() {
        let failed = round.failed();
        if let Some(other) = nearest(at, !failed) {
            chosen.insert(if failed { (at, other) } else { (other, at) });
        }
    }
    for (failed, passed) in chosen {
        let pair = Pair {
            commit: commit.to_owned(),
            failed: rounds[failed].any_failure().clone(),
            passed: rounds[passed].runs[0].clone(),
        };
        pairs.push((rounds[failed.max(passed)].place.clone(), pair));
    }
}

/// The job that a run belongs to; none for a report without a build.
pub(super) fn job_of(origin: &Origin) -> Option<JobId> {
    origin.build.as_ref().map(|build| build.job)
}

/// The evidence in words.
pub(super) fn evidence(pairs: &[Pair]) -> String {
    let recovered = pairs.iter().filter(|pair| pair.commit.is_empty()).count();
    let commits: BTreeSet<&str> = pairs
        .iter()
        .map(|pair| pair.commit.as_str())
        .filter(|commit| !commit.is_empty())
        .collect();
    let retries = format!(
        "failed and then passed on a retry in {}",
        count(recovered, "run")
    );
    let both = format!(
        "both passed and failed on {}",
        count(commits.len(), "commit")
    );
    match (commits.len(), recovered) {
        (0, _) => retries,
        (_, 0) => format!("{both} ({} of runs)", count(pairs.len(), "pair")),
        _ => format!("{both} and {retries}"),
    }
}

/// A run in words.
pub(super) fn named(run: &Run) -> String {
    match &run.origin.build {
        Some(build) if build.attempt > 1 => {
            format!("build {} (attempt {})", build.number, build.attempt)
        }
        Some(build) => format!("build {}", build.number),
        None => format!("the report of {}", run.time),
    }
}

/// A number with its noun.
pub(super) fn count(number: usize, what: &str) -> String {
    if number == 1 {
        format!("1 {what}")
    } else {
        format!("{number} {what}s")
    }
}
