//! Documents of JSON with known answers: every `NAME.expected.json` in a folder of `tests/fixtures/reports`, beside
//! the report `NAME`, whatever its ending. What an expectation does not name is not compared.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::corpus::Collected;
use crate::reports::parse::{Attempts, Limits, ParsedCase, Summary, parse};

/// The folders of formats that are documents of JSON.
pub(super) const FOLDERS: [&str; 5] = ["ctrf", "jest", "playwright", "mocha", "cucumber"];

/// Reports in the folder of one format.
pub(super) fn reports_of(folder: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports");
    let mut found: Vec<_> = files(&root.join(folder))
        .into_iter()
        .filter(|path| !is_expectation(path))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{folder}");
    found
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder)
        .expect("fixtures are there")
        .map(|entry| entry.expect("folder is readable").path())
        .collect()
}

fn is_expectation(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".expected.json")
}

/// Reports and what is expected of them.
fn expectations() -> Vec<(PathBuf, Value)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports");
    let mut found = Vec::new();
    for folder in FOLDERS {
        let files = files(&root.join(folder));
        for expectation in files.iter().filter(|path| is_expectation(path)) {
            let stem = expectation.to_string_lossy().replace(".expected.json", ".");
            let report = files
                .iter()
                .find(|path| path.to_string_lossy().starts_with(&stem) && !is_expectation(path));
            let text = fs::read(expectation).expect("expectation is there");
            found.push((
                report.expect("expectations have a report").clone(),
                serde_json::from_slice(&text).expect("expectation is JSON"),
            ));
        }
    }
    found
}

#[test]
fn reports_of_every_format() {
    let expectations = expectations();
    assert!(!expectations.is_empty());
    for (report, expected) in expectations {
        let name = report.display().to_string();
        let bytes = fs::read(&report).expect("fixture is there");
        let mut collected = Collected::default();
        let summary = parse(&bytes[..], &Limits::default(), &mut collected)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!summary.truncated, "{name}: {:?}", summary.warnings);
        let mut attempts = Attempts::new();
        for case in &collected.cases {
            attempts.place(&case.key());
        }
        let verdicts = attempts.finish();
        let flaky = verdicts.iter().filter(|verdict| verdict.flaky).count();
        let found = described(&summary, verdicts.len(), flaky);
        compare(&name, &found, &expected);
        let Some(tests) = expected["tests"].as_array() else {
            continue;
        };
        assert_eq!(collected.cases.len(), tests.len(), "{name}");
        for (case, wanted) in collected.cases.iter().zip(tests) {
            compare(&name, &row(case), wanted);
        }
    }
}

/// Whether everything that is expected was found.
fn compare(name: &str, found: &Value, expected: &Value) {
    for (key, wanted) in expected.as_object().expect("expectations are objects") {
        match found.get(key) {
            Some(Value::Object(_)) => compare(name, &found[key], wanted),
            Some(value) => assert_eq!(value, wanted, "{name}: `{key}` of {found}"),
            None if key == "tests" => {}
            None => panic!("{name}: `{key}` is not compared"),
        }
    }
}

fn described(summary: &Summary, tests: usize, flaky: usize) -> Value {
    let counts = summary.counts;
    let warnings: Vec<_> = summary
        .warnings
        .iter()
        .map(|warning| warning.code)
        .collect();
    json!({
        "format": summary.format.as_str(), "reporter": summary.reporter, "reporter_version": summary.reporter_version,
        "counts": {
            "passed": counts.passed, "failed": counts.failed, "error": counts.error, "skipped": counts.skipped,
            "known_issue": counts.known_issue, "not_run": counts.not_run, "total": counts.total,
        },
        "unique_tests": tests, "flaky": flaky, "warnings": warnings,
    })
}

fn row(case: &ParsedCase) -> Value {
    let text = |text: &Option<crate::reports::parse::Text>| {
        text.as_ref()
            .map_or("", |text| text.value.as_str())
            .to_owned()
    };
    json!({
        "suite": &*case.suite, "classname": case.classname, "name": case.name, "outcome": case.outcome.as_str(),
        "nodeid": case.nodeid, "file": case.file, "line": case.line, "attempt": case.attempt, "flaky": case.flaky,
        "duration_ms": case.duration_ms, "kind": case.kind, "message": case.message.as_deref().unwrap_or(""),
        "trace": text(&case.trace), "system_out": text(&case.stdout), "system_err": text(&case.stderr),
        "properties": case.properties, "attachments": case.attachments, "tickets": case.tickets,
        "docstr": case.docstring, "resolution": case.resolution, "fail_id": case.fail_id,
    })
}
