//! What a run of a test says in the light of its other runs: pure rules, version [`METHOD`].
//!
//! *Rounds.* All runs of a test in one attempt of a build (or in one report without a build) are one round; a round failed when
//! one of them did. Skipped, planned and expected failures are no evidence for anything and are left out.
//!
//! *The line.* A run is compared with earlier rounds of its branch **and its job**: the same test under two jobs is two
//! environments. Builds come in the order of their numbers and attempts, never in the order of arrival; so builds that run at the
//! same time get the same verdicts in whatever order they end, as far as each knows of the ones before it. What depends on
//! arrival all the same: a verdict is said once, with the runs that are stored at that moment.
//!
//! *Flaky* needs evidence: two rounds of one commit and one job with different outcomes, or a run that recovered within its
//! report. It counts within [`NEAR_ROUNDS`] rounds and [`NEAR_MILLIS`] around the run. Builds before and after count alike. A
//! test that has failed [`SETTLED`] rounds in a row is broken, not flaky, whatever it was before.

use super::rounds::{Pair, Place, Round, count, evidence, job_of, named, pair_up};
use crate::history::Run;
use std::collections::BTreeMap;
use testhide_protocol::api::{Outcome, VerdictKind};

/// Version of these rules, stored with every verdict.
pub(super) const METHOD: &str = "rules-1";

/// Rounds of a test, of any branch and nearest to the run in question, that may be evidence of flakiness.
pub(super) const NEAR_ROUNDS: usize = 50;

/// Evidence of flakiness is not older (or newer) than thirty days: the code under test has moved on since.
const NEAR_MILLIS: i64 = 30 * 24 * 60 * 60 * 1000;

/// Failing rounds in a row, the present one included, that end the benefit of the doubt: a test that fails every third time
/// fails so often in a row once in 243 times.
const SETTLED: usize = 5;

/// Pairs that are kept as evidence.
const MAX_PAIRS: usize = 10;

/// What the rules say of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judgement {
    pub kind: VerdictKind,
    pub reason: String,
    pub since: Option<Since>,
    /// Newest first.
    pub pairs: Vec<Pair>,
}

/// Since when a failure is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Since {
    pub first: Run,
    /// Failing rounds with this signature, this one included.
    pub times: u64,
}

/// Judges `run` by the other runs of its test, in any order and of any branch. `base` is the branch that its branch comes from;
/// without `flakiness` nothing is called flaky. A pass that is neither fixed nor flaky gets no verdict.
pub(super) fn judge(
    run: &Run,
    others: &[Run],
    base: Option<&str>,
    flakiness: bool,
) -> Option<Judgement> {
    let judged = Judged::new(run, others);
    let pairs = if flakiness {
        judged.pairs()
    } else {
        Vec::new()
    };
    if run.outcome.is_failure() {
        return Some(judged.failure(base, pairs));
    }
    if run.outcome != Outcome::Passed || judged.own_round_failed() {
        return None;
    }
    judged.pass(pairs)
}

/// A run with what it is compared with.
struct Judged<'a> {
    run: &'a Run,
    place: Place,
    /// Rounds of its job, newest first, its own left out.
    rounds: Vec<Round<'a>>,
    /// Other runs of its own round.
    beside: Vec<&'a Run>,
}

impl<'a> Judged<'a> {
    fn new(run: &'a Run, others: &'a [Run]) -> Self {
        let place = Place::of(run);
        let mut by_place: BTreeMap<Place, BTreeMap<_, &Run>> = BTreeMap::new();
        for other in others {
            let decisive = other.outcome.is_failure() || other.outcome == Outcome::Passed;
            if decisive && other.place != run.place && job_of(&other.origin) == job_of(&run.origin)
            {
                by_place
                    .entry(Place::of(other))
                    .or_default()
                    .insert(other.place, other);
            }
        }
        let beside = by_place
            .remove(&place)
            .unwrap_or_default()
            .into_values()
            .collect();
        let rounds = by_place.into_iter().rev().map(|(place, runs)| Round {
            place,
            runs: runs.into_values().collect(),
        });
        Self {
            run,
            place,
            rounds: rounds.collect(),
            beside,
        }
    }

    /// Earlier rounds of a branch, newest first.
    fn line(&self, branch: &str) -> Vec<&Round<'a>> {
        let earlier = self.rounds.iter().filter(|round| round.place < self.place);
        earlier
            .filter(|round| round.runs[0].origin.branch == branch)
            .collect()
    }

    fn own_round_failed(&self) -> bool {
        self.beside.iter().any(|run| run.outcome.is_failure())
    }

    /// The present streak of failing rounds on the run's branch, newest first.
    fn streak(&self) -> Vec<&Round<'a>> {
        self.line(&self.run.origin.branch)
            .into_iter()
            .take_while(|round| round.failed())
            .collect()
    }

    /// The evidence of flakiness that counts for this run, newest first, all of it.
    fn pairs(&self) -> Vec<Pair> {
        let near = |run: &Run| run.time.millis_since(self.run.time).abs() <= NEAR_MILLIS;
        let mut nearest: Vec<&Round<'a>> = self
            .rounds
            .iter()
            .filter(|round| near(round.runs[0]))
            .collect();
        let after = nearest
            .iter()
            .filter(|round| round.place > self.place)
            .count();
        // Newest first: drop the far future, then the far past.
        nearest.drain(..after.saturating_sub(NEAR_ROUNDS / 2));
        nearest.truncate(NEAR_ROUNDS);

        let own = Round {
            place: self.place.clone(),
            runs: self.beside.iter().copied().chain([self.run]).collect(),
        };
        let mut all: Vec<&Round<'a>> = nearest;
        all.push(&own);
        all.sort_by(|one, other| one.place.cmp(&other.place));

        let mut pairs: Vec<(Place, Pair)> = Vec::new();
        for round in &all {
            for run in round
                .runs
                .iter()
                .filter(|run| run.recovered && run.outcome == Outcome::Passed)
            {
                let pair = Pair {
                    commit: String::new(),
                    failed: (*run).clone(),
                    passed: (*run).clone(),
                };
                pairs.push((round.place.clone(), pair));
            }
        }
        let mut by_commit: BTreeMap<&str, Vec<&Round<'a>>> = BTreeMap::new();
        for round in &all {
            if let Some(commit) = round.runs[0]
                .origin
                .commit
                .as_deref()
                .filter(|commit| !commit.is_empty())
            {
                by_commit.entry(commit).or_default().push(round);
            }
        }
        for (commit, rounds) in by_commit {
            pair_up(commit, &rounds, &mut pairs);
        }
        let streak = self.streak();
        if let Some(first) = streak
            .last()
            .filter(|_| streak.len() + usize::from(self.run.outcome.is_failure()) >= SETTLED)
        {
            pairs.retain(|(newest, _)| *newest >= first.place);
        }
        pairs.sort_by(|one, other| other.0.cmp(&one.0));
        pairs.into_iter().map(|(_, pair)| pair).collect()
    }

    fn failure(&self, base: Option<&str>, pairs: Vec<Pair>) -> Judgement {
        let branch = self.run.origin.branch.as_str();
        if !pairs.is_empty() {
            let alike = pairs
                .iter()
                .any(|pair| pair.failed.signature == self.run.signature);
            let reason = format!(
                "{}{}",
                evidence(&pairs),
                if alike {
                    ""
                } else {
                    "; this time it failed in a way not seen in them"
                }
            );
            return Judgement::new(VerdictKind::Flaky, reason).with_pairs(pairs);
        }
        let line = self.line(branch);
        if let Some(since) = self.known(&line) {
            let reason = since.reason(&line, "");
            return Judgement::new(VerdictKind::Known, reason).with_since(since);
        }
        if let Some(base) = base.filter(|base| *base != branch) {
            let line = self.line(base);
            if let Some(since) = self.known(&line) {
                let reason = since.reason(&line, &format!(" on branch `{base}`"));
                return Judgement::new(VerdictKind::Known, reason).with_since(since);
            }
        }
        Judgement::new(VerdictKind::New, self.why_new(&line))
    }

    /// Whether the present streak of failures in `line` has this failure in it.
    fn known(&self, line: &[&Round<'a>]) -> Option<Since> {
        let streak = line.iter().take_while(|round| round.failed());
        let alike: Vec<&Run> = streak
            .filter_map(|round| round.failure_with(self.run.signature))
            .collect();
        let first = alike.last()?;
        Some(Since {
            first: (*first).clone(),
            times: alike.len() as u64 + 1,
        })
    }

    fn why_new(&self, line: &[&Round<'a>]) -> String {
        let branch = match self.run.origin.branch.as_str() {
            "" => String::new(),
            branch => format!(" on branch `{branch}`"),
        };
        if line.is_empty() {
            return format!("the first known run{branch} failed");
        }
        let runs = count(line.len(), "run");
        let alike: Vec<&Run> = line
            .iter()
            .filter_map(|round| round.failure_with(self.run.signature))
            .collect();
        if let Some(last) = alike.first() {
            // The streak does not hold it, so a pass stands between.
            let passed = line
                .iter()
                .take_while(|round| round.failure_with(self.run.signature).is_none());
            let passed = passed.filter(|round| !round.failed()).count();
            let times = alike.len();
            let between = count(passed, "time");
            return format!(
                "came back: failed like this in {times} of the last {runs}, last in {}, and passed {between} since",
                named(last)
            );
        }
        let failed: Vec<&&Round<'a>> = line.iter().filter(|round| round.failed()).collect();
        match failed.first() {
            Some(last) => {
                let times = failed.len();
                let last = named(last.any_failure());
                format!(
                    "failed in {times} of the last {runs}{branch}, last in {last}, but always with another signature"
                )
            }
            None => format!("never failed in the last {runs}{branch}"),
        }
    }

    fn pass(&self, pairs: Vec<Pair>) -> Option<Judgement> {
        let commit = self.run.origin.commit.as_deref();
        let of_own_commit = |pair: &&Pair| {
            pair.passed.place == self.run.place
                || (!pair.commit.is_empty() && Some(pair.commit.as_str()) == commit)
        };
        if pairs.iter().any(|pair| of_own_commit(&pair)) {
            let reason = format!("passed, but {}", evidence(&pairs));
            return Some(Judgement::new(VerdictKind::Flaky, reason).with_pairs(pairs));
        }
        let streak = self.streak();
        let first = streak.last()?;
        if !pairs.is_empty() {
            let reason = format!(
                "passes after a failure, which proves no repair: {}",
                evidence(&pairs)
            );
            return Some(Judgement::new(VerdictKind::Flaky, reason).with_pairs(pairs));
        }
        let failed = match streak.len() {
            1 => format!("failed in {}", named(first.any_failure())),
            times => format!(
                "failed in {times} runs in a row since {}",
                named(first.any_failure())
            ),
        };
        Some(Judgement::new(
            VerdictKind::Fixed,
            format!("{failed} and passes now"),
        ))
    }
}

impl Judgement {
    fn new(kind: VerdictKind, reason: String) -> Self {
        Self {
            kind,
            reason,
            since: None,
            pairs: Vec::new(),
        }
    }

    fn with_since(self, since: Since) -> Self {
        Self {
            since: Some(since),
            ..self
        }
    }

    fn with_pairs(self, mut pairs: Vec<Pair>) -> Self {
        pairs.truncate(MAX_PAIRS);
        Self { pairs, ..self }
    }
}

impl Since {
    /// `line` is where the streak was found, `place` says so.
    fn reason(&self, line: &[&Round<'_>], place: &str) -> String {
        let first = Place::of(&self.first);
        let rounds = line.iter().take_while(|round| round.place >= first).count() + 1;
        let times = self.times;
        let since = named(&self.first);
        format!(
            "failed in {times} of the last {} since {since}{place} with the same signature",
            count(rounds, "run")
        )
    }
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
