//! What is written can be read again, and says the same.

use super::{TargetFormat, write_report};
use crate::reports::digest::{Digest, Reading, Test};
use crate::reports::parse::{
    Counts, Format, Outcome as Parsed, ParsedCase, Repeat, RetryAttempt, Sink, Summary, Text,
};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use testhide_protocol::Timestamp;
use testhide_protocol::api::Outcome;

const ALL: [TargetFormat; 3] = [
    TargetFormat::Ctrf,
    TargetFormat::Junit,
    TargetFormat::Testhide,
];

fn digest_of(cases: Vec<ParsedCase>) -> Digest {
    let mut reading = Reading::new();
    reading
        .read_with("made", |_, sink: &mut dyn Sink| {
            let mut counts = Counts::default();
            for case in cases {
                counts.add(case.outcome);
                sink.case(case).expect("the sink takes it");
            }
            Ok(Summary {
                format: Format::Junit,
                reporter: None,
                reporter_version: None,
                properties: Vec::new(),
                declared: None,
                counts,
                started_at: None,
                finished_at: None,
                warnings: Vec::new(),
                warnings_total: 0,
                repaired: 0,
                truncated: false,
            })
        })
        .unwrap();
    reading.finish().unwrap()
}

fn written(digest: &Digest, format: TargetFormat) -> String {
    written_with_losses(digest, format).0
}

fn written_with_losses(digest: &Digest, format: TargetFormat) -> (String, String) {
    let mut bytes = Vec::new();
    let losses = write_report(digest, format, Timestamp(0), &mut bytes).unwrap();
    (String::from_utf8(bytes).unwrap(), losses.to_string())
}

fn read_again(text: &str, format: TargetFormat) -> Digest {
    let mut reading = Reading::new();
    reading
        .read("again", text.as_bytes())
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    let digest = reading.finish().unwrap();
    let file = &digest.files[0];
    assert_eq!(file.format.as_str(), format.as_str(), "{text}");
    assert_eq!(file.warnings_total, 0, "{:?}\n{text}", file.warnings);
    assert!(!file.truncated);
    digest
}

/// What has to stay: id, outcome, attempts, duration, and what each attempt says.
type Said = (
    String,
    Outcome,
    u32,
    Option<u64>,
    Vec<(Outcome, String, String)>,
);

fn said(digest: &Digest, format: TargetFormat) -> Vec<Said> {
    let mut all: Vec<Said> = digest
        .tests
        .iter()
        .map(|test| {
            let told = digest.told(test).unwrap();
            let attempts: Vec<_> = told
                .earlier
                .iter()
                .chain([&told.last])
                .map(|attempt| {
                    let text = |text: &Option<String>| text.clone().unwrap_or_default();
                    let outcome = as_written(attempt.outcome(), format);
                    let (message, trace) = (text(&attempt.said.message), text(&attempt.said.trace));
                    // A skip that only repeats its reason has no trace to whoever reads it.
                    let repeats = outcome == Outcome::Skipped && trace.trim() == message.trim();
                    let trace = if repeats { String::new() } else { trace };
                    (outcome, message, trace)
                })
                .collect();
            // JUnit names a test that failed again by its first failure.
            let outcome = match (format, test.outcome.is_failure() && attempts.len() > 1) {
                (TargetFormat::Junit | TargetFormat::Testhide, true) => Outcome::Failed,
                _ => as_written(test.outcome, format),
            };
            let id = format!("{} {:?}", test.display, test.id.bytes());
            (id, outcome, test.attempts, test.duration_ms, attempts)
        })
        .collect();
    all.sort();
    all
}

/// JUnit has no word for known issues.
fn as_written(outcome: Outcome, format: TargetFormat) -> Outcome {
    match (format, outcome) {
        (TargetFormat::Junit, Outcome::KnownIssue) => Outcome::Skipped,
        _ => outcome,
    }
}

fn text(value: String) -> Option<Text> {
    (!value.is_empty()).then_some(Text {
        bytes: value.len() as u64,
        cut: 0,
        value,
    })
}

fn words() -> impl Strategy<Value = String> {
    "[a-zäß0-9<>&\"'漢🎈]([a-zäß0-9<>&\"'漢🎈 ]{0,12}[a-zäß0-9<>&\"'漢🎈;])?"
}

fn trace() -> impl Strategy<Value = String> {
    "[a-z]([a-z<>&\"'\\]\\[\n\t ]{0,40}[a-z])?"
}

prop_compose! {
    fn case()(
        outcome in prop_oneof![
            Just(Parsed::Passed), Just(Parsed::Failed), Just(Parsed::Error),
            Just(Parsed::Skipped), Just(Parsed::KnownIssue), Just(Parsed::NotRun)
        ],
        suite in "[a-c]( > [a-c])?",
        classname in "[a-z.]{0,6}",
        name in words(),
        nodeid in proptest::option::of("[a-z/]{1,6}\\.py"),
        file in proptest::option::of("[a-z]{1,4}/[a-z]{1,4}\\.(js|py|cs)"),
        browser in proptest::option::of("[a-z]{3,6}"),
        message in words(),
        trace in trace(),
        stdout in proptest::option::of(trace()),
        duration_ms in 0_u64..100_000,
        before in proptest::collection::vec((any::<bool>(), words(), trace()), 0..3),
    ) -> ParsedCase {
        let fails = matches!(outcome, Parsed::Failed | Parsed::Error | Parsed::KnownIssue);
        let retries: Vec<RetryAttempt> = (1..).zip(before).map(|(attempt, (error, message, trace))| RetryAttempt {
            attempt,
            outcome: if error { Parsed::Error } else { Parsed::Failed },
            message: Some(message),
            trace: text(trace),
            ..RetryAttempt::default()
        }).collect();
        ParsedCase {
            suite: suite.into(),
            classname,
            nodeid: nodeid.map(|file| format!("{file}::{name}")),
            name,
            file,
            outcome,
            message: (fails || outcome == Parsed::Skipped).then_some(message),
            trace: if fails { text(trace) } else { None },
            stdout: stdout.and_then(text),
            duration_ms: Some(duration_ms),
            attempt: u32::try_from(retries.len()).unwrap() + 1,
            retries,
            repeat: Repeat::Row,
            properties: browser.map(|browser| ("browser".to_owned(), browser)).into_iter().collect(),
            ..ParsedCase::default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_written_says_the_same(cases in proptest::collection::vec(case(), 1..8)) {
        // One case a test: what several rows of one test come to is another matter.
        let mut seen = std::collections::HashSet::new();
        let cases: Vec<_> = cases.into_iter().filter(|case| {
            seen.insert(case.name.clone())
        }).collect();
        let digest = digest_of(cases);
        for format in ALL {
            let text = written(&digest, format);
            let again = read_again(&text, format);
            prop_assert_eq!(said(&again, format), said(&digest, format), "{}\n{}", format.as_str(), text);
            // Written once more it is the same, to the letter.
            prop_assert_eq!(written(&again, format).replace("\"made\"", ""), written(&read_again(&written(&again, format), format), format));
        }
    }

    #[test]
    fn no_text_breaks_a_document(message in "(\\PC|\\p{Cc}){0,30}", name in "(\\PC|\\p{Cc}){1,20}") {
        let case = ParsedCase {
            name,
            outcome: Parsed::Failed,
            message: Some(message.clone()),
            trace: text(message),
            ..ParsedCase::default()
        };
        let digest = digest_of(vec![case]);
        for format in ALL {
            let again = read_again_whatever_was_repaired(&written(&digest, format));
            prop_assert_eq!(again.tests.len(), 1);
            prop_assert_eq!(again.tests[0].outcome, Outcome::Failed);
        }
    }
}

fn read_again_whatever_was_repaired(text: &str) -> Digest {
    let mut reading = Reading::new();
    reading.read("again", text.as_bytes()).unwrap();
    reading.finish().unwrap()
}

fn fixtures(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            fixtures(&path, found);
        } else if path.to_string_lossy().ends_with(".expected.json") {
            let name = path.to_string_lossy().replace(".expected.json", "");
            let report = ["xml", "json", "jsonl", "ndjson", "trx", "tap", "txt"]
                .into_iter()
                .map(|kind| PathBuf::from(format!("{name}.{kind}")))
                .find(|path| path.is_file());
            found.extend(report);
        }
    }
}

#[test]
fn real_reports_keep_their_tests_in_every_format() {
    let mut reports = Vec::new();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/reports");
    fixtures(Path::new(folder), &mut reports);
    assert!(reports.len() >= 12);
    for report in reports {
        let bytes = std::fs::read(&report).unwrap();
        let mut reading = Reading::new();
        reading.read("report", &bytes[..]).unwrap();
        let digest = reading.finish().unwrap();
        for format in ALL {
            let what = format!("{} as {}", report.display(), format.as_str());
            let (text, losses) = written_with_losses(&digest, format);
            let again = read_again_whatever_was_repaired(&text);
            // JUnit has no place for a repeated attempt that did not fail.
            let whole = !losses.contains("earlier attempts");
            // Nor for known issues: beside a row that passed, such a row says nothing.
            let is_known =
                |test: &&Test| format == TargetFormat::Junit && test.outcome == Outcome::KnownIssue;
            let known: Vec<_> = digest
                .tests
                .iter()
                .filter(is_known)
                .map(|test| test.id)
                .collect();
            let facts = |digest: &Digest| {
                let mut all: Vec<_> = digest
                    .tests
                    .iter()
                    .filter(|test| !known.contains(&test.id))
                    .map(|test| {
                        let outcome = test.outcome;
                        let attempts = whole.then_some((test.attempts, test.flaky));
                        (test.id.bytes(), outcome, attempts)
                    })
                    .collect();
                all.sort();
                all
            };
            assert_eq!(facts(&again), facts(&digest), "{what}");
        }
    }
}

#[test]
fn attempts_that_are_only_claimed_take_no_room() {
    let test = |retries: &str| {
        format!(
            r#"{{"reportFormat":"CTRF","specVersion":"0.0.0","results":{{"tool":{{"name":"x"}},"tests":[
            {{"name":"t","status":"failed","duration":1,"message":"{}",{retries}}}]}}}}"#,
            retries.len()
        )
    };
    let mut reading = Reading::merging();
    for retries in [
        r#""retries":3000000000"#,
        r#""retryAttempts":[{"attempt":4294967295,"status":"failed"}],"retries":4294967295"#,
        r#""retries":1"#,
    ] {
        reading.read("hostile", test(retries).as_bytes()).unwrap();
    }
    let digest = reading.finish().unwrap();
    assert_eq!(digest.tests[0].attempts, 2_002);
    let warnings = &digest.files[0].warnings;
    assert!(
        warnings
            .iter()
            .any(|warning| warning.code == "too_many_attempts")
    );
    for format in ALL {
        let (text, losses) = written_with_losses(&digest, format);
        assert!(text.len() < 20_000, "{} bytes", text.len());
        assert_eq!(
            losses.contains("only the number"),
            format != TargetFormat::Ctrf,
            "{losses}"
        );
    }
}

#[test]
fn a_failed_row_is_never_taken_back_by_its_neighbour() {
    // Testhide's readers take rows of a spec file for attempts, of which the last counts.
    let row = |outcome: Parsed| ParsedCase {
        classname: "cart.spec.ts".to_owned(),
        name: "adds".to_owned(),
        file: Some("cart.spec.ts".to_owned()),
        outcome,
        message: (outcome == Parsed::Failed).then(|| "no".to_owned()),
        repeat: Repeat::Row,
        report_line: 1,
        attempt: 1,
        ..ParsedCase::default()
    };
    for order in [
        [Parsed::Failed, Parsed::Passed],
        [Parsed::Passed, Parsed::Failed],
    ] {
        let digest = digest_of(order.map(row).to_vec());
        assert_eq!(digest.tests[0].outcome, Outcome::Failed);
        for format in ALL {
            let (text, _) = written_with_losses(&digest, format);
            let again = read_again(&text, format);
            let outcomes: Vec<_> = again
                .tests
                .iter()
                .map(|test| (test.outcome, test.flaky))
                .collect();
            assert_eq!(outcomes, [(Outcome::Failed, false)], "{text}");
        }
    }
}
