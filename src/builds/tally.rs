//! Counting a build's tests, each once, outside of the transaction that stores the count.
//!
//! A report arrives: its tests are added to those of the reports before it, which takes no disk when they are still in memory, and the
//! transaction stores the counts only if the build's reports are those that were counted. Otherwise they are counted again. What
//! is in memory can be lost at any time; it is made from the results in the volumes.

use super::error::BuildsError;
use super::facts::ReportFacts;
use super::merge::Merged;
use super::model::BuildRecord;
use super::store::{Builds, REPORT_FACTS};
use crate::storage::{StorageError, Transaction};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use testhide_protocol::api::{Outcome, OutcomeCounts};
use testhide_protocol::{BuildId, ReportId, TestId};

/// Builds whose tests are kept in memory while their reports arrive: 5 MB each with 100,000 tests.
const KEPT: usize = 32;

/// The tests of one attempt over its first reports.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally {
    attempt: u32,
    /// Reports that are counted.
    reports: u32,
    merged: Merged,
}

impl Tally {
    /// Adds the next report; one whose results do not count only takes its place.
    pub(super) fn add(
        &mut self,
        facts: &ReportFacts,
        tests: impl IntoIterator<Item = (TestId, Outcome)>,
    ) {
        if !facts.stale {
            self.merged.add(facts.turn(self.reports), tests);
        }
        self.reports += 1;
    }

    pub(super) fn counts(&self) -> OutcomeCounts {
        self.merged.counts()
    }

    pub(super) fn contains(&self, test: TestId) -> bool {
        self.merged.contains(test)
    }

    /// Whether it has counted what `record` has, no more and no less.
    pub(super) fn fits(&self, record: &BuildRecord) -> bool {
        (self.attempt, self.reports) == (record.attempt, record.reports)
    }
}

/// Whose turn it is to count a build's reports, and what the last one counted.
pub(super) type Turn = Arc<tokio::sync::Mutex<Option<Tally>>>;

/// Tallies in memory.
#[derive(Debug, Default)]
pub(super) struct Tallies(Mutex<HashMap<BuildId, Turn>>);

impl Tallies {
    /// The turn of a build: who holds its lock counts alone, so that uploads at the same time do not undo each other's work.
    pub(super) fn turn(&self, build: BuildId) -> Turn {
        let mut turns = self.0.lock();
        if turns.len() >= KEPT && !turns.contains_key(&build) {
            let idle = |(_, turn): &(&BuildId, &Turn)| Arc::strong_count(turn) == 1;
            if let Some(other) = turns.iter().find(idle).map(|(other, _)| *other) {
                turns.remove(&other);
            }
        }
        turns.entry(build).or_default().clone()
    }

    /// A build is over: few more reports will come.
    pub(super) fn forget(&self, build: BuildId) {
        self.0.lock().remove(&build);
    }
}

impl Builds {
    /// What is counted of `record`: `kept` if that is it, otherwise counted from the store. Blocks for disk reads.
    ///
    /// # Errors
    /// Failures of the store.
    pub(super) fn tally(
        &self,
        record: &BuildRecord,
        kept: Option<Tally>,
    ) -> Result<Tally, BuildsError> {
        if let Some(kept) = kept.filter(|kept| kept.fits(record)) {
            return Ok(kept);
        }
        let reports = self
            .storage
            .read(|rtxn| counted_reports(rtxn, record.id, record.attempt))?;
        let mut tally = Tally {
            attempt: record.attempt,
            ..Tally::default()
        };
        for (_, facts) in reports.into_iter().take(record.reports as usize) {
            let rows = match facts.report {
                Some(report) => self.reports.compact_rows(report)?,
                None => Vec::new(),
            };
            tally.add(&facts, rows.into_iter().map(|row| (row.test, row.outcome)));
        }
        Ok(tally)
    }
}

/// How a report stands among those of its attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// The attempt of its tests that it tells of: the same for reports that one step wrote, higher for those of later steps and
    /// uploads. A test counts as its last such attempt in which it ran.
    pub turn: u32,
    /// Whether its agent put it together from what a killed reporter left.
    pub partial: bool,
}

impl Builds {
    /// How the reports of a build's attempt count.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn counted(
        &self,
        build: BuildId,
        attempt: u32,
    ) -> Result<HashMap<ReportId, Counted>, StorageError> {
        let reports = self
            .storage
            .read(|rtxn| counted_reports(rtxn, build, attempt))?;
        let counted = reports.into_iter().filter_map(|(place, facts)| {
            let (turn, partial) = (facts.turn(place), facts.partial);
            Some((facts.report?, Counted { turn, partial }))
        });
        Ok(counted.collect())
    }
}

/// The reports of an attempt with their places, in the order of arrival.
///
/// # Errors
/// Failures of the store.
pub(super) fn counted_reports<T: Transaction>(
    txn: &T,
    build: BuildId,
    attempt: u32,
) -> Result<Vec<(u32, ReportFacts)>, StorageError> {
    REPORT_FACTS
        .read(txn)?
        .prefix(&(build, attempt))?
        .map(|row| row.map(|((.., place), facts)| (place, facts)))
        .collect()
}
