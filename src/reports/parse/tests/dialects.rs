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

mod robot {
    use super::Collected;
    use crate::reports::parse::{
        Format, Limits, Outcome, ParsedCase, Sink, Stop, SuiteInfo, Summary, parse, parse_as,
    };

    fn read(text: &str) -> (Summary, Collected) {
        let mut collected = Collected::default();
        let summary = parse(text.as_bytes(), &Limits::default(), &mut collected)
            .unwrap_or_else(|error| panic!("{error}: {text}"));
        (summary, collected)
    }

    #[test]
    fn a_teardown_after_too_many_tests_is_told() {
        let test = "<test name='t'><kw name='k'><msg level='INFO'>";
        let end = "</msg><status status='PASS'/></kw><status status='PASS'/></test>";
        let tests = [test, &"x".repeat(300 << 10), end].concat().repeat(40);
        let teardown =
            "<kw name='Close' type='TEARDOWN'><status status='FAIL'>cannot close</status></kw>";
        let (summary, collected) = read(&format!(
            "<robot generator='Robot 7.3'><suite name='S'>{tests}{teardown}</suite></robot>"
        ));
        let cases = &collected.cases;
        let last = cases.last().expect("there are rows");
        assert_eq!(cases.len(), 41);
        assert_eq!(cases[0].outcome, Outcome::Passed);
        assert_eq!(
            (last.name.as_str(), last.outcome, last.message.as_deref()),
            (
                "(suite teardown)",
                Outcome::Failed,
                Some("Parent suite teardown failed:\ncannot close")
            )
        );
        assert!(
            summary
                .warnings
                .iter()
                .any(|warning| warning.code == "late_teardown")
        );
    }

    #[test]
    fn suites_are_told_after_their_tests() {
        #[derive(Default)]
        struct Order(Vec<String>);
        impl Sink for Order {
            fn suite(&mut self, suite: SuiteInfo) {
                self.0.push(suite.name.to_string());
            }

            fn case(&mut self, case: ParsedCase) -> Result<(), Stop> {
                self.0.push(case.name);
                Ok(())
            }
        }
        let test = |name: &str| format!("<test name='{name}'><status status='PASS'/></test>");
        let text = format!(
            "<robot><suite name='S'><suite name='A'>{}</suite>{}</suite></robot>",
            test("a"),
            test("b")
        );
        let mut order = Order::default();
        parse(text.as_bytes(), &Limits::default(), &mut order).expect("is a report");
        assert_eq!(order.0, ["a", "S > A", "b", "S"]);
    }

    #[test]
    fn layouts_of_version_3() {
        let (summary, collected) = read(
            "<robot generator='Robot 3.1.2 (Python 3.7)'><suite name='S' source='/ci/s.robot'>\
             <test name='a'><kw name='Log'><arguments><arg>x</arg></arguments>\
             <kw name='Fail'><msg level='FAIL'>no</msg><status status='FAIL'/></kw><status status='FAIL'/></kw>\
             <doc>d</doc><tags><tag>t</tag></tags>\
             <status status='FAIL' critical='yes' starttime='20261121 08:14:14.000' endtime='20261121 08:14:14.250'>no</status></test>\
             <doc>of suite</doc><metadata><item name='Build'>42</item></metadata><status status='FAIL'/></suite>\
             <statistics><total><stat pass='0' fail='1'>Critical Tests</stat><stat pass='0' fail='1'>All Tests</stat></total>\
             <suite><stat pass='0' fail='1'>S</stat></suite></statistics></robot>",
        );
        let case = &collected.cases[0];
        assert_eq!(
            (case.duration_ms, case.docstring.as_deref()),
            (Some(250), Some("d"))
        );
        assert_eq!(case.properties, [("tag".to_owned(), "t".to_owned())]);
        assert_eq!(
            case.trace.as_ref().map(|trace| trace.value.as_str()),
            Some("Log    x\n    Fail\n        FAIL  no")
        );
        let suite = &collected.suites[0];
        assert_eq!(suite.properties.len(), 2);
        assert_eq!(summary.declared.map(|counts| counts.total), Some(1));
    }

    #[test]
    fn odd_documents() {
        let check = |inner: &str, total: u64| {
            let (summary, _) = read(&format!("<robot><suite name='S'>{inner}</suite></robot>"));
            assert_eq!(summary.counts.total, total, "{inner}");
        };
        check("", 0);
        check("<test name='a'></test>", 0);
        check("<test name='a'><status status='ODD'/></test>", 0);
        check("<test><status status='PASS'/></test>", 1);
        check(
            "<test name='a'><test name='b'><status status='PASS'/></test><status status='PASS'/></test>",
            1,
        );
        check(
            "<kw><suite><test name='a'><status status='PASS'/></test></suite></kw>",
            0,
        );
        let read_as = |text: &str| {
            let mut collected = Collected::default();
            parse_as(
                Format::Robot,
                text.as_bytes(),
                &Limits::default(),
                &mut collected,
            )
        };
        assert_eq!(
            read_as("<testsuite/>").map_err(|error| error.code()).err(),
            Some("report_not_recognised")
        );
        assert!(read_as("<x><robot><suite/></robot></x>").is_ok());
    }
}
