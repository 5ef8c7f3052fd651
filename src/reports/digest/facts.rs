//! What is known of a file and of its suites, beside their tests.

use super::findings::{WhatOneFileShows, findings_of_file};
use super::model::{counts_of, stamp, value};
use crate::reports::parse::{Format, SuiteInfo, Summary, Warning};
use crate::reports::rows::ends_of;
use std::ops::Range;
use std::sync::Arc;
use testhide_protocol::Timestamp;
use testhide_protocol::api::{Finding, OutcomeCounts};

/// Bytes of a suite's output that are kept, half from its head and half from its tail.
const SUITE_OUTPUT: usize = 64 * 1024;

/// Bytes of all suites' output; what goes beyond is left out.
const ALL_OUTPUT: usize = 16 * 1024 * 1024;

/// Suites that are kept.
const MOST_SUITES: usize = 100_000;

/// A file that was read.
#[derive(Debug, Clone)]
pub struct FileFacts {
    /// How it was named.
    pub name: String,
    /// Its format.
    pub format: Format,
    /// Who wrote it, as far as it shows.
    pub reporter: Option<String>,
    /// The writer's version.
    pub reporter_version: Option<String>,
    /// Properties of the report as a whole.
    pub properties: Vec<(String, String)>,
    /// Its rows by outcome.
    pub counts: OutcomeCounts,
    /// When the run began, if the report says so.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What was repaired, cut or assumed; the first of them.
    pub warnings: Vec<Warning>,
    /// All of them.
    pub warnings_total: u64,
    /// It ends too early.
    pub truncated: bool,
    /// What does not fit together.
    pub findings: Vec<Finding>,
    /// Its rows among all rows.
    pub rows: Range<usize>,
    /// Its tests among all tests; in a reading that merges, those that no earlier file has.
    pub tests: Range<usize>,
}

/// A suite.
#[derive(Debug, Clone, Default)]
pub struct SuiteFacts {
    /// Names of the enclosing suites and its own.
    pub name: Arc<str>,
    /// Its host.
    pub hostname: Option<String>,
    /// Its time stamp, as written.
    pub timestamp: Option<Timestamp>,
    /// Whether the time stamp is that of its end.
    pub timestamp_is_end: bool,
    /// Properties in order.
    pub properties: Vec<(String, String)>,
    /// Its own output, head and tail.
    pub stdout: Option<String>,
    /// Its own error output, head and tail.
    pub stderr: Option<String>,
}

impl FileFacts {
    /// What a summary and the tests with hidden retries say of a file.
    pub(super) fn of(
        name: &str,
        summary: Summary,
        (hidden, hidden_total): (Vec<String>, u64),
        rows: Range<usize>,
        tests: Range<usize>,
    ) -> Self {
        let findings = findings_of_file(&WhatOneFileShows {
            name,
            rows: summary.counts.total,
            declared: summary.declared.map(|declared| declared.total),
            truncated: summary.truncated,
            hidden,
            hidden_total,
        });
        Self {
            name: name.to_owned(),
            format: summary.format,
            reporter: summary.reporter,
            reporter_version: summary.reporter_version,
            properties: summary.properties,
            counts: counts_of(&summary.counts),
            started_at: summary.started_at.map(stamp),
            finished_at: summary.finished_at.map(stamp),
            warnings: summary.warnings,
            warnings_total: summary.warnings_total,
            truncated: summary.truncated,
            findings,
            rows,
            tests,
        }
    }
}

/// Suites in the order of their first appearance, with a bound on what is kept of them.
#[derive(Debug, Default)]
pub(super) struct Suites {
    pub(super) kept: Vec<SuiteFacts>,
    output: usize,
}

impl Suites {
    pub(super) fn add(&mut self, suite: SuiteInfo) {
        if self.kept.len() >= MOST_SUITES {
            return;
        }
        let timestamp = suite.timestamp.map(stamp);
        let stdout = suite.stdout.map(value).and_then(|text| self.output(&text));
        let stderr = suite.stderr.map(value).and_then(|text| self.output(&text));
        self.kept.push(SuiteFacts {
            name: suite.name,
            hostname: suite.hostname,
            timestamp,
            timestamp_is_end: suite.timestamp_is_end,
            properties: suite.properties,
            stdout,
            stderr,
        });
    }

    fn output(&mut self, text: &str) -> Option<String> {
        let text = ends_of(text, SUITE_OUTPUT);
        self.output += text.len();
        (self.output <= ALL_OUTPUT).then(|| text.into_owned())
    }
}
