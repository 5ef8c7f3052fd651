//! Reports and results as the API shows them.

use super::model::{CompactRow, StoredReport, StoredRow, StoredWarning};
use super::rows::ends_of;
use std::collections::BTreeMap;
use testhide_protocol::api::{ParseWarning, Report, TestResult};
use testhide_protocol::{ReportId, ResultId};

/// Bytes of a message in a list; one result alone has all of it.
const LISTED_MESSAGE: usize = 4 * 1024;

/// Bytes of a trace in a list.
const LISTED_TRACE: usize = 16 * 1024;

/// A report.
pub(super) fn shown(id: ReportId, stored: StoredReport) -> Report {
    let build = stored.origin.build.as_ref();
    Report {
        id,
        project_id: stored.origin.project,
        build_id: build.map(|build| build.id),
        build_number: build.map(|build| build.number),
        attempt: build.map(|build| build.attempt),
        name: stored.name,
        format: stored.format,
        reporter: stored.reporter,
        counts: stored.rows,
        tests: stored.counts,
        warnings: stored
            .warnings
            .into_iter()
            .map(ParseWarning::from)
            .collect(),
        truncated: stored.truncated,
        size: stored.file.size,
        created_at: stored.created_at,
    }
}

impl From<StoredWarning> for ParseWarning {
    fn from(warning: StoredWarning) -> Self {
        Self {
            line: warning.line,
            what: warning.what,
            assumed: warning.assumed,
        }
    }
}

/// Type, message and trace of a failure.
type Told = (Option<String>, Option<String>, Option<String>);

/// What a row tells of a failure: its own, or that of the last failing attempt inside it when the test recovered there.
pub(super) fn told(row: StoredRow, recovered: bool) -> Told {
    if recovered && !row.outcome.is_failure() {
        let failed = row
            .retries
            .into_iter()
            .rev()
            .find(|retry| retry.outcome.is_failure());
        if let Some(retry) = failed {
            return (retry.kind, retry.message, retry.trace);
        }
    }
    (row.kind, row.message, row.trace)
}

fn others(mut ids: Vec<String>, shown: Option<&str>) -> Vec<String> {
    ids.retain(|id| Some(id.as_str()) != shown);
    ids
}

/// A result with everything: `row` says how it ended, `failed` what it recovered from.
pub(super) fn whole(
    id: ResultId,
    report: ReportId,
    result: CompactRow,
    row: StoredRow,
    failed: Option<StoredRow>,
) -> TestResult {
    let (kind, message, trace) = match failed {
        Some(failed) => told(failed, result.recovered),
        None => (row.kind, row.message, row.trace),
    };
    TestResult {
        id,
        test_id: result.test,
        report_id: report,
        display_name: result.display_name,
        suite: row.suite,
        classname: row.classname,
        name: row.name,
        nodeid: row.nodeid,
        file: row.file,
        line: row.line.map(u64::from),
        outcome: result.outcome,
        resolution: row.resolution.unwrap_or_default(),
        other_fail_ids: others(result.fail_ids, row.fail_id.as_deref()),
        fail_id: row.fail_id.unwrap_or_default(),
        signature: result
            .signature
            .map(|signature| signature.to_string())
            .unwrap_or_default(),
        attempts: result.attempts,
        recovered: result.recovered,
        duration_ms: result.duration_ms,
        kind,
        message,
        trace,
        stdout: row.stdout,
        stderr: row.stderr,
        properties: row.properties,
        attachments: row.attachments,
        tickets: row.tickets,
        docstring: row.docstring,
        extra: joined(row.extra),
    }
}

/// A result in a list: without captured output, long texts shortened.
pub(super) fn in_list(
    id: ResultId,
    report: ReportId,
    result: CompactRow,
    row: StoredRow,
    failed: Option<StoredRow>,
) -> TestResult {
    let whole = whole(id, report, result, row, failed);
    let short =
        |text: Option<String>, most: usize| text.map(|text| ends_of(&text, most).into_owned());
    TestResult {
        message: short(whole.message, LISTED_MESSAGE),
        trace: short(whole.trace, LISTED_TRACE),
        stdout: None,
        stderr: None,
        ..whole
    }
}

/// Pairs as a map; values of one name stand below each other.
fn joined(pairs: Vec<(String, String)>) -> BTreeMap<String, String> {
    let mut map: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        map.entry(name)
            .and_modify(|before| {
                before.push('\n');
                before.push_str(&value);
            })
            .or_insert(value);
    }
    map
}
