//! Compares what is stored: two builds, two reports, or one of each.
//!
//! Outcomes and durations come from the history, where the results of a report lie in the order of tests; names are read for the
//! tests that are listed, and older runs for the greatest changes of duration only.

use super::compare::{Change, Found, Pair, Side, by_change, fold, pair_up};
use super::error::ReportsError;
use super::rules::{MOST_RUNS, bears_out, significance};
use super::store::{Reports, of_build};
use crate::history::{
    self, RunPlace, names_of, passed_durations, place_of_report, renamed_tests, runs_of_report,
};
use std::collections::BTreeMap;
use testhide_protocol::api::{Comparison, Significance};
use testhide_protocol::{BuildId, ReportId, TestId};

/// Tests that a list names; a person reads no more, and the counts say how many there are.
const MOST_LISTED: usize = 1_000;

/// Changes of duration, of slower and of faster tests each, whose history is asked. The greatest come first; the others are judged
/// by the plain thresholds. Each costs some tenth of a millisecond.
const MOST_ASKED: usize = 100;

/// Threads that read.
const READERS: usize = 2;

impl Reports {
    /// The reports that a build is compared by, and their attempt: those of its last attempt that has any.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn compared_of_build(&self, build: BuildId) -> Result<(u32, Vec<ReportId>), ReportsError> {
        let reports = self.storage.read(|rtxn| of_build(rtxn, build, None))?;
        let last = reports.last().map(|(attempt, _)| *attempt);
        let of_last = reports.iter().filter(|(attempt, _)| Some(*attempt) == last);
        Ok((
            last.unwrap_or_default(),
            of_last.map(|(_, report)| *report).collect(),
        ))
    }

    /// What differs between two sets of reports, each with the attempt of its tests that it tells of: of several results of a test the
    /// last attempt in which it ran counts, and there the worst. Lists are cut to a thousand tests each. Blocks for disk reads.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn compare_stored(
        &self,
        base: &[(ReportId, u32)],
        head: &[(ReportId, u32)],
    ) -> Result<Comparison, ReportsError> {
        let (base_side, head_side) = std::thread::scope(|scope| {
            let other = scope.spawn(|| self.side(base));
            let head_side = self.side(head);
            (other.join(), head_side)
        });
        let base_side = base_side.map_err(|_| ReportsError::Panicked("reading".to_owned()))??;
        let mut found = pair_up(&base_side, &head_side?);
        if let Some(line) = self.line(head)? {
            let slower = std::mem::take(&mut found.slower);
            let faster = std::mem::take(&mut found.faster);
            found.slower = self.ask_history(slower, Change::Slower, &line, &mut found.unchanged)?;
            found.faster = self.ask_history(faster, Change::Faster, &line, &mut found.unchanged)?;
        }
        self.named(found)
    }

    /// The results of some reports, one a test; old names count as the test that they go on as.
    fn side(&self, reports: &[(ReportId, u32)]) -> Result<Vec<Side>, ReportsError> {
        self.storage.read(|rtxn| {
            let mut rows: Vec<Side> = Vec::new();
            for (report, turn) in reports {
                let runs = runs_of_report(rtxn, *report)?;
                rows.extend(runs.into_iter().map(|run| Side {
                    test: run.test,
                    outcome: run.outcome,
                    duration_ms: run.duration_ms,
                    at: run.row,
                    turn: *turn,
                }));
            }
            if let Some((report, _)) = reports.first()
                && let Some(origin) = history::origin_of_report(rtxn, *report)?
            {
                let renamed = renamed_tests(rtxn, origin.project)?;
                if !renamed.is_empty() {
                    for row in &mut rows {
                        row.test = renamed.get(&row.test).copied().unwrap_or(row.test);
                    }
                }
            }
            Ok(fold(rows))
        })
    }

    /// The branch of the head and the place before which its history lies.
    fn line(&self, head: &[(ReportId, u32)]) -> Result<Option<(String, RunPlace)>, ReportsError> {
        self.storage.read(|rtxn| {
            let mut line: Option<(String, RunPlace)> = None;
            for (report, _) in head {
                let place = place_of_report(rtxn, *report)?;
                let origin = history::origin_of_report(rtxn, *report)?;
                if let Some((place, origin)) = place.zip(origin)
                    && line.as_ref().is_none_or(|(_, first)| place < *first)
                {
                    line = Some((origin.branch, place));
                }
            }
            Ok(line)
        })
    }

    /// Keeps the changes that their history bears out, and those that have none.
    fn ask_history(
        &self,
        mut pairs: Vec<Pair>,
        change: Change,
        line: &(String, RunPlace),
        unchanged: &mut u64,
    ) -> Result<Vec<Pair>, ReportsError> {
        pairs.sort_by_key(by_change);
        let asked = &pairs[..pairs.len().min(MOST_ASKED)];
        let each = asked.len().div_ceil(READERS).max(1);
        let answers = std::thread::scope(|scope| {
            let readers: Vec<_> = asked
                .chunks(each)
                .map(|pairs| scope.spawn(|| self.histories(pairs, line)))
                .collect();
            let joined = readers.into_iter().map(|reader| {
                let answer = reader.join();
                answer.unwrap_or_else(|_| Err(ReportsError::Panicked("reading".to_owned())))
            });
            joined.collect::<Result<Vec<_>, _>>()
        })?;
        for (pair, answer) in pairs.iter_mut().zip(answers.into_iter().flatten()) {
            pair.significance = answer;
        }
        let before = pairs.len();
        pairs.retain(|pair| {
            pair.significance
                .as_ref()
                .is_none_or(|found| bears_out(found, change))
        });
        *unchanged += (before - pairs.len()) as u64;
        Ok(pairs)
    }

    fn histories(
        &self,
        pairs: &[Pair],
        (branch, before): &(String, RunPlace),
    ) -> Result<Vec<Option<Significance>>, ReportsError> {
        self.storage.read(|rtxn| {
            let one = |pair: &Pair| {
                let earlier = passed_durations(rtxn, pair.test, branch, *before, MOST_RUNS)?;
                Ok(pair.head_ms.and_then(|ms| significance(&earlier, ms)))
            };
            pairs.iter().map(one).collect()
        })
    }

    fn named(&self, mut found: Found) -> Result<Comparison, ReportsError> {
        let (counts, truncated) = found.cut(MOST_LISTED);
        let tests = found.tests();
        let read = |tests: &[TestId]| self.storage.read(|rtxn| names_of(rtxn, tests));
        let (one, two) = tests.split_at(tests.len() / READERS);
        let (one, two) = std::thread::scope(|scope| {
            let other = scope.spawn(|| read(one));
            let two = read(two);
            (other.join(), two)
        });
        let one = one.map_err(|_| ReportsError::Panicked("reading".to_owned()))??;
        let names: BTreeMap<TestId, String> = one
            .into_iter()
            .chain(two?)
            .map(|name| (name.test, name.display))
            .collect();
        Ok(Comparison {
            counts,
            truncated,
            ..found.into_comparison(|test| names.get(&test).cloned())
        })
    }
}
