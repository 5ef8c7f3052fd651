//! One file and many, told as one run.

use super::{Digest, Reading, digest_json};
use testhide_protocol::api::{FindingKind, Outcome};

fn read(files: &[&str]) -> Digest {
    let mut reading = Reading::merging();
    for (number, file) in files.iter().enumerate() {
        reading
            .read(&format!("{number}.xml"), file.as_bytes())
            .unwrap();
    }
    reading.finish().unwrap()
}

fn suite(name: &str, cases: &str) -> String {
    format!("<testsuites><testsuite name=\"{name}\">{cases}</testsuite></testsuites>")
}

const PASS: &str = "<testcase classname=\"C\" name=\"t\" time=\"0.2\"/>";
const FAIL: &str = "<testcase classname=\"C\" name=\"t\" time=\"0.1\"><failure type=\"E\" message=\"no\">at x</failure></testcase>";

/// Outcome, attempts, flaky, rows of the only test.
fn check(files: &[&str], expected: (Outcome, u32, bool, usize)) {
    let digest = read(files);
    assert_eq!(digest.tests.len(), 1, "{files:?}");
    let test = &digest.tests[0];
    assert_eq!(
        (test.outcome, test.attempts, test.flaky, digest.places.len()),
        expected,
        "{files:?}"
    );
}

#[test]
fn a_later_file_is_a_later_attempt_and_equal_rows_are_one() {
    let (fail, pass) = (suite("s", FAIL), suite("s", PASS));
    check(&[&fail], (Outcome::Failed, 1, false, 1));
    check(&[&fail, &pass], (Outcome::Passed, 2, true, 2));
    check(&[&pass, &fail], (Outcome::Failed, 2, false, 2));
    check(&[&fail, &fail], (Outcome::Failed, 1, false, 1));
    check(&[&fail, &pass, &fail, &pass], (Outcome::Passed, 2, true, 2));
    // The suite of a rerun may have another name; whose rerun it is is clear while there is one such test.
    check(
        &[&fail, &suite("rerun", PASS)],
        (Outcome::Passed, 2, true, 2),
    );
    let twice = format!("{}{}", suite("a", FAIL), "");
    let both = read(&[
        &twice.replace(
            "</testsuites>",
            "<testsuite name=\"b\"><testcase classname=\"C\" name=\"t\"/></testsuite></testsuites>",
        ),
        &suite("b", FAIL),
    ]);
    let found: Vec<_> = both
        .tests
        .iter()
        .map(|test| (&*test.suite, test.outcome, test.attempts))
        .collect();
    assert_eq!(
        found,
        [("a", Outcome::Failed, 1), ("b", Outcome::Failed, 2)]
    );
}

#[test]
fn attempts_inside_rows_and_rows_of_their_own_are_one_list() {
    let flaky = suite(
        "s",
        "<testcase classname=\"C\" name=\"t\" time=\"1\"><flakyFailure message=\"one\" type=\"E\">at a</flakyFailure>\
         <flakyError message=\"two\" type=\"F\">at b</flakyError></testcase>",
    );
    let digest = read(&[&suite("s", FAIL), &flaky]);
    let test = &digest.tests[0];
    assert_eq!(
        (test.attempts, test.flaky, test.outcome),
        (4, true, Outcome::Passed)
    );
    let told = digest.told(test).unwrap();
    let earlier: Vec<_> = told
        .earlier
        .iter()
        .map(|attempt| {
            (
                attempt.said.attempt,
                attempt.outcome(),
                attempt.said.message.as_deref().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        earlier,
        [
            (1, Outcome::Failed, "no"),
            (2, Outcome::Failed, "one"),
            (3, Outcome::Error, "two")
        ]
    );
    assert_eq!(
        (told.last.said.attempt, told.last.outcome()),
        (4, Outcome::Passed)
    );
    assert!(told.siblings.is_empty() && told.row.retries.is_empty());
}

#[test]
fn files_that_are_not_merged_stay_apart() {
    let mut reading = Reading::new();
    for name in ["a.xml", "b.xml"] {
        reading.read(name, suite("s", FAIL).as_bytes()).unwrap();
    }
    let digest = reading.finish().unwrap();
    assert_eq!((digest.tests.len(), digest.places.len()), (2, 2));
    assert_eq!(digest.tests[0].id, digest.tests[1].id);
    let json = serde_json::to_value(digest_json(&digest)).unwrap();
    assert_eq!(json["counts"]["failed"], 2);
    assert_eq!(json["tests"][1]["report"], "b.xml");
    assert_eq!(json["reports"][1]["tests"].as_array().unwrap().len(), 1);
    assert_eq!(json["reports"][1]["reports"].as_array().unwrap().len(), 0);
    assert_eq!(json["file"], serde_json::Value::Null);
    assert_eq!(json["format"], "junit");
}

#[test]
fn hidden_retries_are_told() {
    let native = suite("pytest", &format!("{PASS}{PASS}{FAIL}"));
    let native = native.replace("<testsuites>", "<testsuites name=\"pytest tests\">");
    let digest = read(&[&native]);
    let test = &digest.tests[0];
    assert_eq!((test.attempts, test.outcome), (3, Outcome::Failed));
    assert_eq!(digest.files[0].findings[0].kind, FindingKind::HiddenRetry);
    let told = digest.told(test).unwrap();
    let outcomes: Vec<_> = told
        .earlier
        .iter()
        .map(|attempt| attempt.outcome())
        .collect();
    assert_eq!(outcomes, [Outcome::Failed, Outcome::Failed]);
    assert_eq!(digest.counts.passed, 2, "counts are as the file has them");
}

#[test]
fn failures_that_are_alike_are_one_group() {
    let case = |name: &str, message: &str| {
        format!(
            "<testcase classname=\"C\" name=\"{name}\"><failure type=\"E\" message=\"{message}\"/></testcase>"
        )
    };
    let digest = read(&[&suite(
        "s",
        &[
            case("a", "lost connection to 10.0.0.1:5432 after 31 ms"),
            case("b", "something else"),
            case("c", "lost connection to 10.0.0.2:6000 after 7 ms"),
        ]
        .concat(),
    )]);
    let groups: Vec<Vec<u32>> = digest
        .failure_groups()
        .into_iter()
        .map(|group| group.tests)
        .collect();
    assert_eq!(groups, [vec![0, 2], vec![1]]);
}

#[test]
fn theory_rows_stay_beside_the_one_that_decides() {
    let digest = read(&[&suite("s", &format!("{PASS}{FAIL}{PASS}"))]);
    let test = &digest.tests[0];
    assert_eq!((test.attempts, test.outcome), (1, Outcome::Failed));
    assert_eq!(test.duration_ms, Some(500));
    let told = digest.told(test).unwrap();
    assert_eq!(told.row.outcome, Outcome::Failed);
    assert_eq!(
        told.siblings
            .iter()
            .map(|row| row.outcome)
            .collect::<Vec<_>>(),
        [Outcome::Passed; 2]
    );
}
