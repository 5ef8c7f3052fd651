//! Every format against its fixtures, in `tests/fixtures/reports/FORMAT`: each `NAME.expected.json` says what its report holds.
//!
//! An expectation names the format, the counts and codes of warnings, and the rows in order. A row is compared in the fields
//! that its expectation names; `trace_begins` is the first line of a long trace.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::corpus::Collected;
use super::hostile::codes;
use super::xml_documents::FORMATS;
use crate::reports::parse::{
    Attempts, Counts, Format, Limits, ParsedCase, Repeat, Summary, Text, detect, parse,
};

/// Reports that have an expectation, by folder.
pub(super) fn reports_of(format: Format) -> Vec<(PathBuf, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/reports")
        .join(format.as_str());
    let Ok(entries) = fs::read_dir(&folder) else {
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("folder is readable").path())
        .collect();
    paths.sort();
    let names: Vec<(String, PathBuf)> = paths
        .iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?.strip_suffix(".expected.json")?;
            Some((name.to_owned(), path.clone()))
        })
        .collect();
    names
        .into_iter()
        .map(|(name, expected)| {
            let report = paths.iter().find(|path| {
                **path != expected && path.file_stem().is_some_and(|stem| stem == &*name)
            });
            let expected = fs::read(&expected).expect("expectation is there");
            (
                report
                    .unwrap_or_else(|| panic!("no report for `{name}`"))
                    .clone(),
                serde_json::from_slice(&expected).expect("expectation is JSON"),
            )
        })
        .collect()
}

pub(super) fn read(bytes: &[u8]) -> (Summary, Collected) {
    let mut collected = Collected::default();
    let summary = parse(bytes, &Limits::default(), &mut collected).expect("fixture is a report");
    (summary, collected)
}

fn counts(counts: Counts) -> Value {
    json!({
        "passed": counts.passed, "failed": counts.failed, "error": counts.error, "skipped": counts.skipped,
        "known_issue": counts.known_issue, "not_run": counts.not_run, "total": counts.total,
    })
}

/// A row with the fields that say something.
fn row(case: &ParsedCase) -> Map<String, Value> {
    let text = |text: &Option<Text>| text.as_ref().map(|text| text.value.clone());
    let trace = text(&case.trace);
    let begins = trace.as_deref().and_then(|trace| trace.lines().next());
    let repeat = match case.repeat {
        Repeat::Row => Value::Null,
        Repeat::Phase => json!("phase"),
        Repeat::Attempt => json!("attempt"),
        Repeat::HiddenRerun => json!("hidden_rerun"),
    };
    let all = json!({
        "suite": &*case.suite, "classname": case.classname, "name": case.name, "nodeid": case.nodeid, "file": case.file,
        "line": case.line, "outcome": case.outcome.as_str(), "resolution": case.resolution, "duration_ms": case.duration_ms,
        "started_at": case.started_at.map(|stamp| stamp.to_string()), "kind": case.kind, "message": case.message,
        "trace": trace, "trace_begins": begins, "stdout": text(&case.stdout), "stderr": text(&case.stderr),
        "fail_id": case.fail_id, "repeat": repeat, "properties": case.properties, "attachments": case.attachments,
        "docstring": case.docstring, "tickets": case.tickets, "extra": case.extra,
    });
    match all {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

#[test]
fn every_format() {
    let mut read_formats = 0;
    for format in FORMATS {
        let reports = reports_of(format);
        read_formats += usize::from(!reports.is_empty());
        for (path, expected) in reports {
            let name = path.display().to_string();
            let bytes = fs::read(&path).expect("fixture is there");
            assert_eq!(detect(&bytes), Some(format), "{name}");
            let (summary, collected) = read(&bytes);
            check(&name, &summary, &collected.cases, &expected);
        }
    }
    assert!(
        read_formats >= 5,
        "only {read_formats} formats have fixtures"
    );
}

fn check(name: &str, summary: &Summary, cases: &[ParsedCase], expected: &Value) {
    assert_eq!(summary.format.as_str(), expected["format"], "{name}");
    assert_eq!(json!(summary.reporter), expected["reporter"], "{name}");
    assert_eq!(
        json!(summary.reporter_version),
        expected["reporter_version"],
        "{name}"
    );
    assert_eq!(json!(codes(summary)), expected["warnings"], "{name}");
    let found = counts(summary.counts);
    for (key, count) in expected["counts"].as_object().expect("counts") {
        assert_eq!(found[key], *count, "{name}: {key}");
    }
    if let Some(declared) = expected["declared"].as_object() {
        let found = counts(summary.declared.unwrap_or_default());
        for (key, count) in declared {
            assert_eq!(found[key], *count, "{name}: declared {key}");
        }
    }
    for (key, stamp) in [
        ("started_at", summary.started_at),
        ("finished_at", summary.finished_at),
    ] {
        let stamp = stamp.map(|stamp| stamp.to_string());
        assert_eq!(json!(stamp), expected[key], "{name}: {key}");
    }

    let tests = expected["tests"].as_array().expect("tests");
    assert_eq!(cases.len(), tests.len(), "{name}");
    for (case, wanted) in cases.iter().zip(tests) {
        let found = row(case);
        for (key, value) in wanted.as_object().expect("a test") {
            assert_eq!(found.get(key), Some(value), "{name}: {key} of {wanted}");
        }
    }

    let mut attempts = Attempts::new();
    let places: Vec<u32> = cases
        .iter()
        .map(|case| attempts.place(&case.key()).test)
        .collect();
    let verdicts = attempts.finish();
    assert_eq!(json!(verdicts.len()), expected["unique_tests"], "{name}");
    let flaky: Vec<&str> = verdicts
        .iter()
        .enumerate()
        .filter(|(_, verdict)| verdict.flaky)
        .map(|(test, _)| {
            let at = places.iter().position(|place| *place as usize == test);
            cases[at.expect("every test has a row")].name.as_str()
        })
        .collect();
    assert_eq!(json!(flaky), expected["flaky"], "{name}");
}
