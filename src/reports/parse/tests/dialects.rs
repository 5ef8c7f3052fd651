//! The parsers against reports of other people's tools, with what is true of each beside it.
//!
//! An expectation names what it is about and leaves out the rest: a test without `message` may have any.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::corpus::Collected;
use crate::reports::parse::{Attempts, Limits, ParsedCase, TestVerdict, parse};

/// Folders of `tests/fixtures/reports` in which every report has such an expectation.
const FOLDERS: [&str; 2] = ["junit", "robot"];

fn reports() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports");
    let mut found = Vec::new();
    for folder in FOLDERS {
        let entries = fs::read_dir(root.join(folder)).expect("fixtures are there");
        found.extend(
            entries
                .map(|entry| entry.expect("folder is readable").path())
                .filter(|path| {
                    path.extension()
                        .is_some_and(|extension| extension != "json")
                }),
        );
    }
    found.sort();
    assert!(found.len() > 20);
    found
}

#[test]
fn reports_of_other_tools() {
    for report in reports() {
        let name = report.file_name().expect("has a name").to_string_lossy();
        let bytes = fs::read(&report).expect("fixture is there");
        let mut collected = Collected::default();
        let summary = parse(&bytes[..], &Limits::default(), &mut collected)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected = fs::read(report.with_extension("expected.json"))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let expected: Value = serde_json::from_slice(&expected).expect("expectation is JSON");

        let mut attempts = Attempts::new();
        let placed: Vec<usize> = collected
            .cases
            .iter()
            .map(|case| attempts.place(&case.key()).test as usize)
            .collect();
        let verdicts = attempts.finish();
        let mut counts = json!({});
        for verdict in &verdicts {
            let count = &mut counts[verdict.outcome.as_str()];
            *count = json!(count.as_u64().unwrap_or(0) + 1);
        }
        let codes: Vec<_> = summary
            .warnings
            .iter()
            .map(|warning| warning.code)
            .collect();
        let mut flaky: Vec<_> = collected
            .cases
            .iter()
            .zip(&placed)
            .filter(|(_, test)| verdicts[**test].flaky)
            .map(|(case, _)| case.name.as_str())
            .collect();
        flaky.dedup();
        let found = json!({
            "format": summary.format.as_str(),
            "reporter": summary.reporter,
            "reporter_version": summary.reporter_version,
            "testcase_elements": collected.cases.len(),
            "unique_tests": verdicts.len(),
            "counts_unique": counts,
            "flaky_or_retried": flaky,
            "warnings": codes,
        });
        for (key, value) in found.as_object().expect("an object") {
            assert_eq!(*value, expected[key], "{name}: {key}");
        }
        assert!(!summary.truncated, "{name}");

        let tests = expected["tests"].as_array().expect("a list");
        assert_eq!(tests.len(), collected.cases.len(), "{name}");
        for (number, wanted) in tests.iter().enumerate() {
            let found = shown(&collected.cases[number], &verdicts[placed[number]]);
            for (key, value) in wanted.as_object().expect("an object") {
                assert_eq!(found[key], *value, "{name}: {key} of {wanted}");
            }
        }
    }
}

/// A case as expectations write it.
fn shown(case: &ParsedCase, verdict: &TestVerdict) -> Value {
    let text =
        |text: &Option<crate::reports::parse::Text>| text.as_ref().map(|text| text.value.clone());
    let retries = case.retries.iter().map(|retry| {
        json!({"attempt": retry.attempt, "outcome": retry.outcome.as_str(), "message": retry.message})
    });
    json!({
        "name": case.name,
        "classname": case.classname,
        "suite": &*case.suite,
        "outcome": case.outcome.as_str(),
        "message": case.message,
        "kind": case.kind,
        "file": case.file,
        "line": case.line,
        "trace": text(&case.trace),
        "stdout": text(&case.stdout),
        "stderr": text(&case.stderr),
        "docstring": case.docstring,
        "tickets": case.tickets,
        "attachments": case.attachments,
        "properties": case.properties,
        "attempts": verdict.attempts,
        "retries": retries.collect::<Vec<_>>(),
    })
}

#[test]
fn every_cut_is_survived() {
    for report in reports() {
        let bytes = fs::read(&report).expect("fixture is there");
        for end in (0..bytes.len()).step_by(211) {
            let mut collected = Collected::default();
            let name = report.display();
            match parse(&bytes[..end], &Limits::default(), &mut collected) {
                Ok(summary) => {
                    assert!(summary.truncated, "{name} cut at {end}");
                    assert_eq!(summary.counts.total, collected.cases.len() as u64);
                }
                Err(error) => {
                    assert!(collected.cases.is_empty(), "{name} cut at {end}: {error}");
                }
            }
        }
    }
}
