//! From rows to tests: which rows are attempts of one test, which are parts of one attempt, which are mere copies.
//!
//! Reporters repeat rows for different reasons, and the parser says for each row which one applies ([`Repeat`]):
//!
//! * Playwright writes a row for each attempt: the last one counts, an earlier failure before a pass is flaky. A test that was asked
//!   to run several times (`repeatEach`) has several such runs, and the worst of them counts.
//! * .NET writes a row for each theory row, without its parameters: one test, one attempt, the worst row counts; never flaky.
//! * unittest writes body and tearDown as two rows of one attempt; xdist repeats a collection error once a worker.
//! * Native pytest writes retried attempts as rows that look passed; what they really were is lost, except that they failed.
//!
//! [`Attempts`] works while rows stream by: it keeps some sixty bytes a test and no text, so ingest can store each case at
//! once under the numbers it is given, and take the verdicts at the end.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::model::{Outcome, ParsedCase, Repeat, Resolution};

/// What is needed of a case to place it. Cheap to keep, holds no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CaseKey {
    /// Identity within one report: node id, or suite, file, classname and name.
    identity: [u8; 16],
    /// Everything the row says.
    content: u64,
    outcome: Outcome,
    repeat: Repeat,
    attempt: u32,
    /// The last attempt that the row tells of.
    last_attempt: u32,
    /// Attempts that stand inside the row, with whether one of them failed.
    inner_failure: bool,
    flaky: bool,
    collection_error: bool,
}

/// Where a row belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Number of the test within the report, from 0, in order of first appearance.
    pub test: u32,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Number of the row within the attempt, from 1.
    pub row: u32,
    /// The same row was there before: there is nothing new to store.
    pub copy: bool,
}

/// What became of one test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestVerdict {
    /// Its outcome: of the last attempt, and there of the worst row.
    pub outcome: Outcome,
    /// Its attempts.
    pub attempts: u32,
    /// Its rows, without copies.
    pub rows: u32,
    /// It passed in the end, and an earlier attempt did not (or the report says that it is flaky).
    pub flaky: bool,
    /// Earlier attempts look passed in the report and were not.
    hidden_failures: bool,
}

impl TestVerdict {
    /// The outcome of attempt `number`, given how its row is written.
    pub fn outcome_of_attempt(&self, number: u32, written: Outcome) -> Outcome {
        let retried = number < self.attempts;
        if self.hidden_failures && retried && written == Outcome::Passed {
            Outcome::Failed
        } else {
            written
        }
    }
}

/// Places the rows of one report, in their order.
#[derive(Debug, Default)]
pub struct Attempts {
    known: HashMap<[u8; 16], u32>,
    tests: Vec<Test>,
}

#[derive(Debug)]
struct Test {
    verdict: TestVerdict,
    /// Rows of the last attempt.
    rows_of_attempt: u32,
    /// An attempt before the last one did not pass.
    failed_before: bool,
    /// What the rows before the run in hand came to: a retry takes back what its own run said, and no more.
    settled: Option<Outcome>,
    /// Contents of the rows so far, for finding copies; the first few are enough.
    contents: [u64; 4],
}

impl Attempts {
    /// Begins a report.
    pub fn new() -> Self {
        Self::default()
    }

    /// Places the next row.
    pub fn place(&mut self, key: &CaseKey) -> Placement {
        let next = u32::try_from(self.tests.len()).unwrap_or(u32::MAX);
        let index = match self.known.entry(key.identity) {
            Entry::Vacant(entry) => {
                entry.insert(next);
                self.tests.push(Test::first(key));
                return Placement {
                    test: next,
                    attempt: key.attempt,
                    row: 1,
                    copy: false,
                };
            }
            Entry::Occupied(entry) => *entry.get(),
        };
        let test = &mut self.tests[index as usize];
        let copy = test.is_copy(key);
        if !copy {
            test.add(key);
        }
        Placement {
            test: index,
            attempt: test.verdict.attempts,
            row: test.rows_of_attempt,
            copy,
        }
    }

    /// Number of tests so far.
    pub fn tests(&self) -> usize {
        self.tests.len()
    }

    /// The verdicts, by number of the test.
    pub fn finish(self) -> Vec<TestVerdict> {
        self.tests.into_iter().map(|test| test.verdict).collect()
    }
}

impl Test {
    fn first(key: &CaseKey) -> Self {
        let mut contents = [0; 4];
        contents[0] = key.content;
        let verdict = TestVerdict {
            outcome: key.outcome,
            attempts: key.last_attempt.max(1),
            rows: 1,
            flaky: is_flaky(key.outcome, key.inner_failure, key.flaky),
            hidden_failures: false,
        };
        Self {
            verdict,
            rows_of_attempt: 1,
            failed_before: key.inner_failure,
            settled: None,
            contents,
        }
    }

    fn is_copy(&self, key: &CaseKey) -> bool {
        match key.repeat {
            Repeat::Attempt => false,
            // Theory rows have lost what told them apart, so that equal ones are still two; the same holds where retries hide.
            Repeat::Row | Repeat::HiddenRerun => false,
            Repeat::Phase => key.collection_error || self.contents.contains(&key.content),
        }
    }

    fn add(&mut self, key: &CaseKey) {
        let verdict = &mut self.verdict;
        if let Some(free) = self.contents.get_mut(verdict.rows as usize) {
            *free = key.content;
        }
        verdict.rows = verdict.rows.saturating_add(1);
        let hidden = key.repeat == Repeat::HiddenRerun && verdict.outcome == Outcome::Passed;
        if key.repeat == Repeat::Attempt || hidden {
            self.failed_before |= hidden
                || matches!(
                    verdict.outcome,
                    Outcome::Failed | Outcome::Error | Outcome::KnownIssue
                );
            verdict.hidden_failures |= hidden;
            verdict.attempts = verdict.attempts.saturating_add(1);
            verdict.outcome = self
                .settled
                .map_or(key.outcome, |settled| settled.max(key.outcome));
            self.rows_of_attempt = 1;
        } else {
            if key.repeat == Repeat::Row {
                self.settled = Some(verdict.outcome);
            }
            verdict.outcome = verdict.outcome.max(key.outcome);
            self.rows_of_attempt = self.rows_of_attempt.saturating_add(1);
        }
        verdict.flaky = is_flaky(
            verdict.outcome,
            self.failed_before | key.inner_failure,
            key.flaky | verdict.flaky,
        );
    }
}

fn is_flaky(outcome: Outcome, failed_before: bool, said_so: bool) -> bool {
    outcome == Outcome::Passed && (failed_before || said_so)
}

impl ParsedCase {
    /// What [`Attempts`] needs of this case.
    pub fn key(&self) -> CaseKey {
        let mut identity = Hasher::new();
        match &self.nodeid {
            Some(nodeid) => identity.add("nodeid").add(nodeid),
            None => identity
                .add(&self.suite)
                .add(self.file.as_deref().unwrap_or(""))
                .add(&self.classname)
                .add(&self.name),
        };
        for name in ["browser", "device", "project"] {
            // CTRF has no project in the name; the same test in two browsers is two tests.
            let found = self.properties.iter().find(|(key, _)| key == name);
            if let Some((_, value)) = found.filter(|(_, value)| !value.is_empty()) {
                identity.add(name).add(value);
            }
        }
        let mut content = Hasher::new();
        content
            .add(self.outcome.as_str())
            .add(self.message.as_deref().unwrap_or(""))
            .add(self.fail_id.as_deref().unwrap_or(""));
        content.add(
            self.duration_ms
                .map(|ms| ms.to_string())
                .as_deref()
                .unwrap_or(""),
        );
        for text in [&self.trace, &self.stdout, &self.stderr]
            .into_iter()
            .flatten()
        {
            content.add(&text.value);
        }
        for (name, value) in &self.properties {
            content.add(name).add(value);
        }
        for value in self.attachments.iter().chain(&self.tickets) {
            content.add(value);
        }
        let content = content.finish();
        CaseKey {
            identity: identity.finish(),
            content: u64::from_le_bytes(content[..8].try_into().expect("eight of sixteen bytes")),
            outcome: self.outcome,
            repeat: self.repeat,
            attempt: self.attempt.max(1),
            last_attempt: self
                .retries
                .iter()
                .map(|retry| retry.attempt)
                .fold(self.attempt.max(1), u32::max),
            inner_failure: self
                .retries
                .iter()
                .any(|retry| matches!(retry.outcome, Outcome::Failed | Outcome::Error)),
            flaky: self.flaky,
            collection_error: self.resolution.is_some()
                && self.resolution_kind() == Resolution::CollectionError,
        }
    }
}

/// Hashes texts with their lengths, so that no two lists of texts meet.
struct Hasher(blake3::Hasher);

impl Hasher {
    fn new() -> Self {
        Self(blake3::Hasher::new())
    }

    fn add(&mut self, text: &str) -> &mut Self {
        self.0
            .update(&(text.len() as u64).to_le_bytes())
            .update(text.as_bytes());
        self
    }

    fn finish(&self) -> [u8; 16] {
        self.0.finalize().as_bytes()[..16]
            .try_into()
            .expect("sixteen of thirty-two bytes")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(name: &str, outcome: Outcome, repeat: Repeat, message: &str) -> CaseKey {
        let message = Some(message.to_owned());
        ParsedCase {
            name: name.to_owned(),
            outcome,
            repeat,
            message,
            attempt: 1,
            ..ParsedCase::default()
        }
        .key()
    }

    /// Rows as (name, outcome, message), then (attempt, row, copy) of each and (outcome, attempts, flaky) of the tests.
    fn check(
        repeat: Repeat,
        rows: &[(&str, Outcome, &str)],
        placed: &[(u32, u32, bool)],
        verdicts: &[(Outcome, u32, bool)],
    ) {
        let mut attempts = Attempts::new();
        let places: Vec<_> = rows
            .iter()
            .map(|(name, outcome, message)| attempts.place(&row(name, *outcome, repeat, message)))
            .map(|place| (place.attempt, place.row, place.copy))
            .collect();
        assert_eq!(places, placed);
        let found: Vec<_> = attempts
            .finish()
            .into_iter()
            .map(|verdict| (verdict.outcome, verdict.attempts, verdict.flaky))
            .collect();
        assert_eq!(found, verdicts);
    }

    #[test]
    fn repeated_rows() {
        use Outcome::{Error, Failed, Passed, Skipped};
        check(
            Repeat::Attempt,
            &[
                ("a", Failed, "0"),
                ("b", Failed, "x"),
                ("a", Failed, "0"),
                ("a", Passed, ""),
                ("b", Failed, "x"),
            ],
            &[
                (1, 1, false),
                (1, 1, false),
                (2, 1, false),
                (3, 1, false),
                (2, 1, false),
            ],
            &[(Passed, 3, true), (Failed, 2, false)],
        );
        check(
            Repeat::Row,
            &[
                ("a", Passed, ""),
                ("a", Failed, "x"),
                ("a", Passed, ""),
                ("b", Skipped, ""),
                ("b", Passed, ""),
            ],
            &[
                (1, 1, false),
                (1, 2, false),
                (1, 3, false),
                (1, 1, false),
                (1, 2, false),
            ],
            &[(Failed, 1, false), (Passed, 1, false)],
        );
        check(
            Repeat::Phase,
            &[
                ("a", Failed, "body"),
                ("a", Error, "tear"),
                ("a", Failed, "body"),
            ],
            &[(1, 1, false), (1, 2, false), (1, 2, true)],
            &[(Error, 1, false)],
        );
        check(
            Repeat::HiddenRerun,
            &[
                ("a", Passed, ""),
                ("a", Passed, ""),
                ("a", Passed, ""),
                ("b", Failed, "x"),
                ("b", Error, "y"),
                ("c", Passed, ""),
                ("c", Failed, ""),
            ],
            &[
                (1, 1, false),
                (2, 1, false),
                (3, 1, false),
                (1, 1, false),
                (1, 2, false),
                (1, 1, false),
                (2, 1, false),
            ],
            &[(Passed, 3, true), (Error, 1, false), (Failed, 2, false)],
        );
    }

    #[test]
    fn a_retry_takes_back_its_own_run_only() {
        use Outcome::{Failed, Passed};
        use Repeat::{Attempt, Row};
        let verdict = |rows: &[(Repeat, Outcome)]| {
            let mut attempts = Attempts::new();
            for (repeat, outcome) in rows {
                attempts.place(&row("a", *outcome, *repeat, ""));
            }
            let verdict = attempts.finish()[0];
            (verdict.outcome, verdict.flaky)
        };
        assert_eq!(verdict(&[(Row, Failed), (Row, Passed)]), (Failed, false));
        assert_eq!(
            verdict(&[
                (Row, Failed),
                (Attempt, Failed),
                (Row, Failed),
                (Attempt, Passed)
            ]),
            (Failed, false)
        );
        assert_eq!(
            verdict(&[(Row, Passed), (Row, Failed), (Attempt, Passed)]),
            (Passed, true)
        );
        assert_eq!(
            verdict(&[(Row, Failed), (Attempt, Passed), (Row, Passed)]),
            (Passed, true)
        );
    }

    #[test]
    fn collection_errors_of_workers_are_one() {
        let mut attempts = Attempts::new();
        for worker in ["gw0", "gw1", "main"] {
            let case = ParsedCase {
                name: "tests/test_a.py".into(),
                outcome: Outcome::Error,
                resolution: Some("Collection Error".into()),
                message: Some(worker.into()),
                repeat: Repeat::Phase,
                attempt: 1,
                ..ParsedCase::default()
            };
            assert_eq!(attempts.place(&case.key()).copy, worker != "gw0");
        }
        assert_eq!(attempts.finish().len(), 1);
    }

    #[test]
    fn hidden_attempts_are_failures() {
        let mut attempts = Attempts::new();
        attempts.place(&row("a", Outcome::Passed, Repeat::HiddenRerun, ""));
        attempts.place(&row("a", Outcome::Passed, Repeat::HiddenRerun, ""));
        let verdict = attempts.finish()[0];
        assert_eq!(
            verdict.outcome_of_attempt(1, Outcome::Passed),
            Outcome::Failed
        );
        assert_eq!(
            verdict.outcome_of_attempt(2, Outcome::Passed),
            Outcome::Passed
        );
    }

    proptest! {
        #[test]
        fn every_row_is_placed_once(rows in proptest::collection::vec((0u8..4, 0u8..3, 0u8..3, 0u8..4), 0..60)) {
            let mut attempts = Attempts::new();
            let mut seen = std::collections::HashSet::new();
            for (name, outcome, message, repeat) in rows {
                let outcome = [Outcome::Passed, Outcome::Failed, Outcome::Skipped][usize::from(outcome)];
                let repeat = [Repeat::Row, Repeat::Phase, Repeat::Attempt, Repeat::HiddenRerun][usize::from(repeat)];
                let place = attempts.place(&row(&name.to_string(), outcome, repeat, &message.to_string()));
                prop_assert!(place.copy || seen.insert((place.test, place.attempt, place.row)));
            }
            let tests = attempts.tests();
            prop_assert_eq!(attempts.finish().len(), tests);
        }
    }
}
