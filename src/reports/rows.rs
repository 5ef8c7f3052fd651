//! From the parser's cases to stored rows: pure.

use super::model::{StoredRetry, StoredRow};
use super::parse::{self, ParsedCase, RetryAttempt, Text};
use std::borrow::Cow;
use testhide_protocol::Timestamp;
use testhide_protocol::api::Outcome;

/// Largest row that is stored whole; above it the attempts inside the row lose their output, then the row its properties.
const MAX_ROW: usize = 8 * 1024 * 1024;

/// The outcome as the rest of the server names it.
pub(super) fn outcome_of(parsed: parse::Outcome) -> Outcome {
    match parsed {
        parse::Outcome::Passed => Outcome::Passed,
        parse::Outcome::Failed => Outcome::Failed,
        parse::Outcome::Error => Outcome::Error,
        parse::Outcome::Skipped => Outcome::Skipped,
        parse::Outcome::KnownIssue => Outcome::KnownIssue,
        parse::Outcome::NotRun => Outcome::NotRun,
    }
}

/// A case as it is stored.
pub(super) fn row_of(case: ParsedCase, result: u32, attempt: u32) -> StoredRow {
    StoredRow {
        result,
        attempt,
        report_line: case.report_line,
        outcome: outcome_of(case.outcome),
        suite: case.suite.to_string(),
        classname: case.classname,
        name: case.name,
        nodeid: case.nodeid,
        file: case.file,
        line: case.line,
        resolution: case.resolution,
        fail_id: case.fail_id,
        duration_ms: case.duration_ms,
        started_at: case.started_at.map(|time| Timestamp(time.as_millisecond())),
        kind: case.kind,
        message: case.message,
        trace: case.trace.map(value),
        stdout: case.stdout.map(value),
        stderr: case.stderr.map(value),
        retries: case.retries.into_iter().map(retry_of).collect(),
        properties: case.properties,
        attachments: case.attachments,
        tickets: case.tickets,
        docstring: case.docstring,
        extra: case.extra,
    }
}

fn retry_of(retry: RetryAttempt) -> StoredRetry {
    StoredRetry {
        attempt: retry.attempt,
        outcome: outcome_of(retry.outcome),
        duration_ms: retry.duration_ms,
        kind: retry.kind,
        message: retry.message,
        trace: retry.trace.map(value),
        stdout: retry.stdout.map(value),
        stderr: retry.stderr.map(value),
    }
}

fn value(text: Text) -> String {
    text.value
}

/// The two ends of a text of more than `most` bytes: what matters of a trace stands at one of them.
pub(super) fn ends_of(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let head = &text[..text.floor_char_boundary(most / 2)];
    let tail = &text[text.ceil_char_boundary(text.len() - most / 2)..];
    Cow::Owned(format!(
        "{head}\n[{} bytes left out]\n{tail}",
        text.len() - head.len() - tail.len()
    ))
}

/// Makes a row small enough to be stored; says whether something was left out.
pub(super) fn fit(row: &mut StoredRow) -> bool {
    if size_of_row(row) <= MAX_ROW {
        return false;
    }
    for retry in &mut row.retries {
        (retry.stdout, retry.stderr) = (None, None);
    }
    if size_of_row(row) > MAX_ROW {
        row.properties.clear();
        row.attachments.clear();
        row.tickets.clear();
        row.extra.clear();
    }
    if size_of_row(row) > MAX_ROW {
        row.retries.clear();
    }
    true
}

/// About how many bytes a row takes in a block.
pub(super) fn size_of_row(row: &StoredRow) -> usize {
    let texts = [
        &row.nodeid,
        &row.file,
        &row.resolution,
        &row.fail_id,
        &row.kind,
        &row.message,
        &row.trace,
        &row.stdout,
        &row.stderr,
        &row.docstring,
    ];
    let of = |text: &Option<String>| text.as_ref().map_or(0, String::len) + 2;
    let pairs = row
        .properties
        .iter()
        .chain(&row.extra)
        .map(|(name, value)| name.len() + value.len() + 2);
    let lists = row
        .attachments
        .iter()
        .chain(&row.tickets)
        .map(|text| text.len() + 2);
    let retries = row.retries.iter().map(|retry| {
        [
            &retry.kind,
            &retry.message,
            &retry.trace,
            &retry.stdout,
            &retry.stderr,
        ]
        .map(of)
        .iter()
        .sum::<usize>()
            + 8
    });
    24 + row.suite.len()
        + row.classname.len()
        + row.name.len()
        + texts.map(of).iter().sum::<usize>()
        + pairs.sum::<usize>()
        + lists.sum::<usize>()
        + retries.sum::<usize>()
}
