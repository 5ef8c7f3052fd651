//! From the rows of one or several files to tests.

use super::facts::{FileFacts, Suites};
use super::model::{Digest, NONE, Place, Row, Test};
use super::open::ReadError;
use super::spool::SpoolWriter;
use crate::history::Identity;
use crate::reports::collect::{failure_of, identity_of};
use crate::reports::parse::{
    self, Attempts, CaseKey, Limits, ParseError, ParsedCase, Placement, Sink, Stop, SuiteInfo,
    Summary, TestVerdict,
};
use crate::reports::rows::outcome_of;
use crate::reports::rules::severity;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::io::{self, BufRead};
use std::sync::Arc;
use testhide_protocol::api::{Outcome, OutcomeCounts};
use testhide_protocol::{ProjectId, TestId};

/// Names of tests with hidden retries that are kept for a finding.
const HIDDEN_NAMES: usize = 20;

/// Takes files one after the other.
pub struct Reading {
    /// Whether a test that comes again in a later file has run again; else each file is for itself.
    merges: bool,
    files: Vec<FileFacts>,
    suites: Suites,
    tests: Vec<Test>,
    places: Vec<Place>,
    rows: SpoolWriter<Row>,
    /// The tests of the files before the present one; the last with an id, each leading to the one before it.
    known: HashMap<TestId, u32>,
    before: HashMap<u32, u32>,
    /// Hashes of the rows of the files before the present one, by test, so that a row that comes again is found.
    contents: HashSet<(u32, u64)>,
    /// Those of the file in hand, in which equal rows are two.
    new_contents: Vec<(u32, u64)>,
    repeated_rows: u64,
    /// The file in hand.
    attempts: Attempts,
    local: Vec<Local>,
    first_place: usize,
    first_test: usize,
    /// Why the spool could not be written.
    failure: Option<io::Error>,
}

/// A test of the file in hand.
#[derive(Debug, Clone, Copy)]
struct Local {
    /// Its number among all tests.
    test: u32,
    /// Attempts that files before this one tell of, less those of this one that they tell of too.
    before: u32,
    /// How it stood before this file.
    was: Option<Outcome>,
    /// The last attempt inside a row, where that is beyond the rows' own attempts.
    inner: u32,
    /// Something in this file is new.
    fresh: bool,
    /// The attempt whose worst row is known.
    attempt: u32,
    outcome: Outcome,
    duration_ms: Option<u64>,
}

impl Default for Reading {
    fn default() -> Self {
        Self::new()
    }
}

impl Reading {
    /// Nothing read so far; each file is for itself.
    #[must_use]
    pub fn new() -> Self {
        Self {
            merges: false,
            files: Vec::new(),
            suites: Suites::default(),
            tests: Vec::new(),
            places: Vec::new(),
            rows: SpoolWriter::new(),
            known: HashMap::new(),
            before: HashMap::new(),
            contents: HashSet::new(),
            new_contents: Vec::new(),
            repeated_rows: 0,
            attempts: Attempts::new(),
            local: Vec::new(),
            first_place: 0,
            first_test: 0,
            failure: None,
        }
    }

    /// Nothing read so far; all files are one run.
    #[must_use]
    pub fn merging() -> Self {
        Self {
            merges: true,
            ..Self::new()
        }
    }

    /// Reads a report of any format.
    ///
    /// # Errors
    /// A file that is no report, and a temporary folder that cannot be written to. What was read is of no use then.
    pub fn read(&mut self, name: &str, input: impl BufRead) -> Result<(), ReadError> {
        self.read_with(name, |limits, sink| parse::parse(input, limits, sink))
    }

    /// Reads a report with a parser of the caller's choice.
    ///
    /// # Errors
    /// As [`Self::read`].
    pub fn read_with(
        &mut self,
        name: &str,
        parser: impl FnOnce(&Limits, &mut dyn Sink) -> Result<Summary, ParseError>,
    ) -> Result<(), ReadError> {
        let read = parser(&Limits::default(), self);
        if let Some(failure) = self.failure.take() {
            return Err(ReadError::Spool(failure));
        }
        self.end_of_file(name, read?);
        Ok(())
    }

    /// What was read.
    ///
    /// # Errors
    /// A temporary folder that cannot be written to.
    pub fn finish(self) -> Result<Digest, ReadError> {
        let mut counts = OutcomeCounts::default();
        for file in &self.files {
            counts.passed += file.counts.passed;
            counts.failed += file.counts.failed;
            counts.error += file.counts.error;
            counts.skipped += file.counts.skipped;
            counts.known_issue += file.counts.known_issue;
            counts.not_run += file.counts.not_run;
            counts.total += file.counts.total;
        }
        Ok(Digest {
            files: self.files,
            counts,
            tests: self.tests,
            suites: self.suites.kept,
            places: self.places,
            repeated_rows: self.repeated_rows,
            rows: self.rows.finish().map_err(ReadError::Spool)?,
        })
    }

    /// Settles the tests of the file in hand.
    fn end_of_file(&mut self, name: &str, summary: Summary) {
        let verdicts = std::mem::take(&mut self.attempts).finish();
        let local = std::mem::take(&mut self.local);
        let (mut hidden, mut hidden_total) = (Vec::new(), 0);
        let mut of_test: HashMap<u32, (TestVerdict, u32)> = HashMap::new();
        for (local, verdict) in local.iter().zip(&verdicts) {
            let test = &mut self.tests[local.test as usize];
            if has_hidden_failures(verdict) {
                hidden_total += 1;
                if hidden.len() < HIDDEN_NAMES {
                    hidden.push(test.display.clone());
                }
                of_test.insert(local.test, (*verdict, local.before));
            }
            if !local.fresh {
                continue;
            }
            let failed_before = local.was.is_some_and(has_failed);
            test.outcome = outcome_of(verdict.outcome);
            test.attempts = local
                .before
                .saturating_add(verdict.attempts.max(local.inner));
            test.flaky = test.outcome == Outcome::Passed
                && (verdict.flaky || failed_before || (local.was.is_some() && test.flaky));
            test.duration_ms = local.duration_ms;
            if !test.outcome.is_failure() && !test.flaky {
                test.signature = None;
            }
        }
        for place in &mut self.places[self.first_place..] {
            if let Some((verdict, before)) = of_test.get(&place.test) {
                let own = place.attempt.saturating_sub(*before);
                place.hidden_failure = place.outcome == Outcome::Passed
                    && verdict.outcome_of_attempt(own, parse::Outcome::Passed)
                        == parse::Outcome::Failed;
            }
        }
        if self.merges {
            self.remember(&local);
        }
        let rows = self.first_place..self.places.len();
        let tests = self.first_test..self.tests.len();
        (self.first_place, self.first_test) = (rows.end, tests.end);
        let hidden = (hidden, hidden_total);
        self.files
            .push(FileFacts::of(name, summary, hidden, rows, tests));
    }

    /// Keeps what a later file must know of this one.
    fn remember(&mut self, local: &[Local]) {
        for local in local {
            let id = self.tests[local.test as usize].id;
            match self.known.entry(id) {
                Entry::Occupied(mut entry) => {
                    if local.was.is_none() && *entry.get() != local.test {
                        self.before.insert(local.test, entry.insert(local.test));
                    }
                }
                Entry::Vacant(entry) => {
                    entry.insert(local.test);
                }
            }
        }
        self.contents.extend(self.new_contents.drain(..));
    }

    /// Begins a test of the file in hand.
    fn begin(&mut self, case: &ParsedCase) {
        // No project: the id says who a test is, not where.
        let (id, identity) = identity_of(ProjectId::from_bytes([0; 16]), case);
        let known = self.test_of_earlier_files(id, &case.suite);
        let (test, before, was) = match known {
            Some(number) => {
                let test = &self.tests[number as usize];
                (number, test.attempts, Some(test.outcome))
            }
            None => (self.add_test(id, identity, &case.suite), 0, None),
        };
        self.local.push(Local {
            test,
            before,
            was,
            inner: 0,
            fresh: false,
            attempt: 0,
            outcome: Outcome::NotRun,
            duration_ms: None,
        });
    }

    /// The same test in a file before: that of the same suite, or the only one.
    fn test_of_earlier_files(&self, id: TestId, suite: &Arc<str>) -> Option<u32> {
        let last = *self.known.get(&id)?;
        let mut next = Some(last);
        while let Some(number) = next {
            if self.tests[number as usize].suite == *suite {
                return Some(number);
            }
            next = self.before.get(&number).copied();
        }
        (!self.before.contains_key(&last)).then_some(last)
    }

    fn add_test(&mut self, id: TestId, identity: Identity, suite: &Arc<str>) -> u32 {
        let number = u32::try_from(self.tests.len()).unwrap_or(NONE);
        self.tests.push(Test {
            id,
            display: identity.display,
            suite: suite.clone(),
            outcome: Outcome::NotRun,
            attempts: 0,
            flaky: false,
            duration_ms: None,
            signature: None,
            decisive: NONE,
            first: NONE,
            last: NONE,
        });
        number
    }

    fn add(&mut self, case: ParsedCase, place: Placement) -> io::Result<()> {
        let number = u32::try_from(self.places.len())
            .ok()
            .filter(|number| *number != NONE)
            .ok_or_else(|| io::Error::other("more rows than can be counted"))?;
        let report_line = case.report_line;
        let outcome = outcome_of(case.outcome);
        let failed = failure_of(&case, outcome);
        let duration = case.duration_ms;
        let inner = case.retries.iter().map(|retry| retry.attempt).max();
        let row = Row::of(case, failed.flatten());
        let local = &mut self.local[place.test as usize];
        let bytes = self.rows.encode(&row)?;
        if self.merges {
            // Attempts are not part of a row's content, so that it is found again whatever stood before it.
            let hash = blake3::hash(bytes);
            let first = hash.as_bytes().first_chunk().expect("BLAKE3 has 32 bytes");
            let content = (local.test, u64::from_le_bytes(*first));
            if self.contents.contains(&content) {
                // The row of an earlier file, word for word: so is its attempt.
                if place.row == 1 {
                    local.before = local.before.saturating_sub(1);
                }
                self.repeated_rows += 1;
                return Ok(());
            }
            self.new_contents.push(content);
        }
        self.rows.push_encoded()?;
        let attempt = local.before.saturating_add(place.attempt);
        let test = &mut self.tests[local.test as usize];
        self.places.push(Place {
            test: local.test,
            attempt,
            report_line,
            outcome,
            copy: place.copy,
            hidden_failure: false,
            next: NONE,
        });
        match test.last {
            NONE => test.first = number,
            last => self.places[last as usize].next = number,
        }
        test.last = number;
        if place.copy {
            return Ok(());
        }
        let next_attempt = !local.fresh || attempt > local.attempt;
        local.fresh = true;
        local.inner = local.inner.max(inner.unwrap_or(0));
        if next_attempt || severity(outcome) > severity(local.outcome) {
            local.outcome = outcome;
            test.decisive = number;
        }
        if let Some(signature) = failed {
            test.signature = signature;
        }
        local.duration_ms = match (local.duration_ms.filter(|_| !next_attempt), duration) {
            (Some(one), Some(two)) => Some(one.saturating_add(two)),
            (one, two) => one.or(two),
        };
        local.attempt = attempt;
        Ok(())
    }
}

impl Sink for Reading {
    fn suite(&mut self, suite: SuiteInfo) {
        self.suites.add(suite);
    }

    fn case(&mut self, case: ParsedCase) -> Result<(), Stop> {
        let key: CaseKey = case.key();
        let place = self.attempts.place(&key);
        if place.test as usize == self.local.len() {
            self.begin(&case);
        }
        self.add(case, place).map_err(|failure| {
            self.failure = Some(failure);
            Stop
        })
    }
}

fn has_hidden_failures(verdict: &TestVerdict) -> bool {
    verdict.attempts > 1
        && verdict.outcome_of_attempt(1, parse::Outcome::Passed) == parse::Outcome::Failed
}

fn has_failed(outcome: Outcome) -> bool {
    outcome.is_failure() || outcome == Outcome::KnownIssue
}
