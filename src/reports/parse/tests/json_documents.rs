//! JSON documents against cuts, wrong types, odd orders, and things without end.

use std::fs;
use std::io::{BufReader, Read};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::corpus::Collected;
use super::hostile::{codes, read};
use super::json_formats::{FOLDERS, reports_of};
use super::limit::Endless;
use crate::reports::parse::{Attempts, Limits, Outcome, ParsedCase, Summary, detect, parse};

fn fixtures() -> Vec<(String, Vec<u8>)> {
    FOLDERS
        .into_iter()
        .flat_map(reports_of)
        .map(|path| {
            let bytes = fs::read(&path).expect("fixture is there");
            (path.display().to_string(), bytes)
        })
        .collect()
}

fn read_value(document: &Value) -> (Summary, Vec<ParsedCase>) {
    read(document.to_string().as_bytes()).unwrap_or_else(|error| panic!("{document}: {error}"))
}

#[test]
fn folders_are_formats() {
    for folder in FOLDERS {
        for path in reports_of(folder) {
            let bytes = fs::read(&path).expect("fixture is there");
            let format = detect(&bytes).map(|format| format.as_str());
            assert_eq!(format, Some(folder), "{}", path.display());
        }
    }
}

#[test]
fn every_cut_is_survived() {
    for (name, bytes) in fixtures() {
        let head = &bytes[..bytes.len().min(20_000)];
        for end in (0..head.len()).step_by(97) {
            let mut collected = Collected::default();
            match parse(&head[..end], &Limits::default(), &mut collected) {
                Ok(summary) => {
                    assert!(summary.truncated, "{name} cut at {end}");
                    assert_eq!(summary.counts.total, collected.cases.len() as u64);
                }
                Err(error) => assert!(collected.cases.is_empty(), "{name} cut at {end}: {error}"),
            }
        }
    }
}

/// A document with the members of its objects in the order of their names, or against it.
fn reordered(value: &Value, backwards: bool, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                reordered(item, backwards, out);
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut members: Vec<_> = members.iter().collect();
            members.sort_by_key(|(key, _)| key.as_str());
            if backwards {
                members.reverse();
            }
            out.push('{');
            for (at, (key, member)) in members.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                out.push_str(&json!(key).to_string());
                out.push(':');
                reordered(member, backwards, out);
            }
            out.push('}');
        }
        other => out.push_str(&other.to_string()),
    }
}

#[test]
fn the_order_of_members_does_not_matter() {
    let rows = |bytes: &[u8]| {
        let (summary, cases) = read(bytes).expect("is a report");
        let mut attempts = Attempts::new();
        for case in &cases {
            attempts.place(&case.key());
        }
        let mut rows: Vec<_> = cases
            .into_iter()
            .map(|case| {
                let place = (case.file, case.line, case.classname, case.name);
                (place, case.outcome.as_str(), case.attempt, case.message)
            })
            .collect();
        rows.sort();
        (
            summary.counts,
            attempts.finish().len(),
            codes(&summary),
            rows,
        )
    };
    for (name, bytes) in fixtures() {
        let value: Value = serde_json::from_slice(&bytes).expect("fixture is JSON");
        let expected = rows(&bytes);
        for backwards in [false, true] {
            let mut text = String::new();
            reordered(&value, backwards, &mut text);
            assert_eq!(rows(text.as_bytes()), expected, "{name}, {backwards}");
        }
    }
}

#[test]
fn failures_outside_tests_are_rows() {
    let check = |document: Value, name: &str, message: &str| {
        let (summary, cases) = read_value(&document);
        let last = cases.last().expect("has rows");
        assert_eq!(
            (last.name.as_str(), last.outcome, last.message.as_deref()),
            (name, Outcome::Error, Some(message)),
            "{document}"
        );
        assert!(!codes(&summary).contains(&"declared_counts"), "{document}");
    };
    let jest = |success: bool, interrupted: bool| {
        json!({"numTotalTests": 1, "numPassedTests": 1, "success": success, "wasInterrupted": interrupted,
            "testResults": [{"name": "a.js", "status": "passed", "assertionResults": [{"title": "a", "status": "passed"}]}]})
    };
    check(
        jest(false, false),
        "(run failed)",
        "the run failed, and no test in it did",
    );
    check(jest(true, true), "(run failed)", "the run was interrupted");
    check(
        json!({"numTotalTests": 0, "numFailedTests": 0, "testResults": [{"name": "a.js", "status": "failed", "message": "SyntaxError: no", "assertionResults": []}]}),
        "(suite failed to run)",
        "SyntaxError: no",
    );
    check(
        json!({"config": {}, "suites": [], "errors": [{"message": "Error: global setup"}], "stats": {"expected": 0}}),
        "(error outside tests)",
        "Error: global setup",
    );
    check(
        json!({"stats": {"tests": 1, "passes": 1, "failures": 2}, "tests": [], "pending": [], "failures": [], "passes": [{"title": "a", "fullTitle": "a", "duration": 1, "err": {}}]}),
        "(run failed)",
        "the report speaks of 2 failures and holds none",
    );
    check(
        json!({"stats": {"tests": 0, "failures": 1}, "results": [{"title": "s", "fullFile": "/a.js", "afterHooks": [
            {"title": "\"after all\" hook", "fullTitle": "s \"after all\" hook", "state": "failed", "fail": true, "err": {"message": "Error: late"}}]}]}),
        "\"after all\" hook",
        "Error: late",
    );
}

#[test]
fn attempts_of_jest_and_vitest() {
    let document = json!({"numTotalTests": 3, "numFailedTests": 1, "testResults": [{"status": "failed", "name": "a.js", "assertionResults": [
        {"title": "a", "status": "passed", "invocations": 3, "retryReasons": ["Error: one\n    at f", "Error: two"]},
        {"title": "b", "status": "failed", "invocations": 2, "failureMessages": ["TypeError: no\n    at f"]},
        {"title": "c", "status": "passed", "failureMessages": ["AssertionError: first"]},
        {"title": "d", "status": "disabled"}, {"fullName": "e f", "status": "odd"}, 7]}]});
    let (summary, cases) = read_value(&document);
    assert_eq!(
        codes(&summary),
        ["unknown_status", "wrong_type", "declared_counts"]
    );
    let told: Vec<_> = cases
        .iter()
        .map(|case| {
            let retries: Vec<_> = case
                .retries
                .iter()
                .map(|retry| retry.message.as_deref().unwrap_or(""))
                .collect();
            (
                case.name.as_str(),
                case.outcome,
                case.attempt,
                case.flaky,
                retries,
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            (
                "a",
                Outcome::Passed,
                3,
                true,
                vec!["Error: one", "Error: two"]
            ),
            ("b", Outcome::Failed, 2, false, vec![""]),
            ("c", Outcome::Passed, 2, true, vec!["AssertionError: first"]),
            ("d", Outcome::NotRun, 1, false, vec![]),
            ("e f", Outcome::NotRun, 1, false, vec![]),
        ]
    );
    assert_eq!(cases[1].kind.as_deref(), Some("TypeError"));
    assert!(
        cases
            .iter()
            .all(|case| case.file.as_deref() == Some("a.js"))
    );
}

#[test]
fn projects_of_playwright_are_tests_of_their_own() {
    let result = |status: &str, retry: u32| json!({"status": status, "retry": retry, "stdout": [{"text": "a"}, {"buffer": "Yg=="}, 7]});
    let test = |project: &str, results: Value, status: &str| json!({"projectName": project, "expectedStatus": "passed", "results": results, "status": status, "annotations": [{"type": "issue", "description": "T-1"}]});
    let document = json!({"config": {"version": "1.50.0"}, "suites": [{"file": "a.spec.ts", "title": "a.spec.ts", "specs": [{"title": "x", "tests": [
        test("one", json!([result("failed", 0), result("passed", 1)]), "flaky"),
        test("two", json!([result("passed", 0)]), "expected"),
        test("three", json!([]), "skipped")], "line": 3}]}], "stats": {"expected": 1, "flaky": 1, "skipped": 1}});
    let (summary, cases) = read_value(&document);
    assert_eq!(codes(&summary), [""; 0]);
    let mut attempts = Attempts::new();
    let places: Vec<_> = cases
        .iter()
        .map(|case| attempts.place(&case.key()))
        .map(|place| (place.test, place.attempt))
        .collect();
    assert_eq!(places, [(0, 1), (0, 2), (1, 1), (2, 1)]);
    let verdicts = attempts.finish();
    assert!(verdicts[0].flaky && verdicts[0].attempts == 2 && !verdicts[1].flaky);
    assert_eq!(verdicts[2].outcome, Outcome::NotRun);
    assert_eq!(cases[0].stdout.as_ref().expect("has output").value, "ab");
    assert_eq!(cases[0].tickets, ["T-1"]);
    assert_eq!((cases[2].line, cases[2].name.as_str()), (Some(3), "x"));
}

#[test]
fn a_document_after_a_document() {
    let one = r#"{"numTotalTests":1,"numFailedTests":0,"testResults":[{"assertionResults":[{"title":"a","status":"passed"}]}]}"#;
    let check = |after: &str, code: &str, truncated: bool| {
        let (summary, cases) = read(format!("{one}\n{after}").as_bytes()).expect("is a report");
        assert_eq!((cases.len(), summary.truncated), (1, truncated), "{after}");
        assert_eq!(codes(&summary), [code]);
        assert_eq!(summary.warnings[0].line, 2);
    };
    check(
        "npm error Lifecycle script failed",
        "trailing_content",
        false,
    );
    check("[ERROR] exit code 1", "trailing_content", false);
    check(one, "truncated", true);
}

#[test]
fn repeats_of_playwright_count_each() {
    // `repeatEach: 2`: a spec for each, of one title and line; the first fails for good, the second passes when tried again.
    let spec = |results: Value, status: &str| {
        let test = json!({"projectName": "", "expectedStatus": "passed", "results": results, "status": status});
        json!({"title": "x", "line": 3, "tests": [test]})
    };
    let result = |status: &str, retry: u32| json!({"status": status, "retry": retry});
    let document = json!({"config": {"version": "1.65.0"}, "suites": [{"file": "a.spec.ts", "title": "a.spec.ts", "specs": [
        spec(json!([result("failed", 0), result("failed", 1)]), "unexpected"),
        spec(json!([result("failed", 0), result("passed", 1)]), "flaky")]}], "stats": {"unexpected": 1, "flaky": 1}});
    let (_, cases) = read_value(&document);
    let mut attempts = Attempts::new();
    for case in &cases {
        attempts.place(&case.key());
    }
    let verdicts = attempts.finish();
    assert_eq!(verdicts.len(), 1);
    assert_eq!(verdicts[0].outcome, Outcome::Failed);
    assert!(!verdicts[0].flaky);
}

#[test]
fn huge_parts_are_cut() {
    for (megabytes, open, part, close) in [
        (
            6,
            r#"{"numTotalTests":1,"numFailedTests":1,"coverageMap":{"a":[0"#,
            r#",{"b":[1,2]}"#,
            r#"]},"testResults":[{"assertionResults":[{"title":"a","status":"failed"}]}]}"#,
        ),
        (
            50,
            r#"{"numTotalTests":1,"numFailedTests":1,"testResults":[{"assertionResults":[{"title":"a","status":"failed","failureMessages":[""#,
            r"all \ud83d work\n",
            r#""]}]}]}"#,
        ),
        (
            6,
            r#"{"suites":[{"title":"a","specs":[{"title":"a","tests":[{"results":[{"status":"failed","stdout":[{"text":"x"}"#,
            r#",{"text":"all work and no play"}"#,
            r#"]}]}]}]}]}"#,
        ),
        (
            6,
            r#"{"suites":[{"title":"a","specs":[{"title":"a","tests":[{"results":[{"status":"failed","attachments":[{"name":"x","body":""#,
            "aGVsbG8",
            r#""}]}]}]}]}]}"#,
        ),
        (
            6,
            r#"{"stats":{"tests":1,"failures":1},"failures":[{"title":"a","err":{"stack":""#,
            "all work\\n",
            r#""}}]}"#,
        ),
        (
            6,
            r#"[{"elements":[{"name":"a","steps":[{"result":{"status":"failed","error_message":""#,
            "all work\\n",
            r#""}}]}],"name":"a"}]"#,
        ),
        (
            6,
            r#"[{"elements":[{"name":"a","steps":[{"result":{"status":"failed"}}"#,
            r#",{"name":"on and on","result":{"status":"passed","duration":1}}"#,
            r#"]}],"name":"a"}]"#,
        ),
    ] {
        let parts = Endless {
            part: part.as_bytes(),
            offset: 0,
        };
        let input = open
            .as_bytes()
            .chain(parts.take((megabytes << 20) / part.len() as u64 * part.len() as u64))
            .chain(close.as_bytes());
        let mut collected = Collected::default();
        let summary = parse(BufReader::new(input), &Limits::default(), &mut collected)
            .unwrap_or_else(|error| panic!("{open}: {error}"));
        assert_eq!(
            (summary.counts.total, summary.counts.failed),
            (1, 1),
            "{open}"
        );
        let size = format!("{:?}", collected.cases).len();
        assert!(size < 4 << 20, "{open} kept {size} bytes");
    }
}

#[test]
fn rows_do_not_wait_without_end_for_their_file() {
    let row = format!(
        ",{{\"title\":\"a\",\"status\":\"failed\",\"failureMessages\":[\"{}\"]}}",
        "x".repeat(100 << 10)
    );
    let open = r#"{"numTotalTests":0,"numFailedTests":0,"testResults":[{"assertionResults":[7"#;
    let parts = Endless {
        part: row.as_bytes(),
        offset: 0,
    };
    let input = open
        .as_bytes()
        .chain(parts.take(430 * row.len() as u64))
        .chain(&br#"],"name":"a.js"}]}"#[..]);
    let mut collected = Collected::default();
    let summary =
        parse(BufReader::new(input), &Limits::default(), &mut collected).expect("is a report");
    assert_eq!(summary.counts.failed, 430);
    assert!(codes(&summary).contains(&"late_identity"));
    let named = collected.cases.iter().filter(|case| case.file.is_some());
    let named = named.count();
    assert!((1..429).contains(&named), "{named}");
}

#[test]
fn deep_suites_need_no_stack() {
    for (open, level, bottom) in [
        (
            r#"{"config":{"rootDir":"a","projects":[]},"suites":["#,
            r#"{"title":"a","suites":["#,
            r#"{"specs":[{"title":"x","tests":[{"results":[{"status":"passed"}]}]}]}"#,
        ),
        (
            r#"{"stats":{"tests":1,"passes":1},"results":["#,
            r#"{"title":"a","suites":["#,
            r#"{"tests":[{"title":"x","state":"passed"}]}"#,
        ),
        (
            r#"[{"name":"a","elements":["#,
            r#"{"name":"a","steps":[{"before":["#,
            r#"{"result":{"status":"failed"}}"#,
        ),
    ] {
        for levels in [10, 100, 20_000] {
            let text = format!("{open}{}{bottom}", level.repeat(levels));
            let parsed = read(text.as_bytes());
            assert!(
                parsed.is_err() || parsed.is_ok_and(|(summary, _)| summary.truncated),
                "{open}"
            );
            let text = format!("{text}{}", text_of_ends(&text));
            match read(text.as_bytes()) {
                Ok((summary, cases)) if levels == 10 => {
                    assert!(!summary.truncated && cases.len() == 1, "{open}");
                }
                Ok((summary, _)) => assert!(!summary.truncated, "{open}"),
                Err(error) => panic!("{open}: {error}"),
            }
        }
    }
}

/// The brackets that close what is open.
fn text_of_ends(text: &str) -> String {
    let mut open = Vec::new();
    for byte in text.bytes() {
        match byte {
            b'{' => open.push('}'),
            b'[' => open.push(']'),
            b'}' | b']' => {
                open.pop();
            }
            _ => {}
        }
    }
    open.into_iter().rev().collect()
}

/// What stands where something else was expected.
fn intruder(kind: u8) -> Value {
    match kind % 10 {
        0 => Value::Null,
        1 => json!(true),
        2 => json!(-1),
        3 => json!(1e300),
        4 => json!(""),
        5 => json!("\u{1b}[31mred\u{0}\u{FFFF}"),
        6 => json!([]),
        7 => json!({}),
        8 => json!([[{"a": [1]}], "b", null]),
        _ => {
            json!({"name": 1, "title": [], "status": {}, "results": 7, "steps": "x", "message": [1]})
        }
    }
}

/// Replaces the value at `at`, counted through the document.
fn replace(value: &mut Value, at: &mut usize, with: &Value) {
    if *at == 0 {
        *value = with.clone();
        *at = usize::MAX;
        return;
    }
    *at -= 1;
    let children: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(members) => members.iter_mut().map(|(_, member)| member).collect(),
        _ => return,
    };
    for child in children {
        if *at == usize::MAX {
            return;
        }
        replace(child, at, with);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn wrong_types_are_survived(folder in 0..FOLDERS.len(), file in any::<usize>(), changes in proptest::collection::vec((0usize..600, any::<u8>()), 1..6)) {
        let mut small: Vec<_> = reports_of(FOLDERS[folder])
            .into_iter()
            .filter(|path| fs::metadata(path).is_ok_and(|data| data.len() < 25_000))
            .collect();
        let path = small.swap_remove(file % small.len());
        let mut value: Value = serde_json::from_slice(&fs::read(&path).expect("fixture is there")).expect("fixture is JSON");
        for (at, kind) in changes {
            replace(&mut value, &mut (at + 1), &intruder(kind));
        }
        let text = value.to_string().replace("\\u001b", "\\ud83d");
        if let Ok((summary, cases)) = read(text.as_bytes()) {
            prop_assert_eq!(summary.counts.total, cases.len() as u64);
            prop_assert!(!summary.truncated);
            prop_assert!(cases.iter().all(|case| !case.name.trim().is_empty() && case.attempt > 0));
        }
    }

    #[test]
    fn parts_in_any_order_are_survived(head in prop_oneof![
        Just(r#"{"numTotalTests":1,"numFailedTests":0,"testResults":["#), Just(r#"{"config":{"rootDir":"","projects":[]},"suites":["#),
        Just(r#"{"stats":{"tests":1,"passes":1},"results":["#), Just(r#"{"stats":{"tests":1,"passes":1},"tests":["#), Just(r#"[{"keyword":"Feature","uri":"a","name":"a","elements":["#),
    ], parts in proptest::collection::vec(prop_oneof![
        Just("{"), Just("}"), Just("["), Just("]"), Just(","), Just("\"title\":\"a\","), Just("\"name\":\"b\","), Just("\"status\":\"failed\","),
        Just("\"assertionResults\":["), Just("\"specs\":["), Just("\"tests\":["), Just("\"results\":["), Just("\"suites\":["), Just("\"steps\":["),
        Just("\"result\":{\"status\":\"passed\"}"), Just("\"err\":{\"message\":\"m\"}"), Just("null"), Just("1"), Just("\"x\""), Just("\"\\ud83d\""),
    ], 0..30)) {
        let text = format!("{head}{}", parts.concat());
        if let Ok((summary, cases)) = read(text.as_bytes()) {
            prop_assert_eq!(summary.counts.total, cases.len() as u64);
        }
    }
}
