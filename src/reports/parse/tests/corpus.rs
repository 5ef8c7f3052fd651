//! The parser against real reports with known answers, in `tests/fixtures/reports`.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::reports::parse::{
    Attempts, Limits, Outcome, ParsedCase, Sink, Stop, SuiteInfo, Summary, parse,
};

#[derive(Default)]
pub(super) struct Collected {
    pub(super) suites: Vec<SuiteInfo>,
    pub(super) cases: Vec<ParsedCase>,
}

impl Sink for Collected {
    fn suite(&mut self, suite: SuiteInfo) {
        self.suites.push(suite);
    }

    fn case(&mut self, case: ParsedCase) -> Result<(), Stop> {
        self.cases.push(case);
        Ok(())
    }
}

fn fixtures() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/reports"
    ))
}

fn load(report: &Path) -> (Summary, Collected, Value) {
    let mut collected = Collected::default();
    let bytes = fs::read(report).expect("fixture is there");
    let summary =
        parse(&bytes[..], &Limits::default(), &mut collected).expect("fixture is a report");
    let expected = fs::read(report.with_extension("expected.json")).expect("expectation is there");
    (
        summary,
        collected,
        serde_json::from_slice(&expected).expect("expectation is JSON"),
    )
}

fn reports(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .expect("fixtures are there")
        .map(|entry| entry.expect("folder is readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "xml"))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

#[test]
fn reports_of_the_official_reporters() {
    for report in reports(&fixtures()) {
        let (summary, collected, expected) = load(&report);
        let name = report
            .file_stem()
            .expect("has a name")
            .to_string_lossy()
            .into_owned();
        assert_eq!(summary.format.as_str(), "testhide", "{name}");
        assert!(!summary.truncated, "{name}");
        assert_eq!(
            summary.repaired == 0,
            expected["strict_xml"] == true,
            "{name}: {:?}",
            summary.warnings
        );

        let counts = summary.counts;
        let found = serde_json::json!({
            "passed": counts.passed, "failed": counts.failed, "error": counts.error, "skipped": counts.skipped,
            "known_issue": counts.known_issue, "total": counts.total,
        });
        assert_eq!(found, expected["counts"], "{name}");
        let declared = summary.declared.expect("official reporters declare counts");
        let found = serde_json::json!({"tests": declared.total, "failures": declared.failed, "errors": declared.error, "skipped": declared.skipped});
        assert_eq!(found, expected["declared"], "{name}");

        // Every `null` among the expectations is an id that depends on the host: present, but not foretold.
        let foretold: Vec<&str> = expected["fail_ids"]
            .as_array()
            .expect("a list")
            .iter()
            .filter_map(Value::as_str)
            .collect();
        let unforetold = expected["tests"]
            .as_array()
            .expect("a list")
            .iter()
            .filter(|test| test["fail_id"].is_null())
            .count();
        let mut found: Vec<&str> = collected
            .cases
            .iter()
            .filter_map(|case| case.fail_id.as_deref())
            .collect();
        found.sort_unstable();
        found.dedup();
        assert!(foretold.iter().all(|id| found.contains(id)), "{name}");
        assert!(found.len() <= foretold.len() + unforetold, "{name}");

        check_suite(&name, &collected, &expected);
        check_tests(&name, collected.cases, &expected);
    }
}

fn check_suite(name: &str, collected: &Collected, expected: &Value) {
    let suite = &collected.suites[0];
    let wanted = &expected["suite"];
    assert_eq!(&*suite.name, text(wanted, "name"), "{name}");
    assert!(
        suite.timestamp.is_some()
            && suite.timestamp_is_end
            && suite.started_at() <= suite.timestamp,
        "{name}"
    );
    let own = ["testhide_schema_version", "ip_address", "hostname"];
    let found: Vec<_> = suite
        .properties
        .iter()
        .filter(|(key, _)| !own.contains(&key.as_str()))
        .map(|(key, value)| serde_json::json!([key, value]))
        .collect();
    assert_eq!(Value::Array(found), wanted["properties"], "{name}");
}

fn check_tests(name: &str, mut cases: Vec<ParsedCase>, expected: &Value) {
    for wanted in expected["tests"].as_array().expect("a list") {
        for _ in 0..wanted["times"].as_u64().unwrap_or(1) {
            let what = format!("{name}: {wanted}");
            let matches = |case: &ParsedCase| {
                case.classname == text(wanted, "classname")
                    && case.name == text(wanted, "name")
                    && case.outcome.as_str() == text(wanted, "outcome")
                    && (wanted["fail_id"].is_null()
                        == case
                            .fail_id
                            .as_deref()
                            .is_some_and(|id| id != text(wanted, "fail_id")))
                    && (wanted["fail_id"].is_null()
                        || case.fail_id.as_deref().unwrap_or("") == text(wanted, "fail_id"))
                    && wanted["message"]
                        .as_str()
                        .is_none_or(|message| case.message.as_deref().unwrap_or("") == message)
            };
            let at = cases
                .iter()
                .position(matches)
                .unwrap_or_else(|| panic!("no row for {what}"));
            let case = cases.remove(at);
            assert_eq!(
                case.resolution.as_deref(),
                wanted["resolution"].as_str(),
                "{what}"
            );
            if let Some(file) = wanted["file"].as_str() {
                assert_eq!(case.file.as_deref().unwrap_or(""), file, "{what}");
            }
            if let Some(line) = wanted["line"].as_str() {
                assert_eq!(
                    case.line.map(|line| line.to_string()).unwrap_or_default(),
                    line,
                    "{what}"
                );
            }
            if let Some(nodeid) = wanted["nodeid"].as_str() {
                assert_eq!(case.nodeid.as_deref(), Some(nodeid), "{what}");
            }
            if let Some(docstring) = wanted["docstr"].as_str() {
                assert_eq!(case.docstring.as_deref(), Some(docstring), "{what}");
            }
            if let Some(attachments) = wanted["attachments"].as_array() {
                assert_eq!(&case.attachments, attachments, "{what}");
            }
            if wanted["jira"].is_array() {
                let tickets: Vec<_> = [&wanted["jira"], &wanted["issue"]]
                    .into_iter()
                    .filter_map(Value::as_array)
                    .flatten()
                    .collect();
                assert_eq!(case.tickets.iter().collect::<Vec<_>>(), tickets, "{what}");
            }
            if let Some(output) = wanted["system_out"].as_str() {
                assert_eq!(
                    case.stdout.as_ref().map(|text| text.value.as_str()),
                    Some(output),
                    "{what}"
                );
            }
            if let Some(bytes) = wanted["system_out_bytes"].as_u64() {
                let output = case.stdout.as_ref().expect("has output");
                assert_eq!(output.bytes, bytes, "{what}");
                assert!(output.cut > 0 && output.value.len() < 513 << 10, "{what}");
            }
        }
    }
    assert!(cases.is_empty(), "{name}: rows too many: {cases:?}");
}

#[test]
fn attempts_of_the_official_reporters() {
    let verdicts = |name: &str| {
        let (_, collected, expected) = load(&fixtures().join(name));
        let mut attempts = Attempts::new();
        let placed: Vec<_> = collected
            .cases
            .iter()
            .map(|case| (case.name.clone(), attempts.place(&case.key())))
            .collect();
        assert!(placed.iter().all(|(_, place)| !place.copy), "{name}");
        let verdicts = attempts.finish();
        let by_name: HashMap<_, _> = placed
            .into_iter()
            .map(|(case, place)| (case, verdicts[place.test as usize]))
            .collect();
        (verdicts, by_name, expected)
    };

    let (all, by_name, expected) = verdicts("playwright-all.xml");
    assert_eq!(
        all.len() as u64,
        expected["unique_tests"].as_u64().expect("is given")
    );
    let flaky = by_name["passes on third attempt"];
    assert_eq!(
        (flaky.outcome, flaky.attempts, flaky.flaky),
        (Outcome::Passed, 3, true)
    );
    let failing = by_name["always fails"];
    assert_eq!(
        (failing.outcome, failing.attempts, failing.flaky),
        (Outcome::Failed, 3, false)
    );
    assert_eq!(all.iter().filter(|verdict| verdict.flaky).count(), 1);

    let (all, by_name, _) = verdicts("dotnet-all.xml");
    assert!(
        all.iter()
            .all(|verdict| verdict.attempts == 1 && !verdict.flaky)
    );
    assert_eq!(
        (by_name["Add_Theory"].outcome, by_name["Add_Theory"].rows),
        (Outcome::Failed, 2)
    );

    let (all, by_name, _) = verdicts("unittest-all.xml");
    assert_eq!(all.len(), 31);
    let twice = by_name["test_b_fail_then_teardown"];
    assert_eq!(
        (twice.outcome, twice.attempts, twice.rows),
        (Outcome::Error, 1, 2)
    );
}

#[test]
fn native_reports() {
    for report in reports(&fixtures().join("native")) {
        let (summary, collected, expected) = load(&report);
        let name = report.display().to_string();
        assert_eq!(summary.format.as_str(), "junit", "{name}");
        assert_eq!(
            Some(summary.counts.total),
            expected["testcase_elements"].as_u64(),
            "{name}"
        );
        let mut attempts = Attempts::new();
        let placed: Vec<_> = collected
            .cases
            .iter()
            .map(|case| (case.name.clone(), attempts.place(&case.key()).test))
            .collect();
        let verdicts = attempts.finish();
        assert_eq!(
            Some(verdicts.len() as u64),
            expected["unique_tests"].as_u64(),
            "{name}"
        );
        for (key, count) in expected["counts_unique"].as_object().expect("an object") {
            let found = verdicts
                .iter()
                .filter(|verdict| verdict.outcome.as_str() == key)
                .count() as u64;
            assert_eq!(Some(found), count.as_u64(), "{name}: {key}");
        }
        for (case, outcome) in expected["outcomes"].as_object().expect("an object") {
            let (_, test) = placed
                .iter()
                .find(|(found, _)| found == case)
                .unwrap_or_else(|| panic!("{name}: {case}"));
            assert_eq!(
                Some(verdicts[*test as usize].outcome.as_str()),
                outcome.as_str(),
                "{name}: {case}"
            );
        }
    }
}

#[test]
fn every_cut_of_every_report_is_survived() {
    for report in reports(&fixtures()) {
        let bytes = fs::read(&report).expect("fixture is there");
        let head = &bytes[..bytes.len().min(40_000)];
        for end in (0..head.len()).step_by(389) {
            let mut collected = Collected::default();
            match parse(&head[..end], &Limits::default(), &mut collected) {
                Ok(summary) => {
                    assert!(
                        summary.truncated && summary.counts.total > 0,
                        "{} cut at {end}",
                        report.display()
                    );
                    assert_eq!(summary.counts.total, collected.cases.len() as u64);
                }
                Err(error) => assert!(
                    collected.cases.is_empty(),
                    "{} cut at {end}: {error}",
                    report.display()
                ),
            }
        }
    }
}
