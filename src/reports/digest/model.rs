//! What a digest holds: tests in memory, rows in the spool.

use super::facts::{FileFacts, SuiteFacts};
use super::spool::Spool;
use crate::ml::Signature;
use crate::reports::model::CompactRow;
use crate::reports::parse::{self, ParsedCase, RetryAttempt, Text};
use crate::reports::rows::outcome_of;
use serde::{Deserialize, Serialize};
use std::io;
use std::sync::Arc;
use testhide_protocol::TestId;
use testhide_protocol::Timestamp;
use testhide_protocol::api::{Outcome, OutcomeCounts};

/// No row follows.
pub(super) const NONE: u32 = u32::MAX;

/// One or several files, read.
#[derive(Debug)]
pub struct Digest {
    /// The files, in the order in which they were read.
    pub files: Vec<FileFacts>,
    /// Rows of all files by outcome, copies too: what the files say.
    pub counts: OutcomeCounts,
    /// The tests, in the order of their first rows.
    pub tests: Vec<Test>,
    /// What suites say about themselves, by their first appearance.
    pub suites: Vec<SuiteFacts>,
    /// Where rows belong, in their order.
    pub places: Vec<Place>,
    /// Rows of a later file that an earlier one has word for word; they are not among the rows.
    pub repeated_rows: u64,
    pub(super) rows: Spool<Row>,
}

/// A test: what its rows and attempts add up to.
#[derive(Debug, Clone)]
pub struct Test {
    /// Who it is: equal on every machine and for every reporter version, different in another browser.
    pub id: TestId,
    /// What people call it.
    pub display: String,
    /// Its suite, as written.
    pub suite: Arc<str>,
    /// The outcome of its last attempt, and there of the worst row.
    pub outcome: Outcome,
    /// Attempts that the files tell of.
    pub attempts: u32,
    /// It passed in the end, and an earlier attempt did not (or the file says that it is flaky).
    pub flaky: bool,
    /// Milliseconds of the last attempt.
    pub duration_ms: Option<u64>,
    /// Fingerprint of its failure, or of the failure that it recovered from.
    pub signature: Option<Signature>,
    /// The row that says how it ended.
    pub decisive: u32,
    pub(super) first: u32,
    pub(super) last: u32,
}

/// Where a row belongs.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Number of its test.
    pub test: u32,
    /// Attempt of the test, from 1.
    pub attempt: u32,
    /// Line of the file on which it begins.
    pub report_line: u64,
    /// How it ended, as written.
    pub outcome: Outcome,
    /// The same row was there before.
    pub copy: bool,
    /// It looks passed, and the attempt it tells of was repeated because it failed.
    pub hidden_failure: bool,
    /// The next row of the same test.
    pub(super) next: u32,
}

/// A row as the file has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Names of the enclosing suites.
    pub suite: String,
    /// Class, module or describe path.
    pub classname: String,
    /// Name.
    pub name: String,
    /// The reporter's own id of the test.
    pub nodeid: Option<String>,
    /// Source file.
    pub file: Option<String>,
    /// Source line.
    pub line: Option<u32>,
    /// How it ended, as written.
    pub outcome: Outcome,
    /// The resolution, verbatim.
    pub resolution: Option<String>,
    /// The reporter's failure id.
    pub fail_id: Option<String>,
    /// Milliseconds.
    pub duration_ms: Option<u64>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// Type of the exception.
    pub kind: Option<String>,
    /// Message of the failure or reason of the skip.
    pub message: Option<String>,
    /// Trace.
    pub trace: Option<String>,
    /// Standard output.
    pub stdout: Option<String>,
    /// Standard error.
    pub stderr: Option<String>,
    /// The attempt that the row itself says it is; [`Place::attempt`] counts those of other rows too.
    pub own_attempt: u32,
    /// Attempts inside the row.
    pub retries: Vec<RowAttempt>,
    /// Properties in order.
    pub properties: Vec<(String, String)>,
    /// Attachments as written.
    pub attachments: Vec<String>,
    /// Documentation.
    pub docstring: Option<String>,
    /// Tickets.
    pub tickets: Vec<String>,
    /// What has no place above.
    pub extra: Vec<(String, String)>,
    /// Fingerprint of the failure it tells of.
    pub signature: Option<Signature>,
}

/// Another attempt that is written inside a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowAttempt {
    /// Its number, from 1.
    pub attempt: u32,
    /// How it ended, as written.
    pub outcome: Outcome,
    /// Milliseconds.
    pub duration_ms: Option<u64>,
    /// Type of the exception.
    pub kind: Option<String>,
    /// Message of the failure or reason of the skip.
    pub message: Option<String>,
    /// Trace.
    pub trace: Option<String>,
    /// Standard output.
    pub stdout: Option<String>,
    /// Standard error.
    pub stderr: Option<String>,
}

impl Digest {
    /// A row, by its number.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub fn row(&self, number: u32) -> io::Result<Row> {
        self.rows.get(number as usize)
    }

    /// The numbers of a test's rows, in their order.
    pub fn rows_of(&self, test: &Test) -> impl Iterator<Item = u32> {
        let mut next = test.first;
        std::iter::from_fn(move || {
            let row = (next != NONE).then_some(next)?;
            next = self.places[row as usize].next;
            Some(row)
        })
    }

    /// Tests by outcome.
    #[must_use]
    pub fn tests_by_outcome(&self) -> OutcomeCounts {
        let mut counts = OutcomeCounts::default();
        for test in &self.tests {
            counts.add(test.outcome);
        }
        counts
    }

    /// The tests as [`crate::reports::compare`] takes them.
    #[must_use]
    pub fn compact_rows(&self) -> Vec<CompactRow> {
        let compact = |test: &Test| CompactRow {
            test: test.id,
            display_name: test.display.clone(),
            outcome: test.outcome,
            recovered: test.flaky,
            attempts: test.attempts,
            duration_ms: test.duration_ms,
            signature: test.signature,
            row: test.decisive,
            failed_row: None,
            fail_ids: Vec::new(),
        };
        self.tests.iter().map(compact).collect()
    }
}

impl Row {
    pub(super) fn of(case: ParsedCase, signature: Option<Signature>) -> Self {
        Self {
            suite: case.suite.to_string(),
            classname: case.classname,
            name: case.name,
            nodeid: case.nodeid,
            file: case.file,
            line: case.line,
            outcome: outcome_of(case.outcome),
            resolution: case.resolution,
            fail_id: case.fail_id,
            duration_ms: case.duration_ms,
            started_at: case.started_at.map(stamp),
            kind: case.kind,
            message: case.message,
            trace: case.trace.map(value),
            stdout: case.stdout.map(value),
            stderr: case.stderr.map(value),
            own_attempt: case.attempt.max(1),
            retries: case.retries.into_iter().map(RowAttempt::of).collect(),
            properties: case.properties,
            attachments: case.attachments,
            docstring: case.docstring,
            tickets: case.tickets,
            extra: case.extra,
            signature,
        }
    }
}

impl RowAttempt {
    fn of(retry: RetryAttempt) -> Self {
        Self {
            attempt: retry.attempt.max(1),
            outcome: outcome_of(retry.outcome),
            duration_ms: retry.duration_ms,
            kind: retry.kind,
            message: retry.message,
            trace: retry.trace.map(value),
            stdout: retry.stdout.map(value),
            stderr: retry.stderr.map(value),
        }
    }
}

pub(super) fn stamp(time: jiff::Timestamp) -> Timestamp {
    Timestamp(time.as_millisecond())
}

pub(super) fn value(text: Text) -> String {
    text.value
}

pub(super) fn counts_of(counts: &parse::Counts) -> OutcomeCounts {
    OutcomeCounts {
        passed: counts.passed,
        failed: counts.failed,
        error: counts.error,
        skipped: counts.skipped,
        known_issue: counts.known_issue,
        not_run: counts.not_run,
        total: counts.total,
    }
}
