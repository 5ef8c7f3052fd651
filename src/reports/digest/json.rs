//! A digest as one JSON object, written row by row: the schema that `docs/reports.md` describes.
//!
//! Every key is always there (`null`, `""`, `[]` or `{}` where there is nothing), and one file and many have the same keys, so that a
//! script needs no second case.

use super::facts::FileFacts;
use super::model::{Digest, Place, Row, RowAttempt, Test};
use crate::reports::parse::Warning;
use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};
use std::fmt::Write;
use testhide_protocol::Timestamp;
use testhide_protocol::api::{Finding, Outcome, OutcomeCounts};

/// The object of what was read: of one file, or of several with each for itself in `reports`.
pub fn digest_json(digest: &Digest) -> impl Serialize {
    let whole = View {
        digest,
        files: &digest.files,
    };
    One {
        head: Head::of(whole),
        tests: Tests(whole),
        reports: Reports(whole),
    }
}

/// Some of the files of a digest.
#[derive(Clone, Copy)]
struct View<'a> {
    digest: &'a Digest,
    files: &'a [FileFacts],
}

#[derive(Serialize)]
struct One<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    tests: Tests<'a>,
    reports: Reports<'a>,
}

/// What stands before the tests.
#[derive(Serialize)]
struct Head<'a> {
    /// File name as given; null for several files.
    file: Option<&'a str>,
    /// `mixed` when files differ.
    format: Option<&'a str>,
    reporter: Option<&'a str>,
    reporter_version: Option<&'a str>,
    counts: OutcomeCounts,
    tests_by_outcome: OutcomeCounts,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    truncated: bool,
    findings: Vec<&'a Finding>,
    warnings: Vec<WarningJson<'a>>,
    warnings_total: u64,
}

#[derive(Serialize)]
struct WarningJson<'a> {
    /// The file it is about; scripts that read several need it.
    report: &'a str,
    line: u64,
    code: &'a str,
    what: &'a str,
    assumed: &'a str,
}

impl<'a> Head<'a> {
    fn of(view: View<'a>) -> Self {
        let files = || view.files.iter();
        let mut formats = files().map(|file| file.format.as_str());
        let format = formats.next();
        let same_format = formats.all(|other| Some(other) == format);
        let mut counts = OutcomeCounts::default();
        let mut tests = OutcomeCounts::default();
        for file in files() {
            add(&mut counts, &file.counts);
            for test in &view.digest.tests[file.tests.clone()] {
                tests.add(test.outcome);
            }
        }
        Self {
            file: only(files().map(|file| Some(file.name.as_str()))),
            format: if same_format { format } else { Some("mixed") },
            reporter: only(files().map(|file| file.reporter.as_deref())),
            reporter_version: only(files().map(|file| file.reporter_version.as_deref())),
            counts,
            tests_by_outcome: tests,
            started_at: files().filter_map(|file| file.started_at).min(),
            finished_at: files().filter_map(|file| file.finished_at).max(),
            truncated: files().any(|file| file.truncated),
            findings: files().flat_map(|file| &file.findings).collect(),
            warnings: files().flat_map(warnings).collect(),
            warnings_total: files().map(|file| file.warnings_total).sum(),
        }
    }
}

/// What all say, if they say the same.
fn only<'a>(mut values: impl Iterator<Item = Option<&'a str>>) -> Option<&'a str> {
    let first = values.next()??;
    values.all(|other| other == Some(first)).then_some(first)
}

fn warnings(file: &FileFacts) -> impl Iterator<Item = WarningJson<'_>> {
    file.warnings.iter().map(|warning: &Warning| WarningJson {
        report: &file.name,
        line: warning.line,
        code: warning.code,
        what: &warning.what,
        assumed: warning.assumed,
    })
}

fn add(sum: &mut OutcomeCounts, more: &OutcomeCounts) {
    let OutcomeCounts {
        passed,
        failed,
        error,
        skipped,
        known_issue,
        not_run,
        total,
    } = more;
    sum.passed += passed;
    sum.failed += failed;
    sum.error += error;
    sum.skipped += skipped;
    sum.known_issue += known_issue;
    sum.not_run += not_run;
    sum.total += total;
}

/// All rows of the files, in their order.
struct Tests<'a>(View<'a>);

impl Serialize for Tests<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let View { digest, files } = self.0;
        let rows = files.iter().map(|file| file.rows.len()).sum();
        let mut list = serializer.serialize_seq(Some(rows))?;
        for file in files {
            let numbers = file.rows.clone();
            for (number, place) in numbers.clone().zip(&digest.places[numbers]) {
                let row = digest.rows.get(number).map_err(S::Error::custom)?;
                let test = &digest.tests[place.test as usize];
                list.serialize_element(&TestJson::of(&file.name, test, place, &row))?;
            }
        }
        list.end()
    }
}

/// Each file for itself, where there are several.
struct Reports<'a>(View<'a>);

impl Serialize for Reports<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let View { digest, files } = self.0;
        let files = if files.len() > 1 { files } else { &[] };
        let mut list = serializer.serialize_seq(Some(files.len()))?;
        for file in files {
            let view = View {
                digest,
                files: std::slice::from_ref(file),
            };
            list.serialize_element(&One {
                head: Head::of(view),
                tests: Tests(view),
                reports: Reports(view),
            })?;
        }
        list.end()
    }
}

/// A row.
#[derive(Serialize)]
struct TestJson<'a> {
    id: String,
    report: &'a str,
    report_line: u64,
    suite: &'a str,
    classname: &'a str,
    name: &'a str,
    display_name: &'a str,
    nodeid: Option<&'a str>,
    outcome: Outcome,
    test_outcome: Outcome,
    resolution: Option<&'a str>,
    fail_id: &'a str,
    signature: String,
    attempt: u32,
    attempts: u32,
    flaky: bool,
    copy: bool,
    duration_ms: Option<u64>,
    started_at: Option<Timestamp>,
    file: Option<&'a str>,
    line: Option<u32>,
    kind: Option<&'a str>,
    message: Option<&'a str>,
    trace: Option<&'a str>,
    stdout: Option<&'a str>,
    stderr: Option<&'a str>,
    properties: &'a [(String, String)],
    attachments: &'a [String],
    docstring: Option<&'a str>,
    tickets: &'a [String],
    retries: &'a [RowAttempt],
    extra: &'a [(String, String)],
}

impl<'a> TestJson<'a> {
    fn of(report: &'a str, test: &'a Test, place: &Place, row: &'a Row) -> Self {
        Self {
            id: hex(&test.id.bytes()),
            report,
            report_line: place.report_line,
            suite: &row.suite,
            classname: &row.classname,
            name: &row.name,
            display_name: &test.display,
            nodeid: row.nodeid.as_deref(),
            outcome: row.outcome,
            test_outcome: test.outcome,
            resolution: row.resolution.as_deref(),
            fail_id: row.fail_id.as_deref().unwrap_or_default(),
            signature: row
                .signature
                .map(|signature| signature.to_string())
                .unwrap_or_default(),
            attempt: place.attempt,
            attempts: test.attempts,
            flaky: test.flaky,
            copy: place.copy,
            duration_ms: row.duration_ms,
            started_at: row.started_at,
            file: row.file.as_deref(),
            line: row.line,
            kind: row.kind.as_deref(),
            message: row.message.as_deref(),
            trace: row.trace.as_deref(),
            stdout: row.stdout.as_deref(),
            stderr: row.stderr.as_deref(),
            properties: &row.properties,
            attachments: &row.attachments,
            docstring: row.docstring.as_deref(),
            tickets: &row.tickets,
            retries: &row.retries,
            extra: &row.extra,
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes text");
        text
    })
}
