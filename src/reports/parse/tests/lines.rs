//! Formats that are read line by line, and Allure's archives: real files with known answers, and hostile ones.

use std::fs;
use std::io::{BufReader, Cursor, Read, Seek, Write};
use std::path::PathBuf;

use proptest::prelude::*;
use serde_json::Value;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::corpus::Collected;
use super::hostile::codes;
use crate::reports::parse::{
    Attempts, Format, Limits, Outcome, ParseError, ParsedCase, Repeat, Summary, parse,
    parse_archive, parse_as, parse_seekable,
};

const FOLDERS: [&str; 4] = ["go_test", "libtest", "tap", "allure"];

/// Every real file, with what is expected of it.
fn fixtures() -> Vec<(PathBuf, Value)> {
    let root = PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/fixtures/reports"
    ));
    let mut found = Vec::new();
    for folder in FOLDERS {
        for entry in fs::read_dir(root.join(folder)).expect("fixtures are there") {
            let path = entry.expect("folder is readable").path();
            if path.to_string_lossy().ends_with(".expected.json") {
                continue;
            }
            let expected = fs::read(path.with_extension("expected.json")).expect("is expected");
            let expected = serde_json::from_slice(&expected).expect("expectation is JSON");
            found.push((path, expected));
        }
    }
    assert!(found.len() > 15);
    found
}

fn read(bytes: &[u8]) -> Result<(Summary, Vec<ParsedCase>), ParseError> {
    let mut collected = Collected::default();
    parse_seekable(Cursor::new(bytes), &Limits::default(), &mut collected)
        .map(|summary| (summary, collected.cases))
}

fn rows(text: &str) -> (Summary, Vec<ParsedCase>) {
    read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn outcomes(cases: &[ParsedCase]) -> Vec<(&str, &str, Outcome)> {
    cases
        .iter()
        .map(|case| (&*case.suite, case.name.as_str(), case.outcome))
        .collect()
}

#[test]
fn real_files() {
    for (path, expected) in fixtures() {
        let name = path.display();
        let (summary, cases) = read(&fs::read(&path).expect("fixture is there")).expect("a report");
        let counts = summary.counts;
        let found = serde_json::json!({
            "passed": counts.passed, "failed": counts.failed, "error": counts.error, "skipped": counts.skipped,
            "known_issue": counts.known_issue, "total": counts.total,
        });
        assert_eq!(found, expected["counts"], "{name}");
        assert_eq!(expected["format"], summary.format.as_str(), "{name}");
        assert_eq!(expected["truncated"], summary.truncated, "{name}");
        assert_eq!(
            expected["reporter"].as_str(),
            summary.reporter.as_deref(),
            "{name}"
        );
        assert_eq!(
            expected["warnings"],
            serde_json::json!(codes(&summary)),
            "{name}"
        );
        let tests = expected["tests"].as_array().expect("a list");
        assert_eq!(tests.len(), cases.len(), "{name}");
        for (case, wanted) in cases.iter().zip(tests) {
            let text = |key: &str| wanted[key].as_str();
            let what = format!("{name}: {}", case.name);
            assert_eq!(Some(case.name.as_str()), text("name"), "{what}");
            assert_eq!(case.classname, text("classname").unwrap_or(""), "{what}");
            assert_eq!(*case.suite, *text("suite").unwrap_or(""), "{what}");
            assert_eq!(Some(case.outcome.as_str()), text("outcome"), "{what}");
            assert_eq!(case.message.as_deref(), text("message"), "{what}");
            assert_eq!(case.kind.as_deref(), text("kind"), "{what}");
            assert_eq!(case.file.as_deref(), text("file"), "{what}");
            assert_eq!(case.line.map(u64::from), wanted["line"].as_u64(), "{what}");
            assert_eq!(
                u64::from(case.attempt),
                wanted["attempt"].as_u64().unwrap_or(1),
                "{what}"
            );
            let again = text("repeat") == Some("attempt");
            assert_eq!(case.repeat == Repeat::Attempt, again, "{what}");
        }
    }
}

#[test]
fn attempts_of_real_files() {
    let verdict = |file: &str, test: &str| {
        let (path, _) = fixtures()
            .into_iter()
            .find(|(path, _)| path.ends_with(file))
            .expect("is there");
        let (_, cases) = read(&fs::read(path).expect("fixture is there")).expect("a report");
        let mut attempts = Attempts::new();
        let mut number = None;
        for case in &cases {
            let place = attempts.place(&case.key());
            if case.name == test {
                number = Some(place.test);
            }
        }
        let verdict = attempts.finish()[number.expect("has the test") as usize];
        (verdict.outcome, verdict.attempts, verdict.flaky)
    };
    assert_eq!(
        verdict("allure/pytest.zip", "test_flaky"),
        (Outcome::Passed, 2, true)
    );
    assert_eq!(
        verdict("allure/mocha.zip", "breaks"),
        (Outcome::Error, 2, false)
    );
    assert_eq!(
        verdict("allure/mocha.zip", "is flaky"),
        (Outcome::Passed, 2, true)
    );
    assert_eq!(
        verdict("libtest/nextest.json", "flaky"),
        (Outcome::Passed, 2, true)
    );
    assert_eq!(
        verdict("libtest/nextest.json", "aborts"),
        (Outcome::Failed, 3, false)
    );
    // `-count=3`: nobody retried, so that nothing is flaky.
    assert_eq!(
        verdict("go_test/count.jsonl", "TestSecondTime"),
        (Outcome::Failed, 1, false)
    );
}

#[test]
fn go_events() {
    let run =
        |action: &str, more: &str| format!("{{\"Action\":\"{action}\",\"Package\":\"p\"{more}}}\n");
    let test = |action: &str, more: &str| run(action, &format!(",\"Test\":\"T\"{more}"));
    let rerun = [
        test("run", ""),
        test("fail", ""),
        run("fail", ""),
        test("run", ""),
        test("pass", ""),
        run("pass", ""),
    ]
    .concat();
    let (_, cases) = rows(&rerun);
    assert_eq!(
        (cases[0].repeat, cases[1].repeat),
        (Repeat::Row, Repeat::Attempt)
    );

    let (_, cases) = rows(&[
        "{\"ImportPath\":\"p [p.test]\",\"Action\":\"build-output\",\"Output\":\"# p [p.test]\\n\"}\n".to_owned(),
        "{\"ImportPath\":\"p [p.test]\",\"Action\":\"build-output\",\"Output\":\"p/a_test.go:5:3: undefined: f\\n\"}\n".to_owned(),
        "{\"ImportPath\":\"p [p.test]\",\"Action\":\"build-fail\"}\n".to_owned(),
        run("start", ""),
        run("output", ",\"Output\":\"FAIL\\tp [build failed]\\n\""),
        run("fail", ",\"Elapsed\":0,\"FailedBuild\":\"p [p.test]\""),
    ].concat());
    assert_eq!(outcomes(&cases), [("p", "(package)", Outcome::Error)]);
    assert_eq!(
        cases[0].message.as_deref(),
        Some("p/a_test.go:5:3: undefined: f")
    );

    let (summary, cases) =
        rows(&[test("run", ""), test("output", ",\"Output\":\"said\\n\"")].concat());
    assert!(summary.truncated);
    assert_eq!(outcomes(&cases), [("p", "T", Outcome::Error)]);

    let (_, cases) = rows(
        &[
            test("attr", ",\"Key\":\"owner\",\"Value\":\"ann\""),
            test("artifacts", ",\"Path\":\"/srv/ci/artifacts\""),
            test(
                "output",
                ",\"OutputType\":\"error\",\"Output\":\"    a_test.go:3: marked\\n\"",
            ),
            test("output", ",\"Output\":\"    a_test.go:4: want nothing\\n\""),
            test("fail", ",\"Elapsed\":1.5"),
            run("fail", ""),
        ]
        .concat(),
    );
    let case = &cases[0];
    assert_eq!(
        (case.message.as_deref(), case.line, case.duration_ms),
        (Some("marked"), Some(3), Some(1500))
    );
    assert_eq!(case.properties, [("owner".to_owned(), "ann".to_owned())]);
    assert_eq!(case.attachments, ["/srv/ci/artifacts"]);

    let (_, cases) = rows(
        &[
            run("start", ""),
            run("output", ",\"Output\":\"?   \\tp\\t[no test files]\\n\""),
            run("skip", ""),
        ]
        .concat(),
    );
    assert!(cases.is_empty());
}

#[test]
fn libtest_events() {
    let (summary, cases) = rows(concat!(
        "{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": 3 }\n",
        "{ \"type\": \"bench\", \"name\": \"b\", \"median\": 12.5, \"deviation\": 1 }\n",
        "said{ \"type\": \"test\", \"name\": \"a\", \"event\": \"ok\" }\n",
    ));
    assert!(summary.truncated);
    assert_eq!(
        outcomes(&cases),
        [
            ("", "b", Outcome::Passed),
            ("", "a", Outcome::Passed),
            ("", "(suite)", Outcome::Error)
        ]
    );
    assert_eq!(
        cases[0].properties[0],
        ("median".to_owned(), "12.5".to_owned())
    );
    assert_eq!(
        cases[1].stdout.as_ref().map(|text| text.value.as_str()),
        Some("said\n")
    );
    assert_eq!(
        cases[2].message.as_deref(),
        Some("the suite of 3 tests ended after 2")
    );

    let (summary, cases) = rows(concat!(
        "{\"type\":\"suite\",\"event\":\"started\",\"test_count\":1}\n",
        "{\"type\":\"test\",\"event\":\"started\",\"name\":\"slow\"}\n",
        "{\"type\":\"test\",\"event\":\"timeout\",\"name\":\"slow\"}\n",
    ));
    assert_eq!(outcomes(&cases), [("", "slow", Outcome::Error)]);
    assert_eq!(codes(&summary), ["slow_test", "truncated"]);
}

#[test]
fn tap_lines() {
    use Outcome::{Error, Failed, KnownIssue, Passed, Skipped};
    let check = |text: &str, expected: &[(&str, &str, Outcome)], truncated: bool| {
        let (summary, cases) = rows(text);
        assert_eq!(outcomes(&cases), expected, "{text}");
        assert_eq!(
            summary.truncated, truncated,
            "{text}: {:?}",
            summary.warnings
        );
    };
    check(
        "1..2\nok 1\nnot ok 2 - b\n",
        &[("", "test 1", Passed), ("", "b", Failed)],
        false,
    );
    check(
        "ok 1 - a\nnot ok 2 - b # TODO x\nok 3 - c # skip\n1..3\n",
        &[("", "a", Passed), ("", "b", KnownIssue), ("", "c", Skipped)],
        false,
    );
    check(
        "TAP version 13\r\n1..1\r\nok 1 - a\r\n",
        &[("", "a", Passed)],
        false,
    );
    check("1..3\nok 1 - a\n", &[("", "a", Passed)], true);
    check("ok 1 - a\n", &[("", "a", Passed)], true);
    check(
        "1..3\nok 1 - a\nBail out! gone\nBail out! gone\n",
        &[("", "a", Passed), ("", "Bail out!", Error)],
        false,
    );
    // Subtests: announced, announced inside, bare, of two levels.
    check(
        "# Subtest: s\n    ok 1 - a\n    1..1\nok 1 - s\n1..1\n",
        &[("s", "a", Passed)],
        false,
    );
    check(
        "    # Subtest: s\n    1..1\n    ok 1 - a\nok 1 - s\n1..1\n",
        &[("s", "a", Passed)],
        false,
    );
    check(
        "    ok 1 - a\n    1..1\nok 1 - s\n1..1\n",
        &[("", "a", Passed)],
        false,
    );
    check(
        "# Subtest: s\n    not ok 1 - a\n    1..1\nnot ok 1 - s\n1..1\n",
        &[("s", "a", Failed)],
        false,
    );
    check(
        "# Subtest: s\n    ok 1 - a\n    1..1\nnot ok 1 - s\n1..1\n",
        &[("s", "a", Passed), ("", "s", Failed)],
        false,
    );
    check(
        "# Subtest: s\n    1..0 # SKIP no\nok 1 - s # SKIP no\n1..1\n",
        &[("", "s", Skipped)],
        false,
    );
    check("# Subtest: s\n    ok 1 - a\n", &[("s", "a", Passed)], true);
    // As vitest and older node-taps write them: the point first, its subtest in braces.
    check(
        "TAP version 13\n1..3\nnot ok 1 - f # time=1ms {\n    1..2\n    not ok 1 - g # time=1ms {\n        1..2\n        ok 1 - a\n        not ok 2 - b\n            ---\n            error: x\n            ...\n    }\n    ok 2 - h # SKIP {\n        1..1\n        ok 1 - c # SKIP\n    }\n}\nnot ok 2 - broken\nok 3 - e {\n    1..1\n    ok 1 - d\n}\n",
        &[
            ("f > g", "a", Passed),
            ("f > g", "b", Failed),
            ("f > h", "c", Skipped),
            ("", "broken", Failed),
            ("e", "d", Passed),
        ],
        false,
    );
    check(
        "1..1\nnot ok 1 - hook {\n    1..1\n    ok 1 - a # SKIP\n}\n",
        &[("hook", "a", Skipped), ("", "hook", Failed)],
        false,
    );
    check(
        "1..2\nok 1 - parses {\nnot ok 2 - parses }\n",
        &[("", "parses {", Passed), ("", "parses }", Failed)],
        false,
    );
    check(
        "1..1\nok 1 - f {\n    1..2\n    ok 1 - a\n",
        &[("f", "a", Passed)],
        true,
    );
    // A block without an end, and one that is none.
    check(
        "1..2\nnot ok 1 - a\n  ---\n  message: m\nok 2 - b\n",
        &[("", "a", Failed), ("", "b", Passed)],
        false,
    );
    check("1..1\n---\nok 1 - a\n", &[("", "a", Passed)], false);
    // A second document in the same file.
    check(
        "TAP version 14\n1..1\nok 1 - a\nTAP version 14\n1..1\nok 1 - b\n",
        &[("", "a", Passed), ("", "b", Passed)],
        false,
    );
    let (summary, _) = rows("1..2\n# Subtest: s\n    1..3\n    ok 1 - a\nok 1 - s\nok 2 - t\n");
    assert_eq!(codes(&summary), ["declared_counts"]);
    let (summary, _) = rows("1..0 # SKIP no network");
    assert_eq!(
        summary.properties,
        [("skip_all".to_owned(), "no network".to_owned())]
    );
}

/// What every reader promises of anything at all.
fn survives(bytes: &[u8], what: &str) {
    match read(bytes) {
        Ok((summary, cases)) => assert_eq!(summary.counts.total, cases.len() as u64, "{what}"),
        Err(error) => assert!(error.line() >= 1, "{what}"),
    }
}

#[test]
fn every_cut_is_survived() {
    for (path, _) in fixtures() {
        let bytes = fs::read(&path).expect("fixture is there");
        let head = &bytes[..bytes.len().min(30_000)];
        for end in (0..head.len()).step_by(97) {
            let what = format!("{} cut at {end}", path.display());
            survives(&head[..end], &what);
            if path
                .extension()
                .is_some_and(|extension| extension == "jsonl")
                && let Ok((summary, cases)) = read(&head[..end])
                && cases.iter().all(|case| case.outcome == Outcome::Passed)
            {
                let ended = head[..end].ends_with(b"}\n");
                assert!(summary.truncated || ended, "{what} looks green");
            }
        }
    }
}

#[test]
fn a_line_without_end_costs_no_memory() {
    for (begin, end) in [
        (
            "{\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"T\",\"Output\":\"",
            "\"}\n{\"Action\":\"fail\",\"Package\":\"p\",\"Test\":\"T\"}\n{\"Action\":\"fail\",\"Package\":\"p\"}\n",
        ),
        (
            "{ \"type\": \"test\", \"name\": \"T\", \"event\": \"failed\", \"stdout\": \"",
            "\" }\n",
        ),
        ("1..1\nnot ok 1 - T\n# ", "\n"),
        ("1..1\nnot ok 1 - T\n  ---\n  message: ", "\n  ...\n"),
    ] {
        let input = begin
            .as_bytes()
            .chain(std::io::repeat(b'x').take(50 << 20))
            .chain(end.as_bytes());
        let mut collected = Collected::default();
        let summary = parse(BufReader::new(input), &Limits::default(), &mut collected)
            .unwrap_or_else(|error| panic!("{begin}: {error}"));
        assert!(codes(&summary).contains(&"long_line"), "{begin}");
        assert_eq!(collected.cases.len(), 1, "{begin}");
        let case = &collected.cases[0];
        assert_eq!(
            (case.name.as_str(), case.outcome),
            ("T", Outcome::Failed),
            "{begin}"
        );
        let kept = case.trace.as_ref().map_or(0, |text| text.value.len());
        assert!((1000..1 << 20).contains(&kept), "{begin} kept {kept}");
    }
}

#[test]
fn open_tests_without_end_cost_no_memory() {
    let mut text = String::new();
    for number in 0..60 {
        let output = "x".repeat(900_000);
        text.push_str(&format!("{{\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"T{number}\",\"Output\":\"{output}\"}}\n"));
    }
    let (summary, cases) = rows(&text);
    assert!(codes(&summary).contains(&"too_much_output"));
    let held: usize = cases
        .iter()
        .filter_map(|case| case.trace.as_ref())
        .map(|text| text.value.len())
        .sum();
    assert!(held < 30 << 20, "{held}");
    let text = "    ".repeat(3000);
    survives(
        format!("TAP version 14\n{text}ok 1\n").as_bytes(),
        "deep subtests",
    );
}

fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(
            *name,
            SimpleFileOptions::default().compression_method(CompressionMethod::Deflated),
        )
        .expect("fits");
        zip.write_all(bytes).expect("fits");
    }
    zip.finish().expect("fits").into_inner()
}

fn result(uuid: &str, name: &str, status: &str, more: &str) -> Vec<u8> {
    format!("{{\"uuid\":\"{uuid}\",\"name\":\"{name}\",\"status\":\"{status}\",\"labels\":[{{\"name\":\"suite\",\"value\":\"s\"}}]{more}}}").into_bytes()
}

#[test]
fn archives_that_are_no_results() {
    let check = |bytes: &[u8], reason: &str| {
        let error = read(bytes).map(|_| ()).expect_err(reason).to_string();
        assert!(error.contains(reason), "{error}");
    };
    check(
        &archive(&[("a.txt", b"x"), ("b/c.json", b"{}")]),
        "in it are `a.txt`, `c.json`",
    );
    check(&archive(&[])[..0], "empty");
    check(b"PK\x03\x04 and nothing more", "cannot be read");
    let nested = archive(&[("a-result.json", &result("1", "a", "passed", ""))]);
    check(
        &archive(&[("allure-results.zip", &nested)]),
        "without Allure results",
    );
    // By the way of plain files, an archive is told from garbage.
    let mut collected = Collected::default();
    let error = parse(&nested[..], &Limits::default(), &mut collected).expect_err("needs to jump");
    assert!(error.to_string().contains("a zip archive"));
}

#[test]
fn names_that_lead_elsewhere_are_text() {
    let one = result("1", "a", "passed", "");
    let (_, cases) = read(&archive(&[
        ("../../etc/a-result.json", &one),
        ("/etc/b-result.json", &one),
        ("C:\\x\\c-result.json", &one),
        ("d-result.json/", b""),
        ("e\0-result.json", &one),
    ]))
    .expect("is read");
    assert_eq!(cases.iter().filter(|case| case.name == "a").count(), 4);
}

#[test]
fn bombs_are_left_out() {
    let spaces = vec![b' '; 9 << 20];
    let small = vec![b' '; 3 << 20];
    let good = result("1", "a", "passed", "");
    let (summary, cases) = read(&archive(&[
        ("1-result.json", &[&good[..], &spaces].concat()),
        ("2-result.json", &[&good[..], &small].concat()),
        ("3-result.json", &good),
    ]))
    .expect("is read");
    assert_eq!(cases.len(), 1);
    assert!(summary.truncated && codes(&summary).contains(&"entry_too_large"));
}

#[test]
fn directories_that_lie_are_survived() {
    let good = result("1", "a", "passed", "");
    let whole = archive(&[("1-result.json", &good), ("2-result.json", &good)]);
    for at in 0..whole.len() {
        for change in [1, 0x80, 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            survives(&bytes, "a changed byte");
        }
        survives(&whole[..at], "a cut archive");
    }
    // Two entries of the directory that point to the same bytes.
    let directory = whole
        .windows(4)
        .position(|four| four == b"PK\x01\x02")
        .expect("has one");
    let second = directory
        + 4
        + whole[directory + 4..]
            .windows(4)
            .position(|four| four == b"PK\x01\x02")
            .expect("has two");
    let mut bytes = whole.clone();
    bytes[second + 42..second + 46].copy_from_slice(&[0; 4]);
    let (_, cases) = read(&bytes).expect("is read");
    assert_eq!(cases.len(), 2);
    // Bytes before the archive.
    let (_, cases) = {
        let mut collected = Collected::default();
        let summary = parse_archive(
            Cursor::new([b"#!/bin/sh\n", &whole[..]].concat()),
            &Limits::default(),
            &mut collected,
        )
        .expect("is read");
        (summary, collected.cases)
    };
    assert_eq!(cases.len(), 2);
}

#[test]
fn attempts_fixtures_and_parameters_of_results() {
    let history = ",\"historyId\":\"h\",\"start\":";
    let container = br#"{"uuid":"c","children":["1","2"],"befores":[{"name":"opens","status":"broken","statusDetails":{"message":"no"}}]}"#;
    let alone = br#"{"uuid":"d","children":["9"],"afters":[{"name":"closes","status":"failed","statusDetails":{"message":"IOError: stuck","trace":"t"}}]}"#;
    let (summary, cases) = read(&archive(&[
        ("1-result.json", &result("1", "a", "failed", &format!("{history}2000"))),
        ("2-result.json", &result("2", "a", "passed", &format!("{history}3000"))),
        ("3-result.json", &result("3", "a", "broken", &format!("{history}1000"))),
        ("4-result.json", &result("4", "p", "passed", r#","parameters":[{"name":"x","value":"1"},{"name":"secret","value":"s3","mode":"masked"},{"name":"h","value":"2","mode":"hidden"},{"name":"Retry","value":"1","excluded":true}]"#)),
        ("5-result.json", &result("5", "k", "failed", r#","statusDetails":{"known":true,"message":"m"},"links":[{"type":"issue","url":"https://bugs.example.org/7"}]"#)),
        ("6-result.json", &result("6", "u", "unknown", "")),
        ("7-result.json", b"{\"uuid\":\"7\",\"name\":\"cut"),
        ("c-container.json", container),
        ("d-container.json", alone),
    ])).expect("is read");
    let found: Vec<_> = cases
        .iter()
        .map(|case| (case.name.as_str(), case.outcome))
        .collect();
    assert_eq!(
        found,
        [
            ("p[1, ******]", Outcome::Passed),
            ("k", Outcome::KnownIssue),
            ("u", Outcome::Error),
            ("a", Outcome::Error),
            ("a", Outcome::Failed),
            ("a", Outcome::Passed),
            ("teardown `closes`", Outcome::Error),
        ]
    );
    assert!(summary.truncated && codes(&summary).contains(&"damaged_entry"));
    assert!(!format!("{:?}", cases[0]).contains("s3"));
    assert_eq!(cases[1].tickets, ["https://bugs.example.org/7"]);
    let told = cases[4]
        .extra
        .iter()
        .find(|(key, _)| key == "fixture")
        .expect("is told");
    assert_eq!(told.1, "setup `opens` failed\nno");
    assert_eq!(cases[6].kind.as_deref(), Some("IOError"));
}

#[test]
fn a_directory_of_many_entries_costs_no_memory() {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    for number in 0..20_000 {
        zip.start_file(format!("{number}-attachment.txt"), options)
            .expect("fits");
    }
    zip.start_file("1-result.json", options).expect("fits");
    zip.write_all(&result("1", "a", "passed", ""))
        .expect("fits");
    let mut bytes = zip.finish().expect("fits");
    bytes.rewind().expect("is memory");
    let mut collected = Collected::default();
    parse_archive(bytes, &Limits::default(), &mut collected).expect("is read");
    assert_eq!(collected.cases.len(), 1);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_lines_panic(head in prop_oneof![Just("TAP version 13\n"), Just("{\"Action\":\"start\",\"Package\":\"p\"}\n"), Just("{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": 2 }\n")], parts in proptest::collection::vec(prop_oneof![
        Just("ok 1 - a\n"), Just("not ok 2 - b # TODO c\n"), Just("    "), Just("# Subtest: s\n"), Just("  ---\n"), Just("  message: |\n    x\n"), Just("  ...\n"), Just("1..2\n"),
        Just("Bail out!\n"), Just("# é\n"), Just("\\"), Just("\0"), Just("\u{1b}[31m"), Just("TAP version 14\n"), Just("#"), Just("- "), Just("\r\n"),
        Just("{\"Action\":\"run\",\"Package\":\"p\",\"Test\":\"T/x\"}\n"), Just("{\"Action\":\"output\",\"Package\":\"p\",\"Test\":\"T\",\"Output\":\"    a.go:1: é\\n\"}\n"),
        Just("{\"Action\":\"fail\",\"Package\":\"p\",\"Test\":\"T/x\"}\n"), Just("{\"Action\":\"fail\",\"Package\":\"p\"}\n"), Just("FAIL\tp [build failed]\n"), Just("# p\n"),
        Just("{ \"type\": \"test\", \"event\": \"started\", \"name\": \"a$b#2\" }\n"), Just("{ \"type\": \"test\", \"event\": \"failed\", \"name\": \"a$b#2\", \"stdout\": \"thread 'b' panicked at 'é', a:1:2\" }\n"),
        Just("{ \"type\": \"suite\", \"event\": \"failed\", \"passed\": 1 }\n"),
    ], 0..40)) {
        survives(format!("{head}{}", parts.concat()).as_bytes(), "lines");
    }
}

#[test]
fn a_result_that_never_began() {
    let outcome = |stage: &str| {
        let text = format!(
            r#"{{"uuid":"a","name":"td","fullName":"a#td","stage":"{stage}","statusDetails":{{}},"steps":[]}}"#
        );
        let mut collected = Collected::default();
        let summary = parse_as(
            Format::Allure,
            text.as_bytes(),
            &Limits::default(),
            &mut collected,
        )
        .expect("is a result");
        (collected.cases[0].outcome, codes(&summary).len())
    };
    assert_eq!(outcome("pending"), (Outcome::NotRun, 0));
    assert_eq!(outcome("running"), (Outcome::Error, 1));
}
