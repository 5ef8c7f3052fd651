//! The command line of reports without a server: the real binary, on real files.

use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const REPORT: &str = r#"<testsuites><testsuite name="shop" tests="3">
<testcase classname="shop.Cart" name="adds" file="tests/cart.py" line="12" time="0.5"><failure type="AssertionError" message="expected 3, got 4">at cart</failure></testcase>
<testcase classname="shop.Cart" name="sums" time="0.1"/>
<testcase classname="shop.Cart" name="off" time="0"><skipped message="later"/></testcase>
</testsuite></testsuites>"#;

fn testhide(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_testhide"))
        .args(args)
        .current_dir(dir)
        .env_remove("TESTHIDE_SERVER")
        .env_remove("TESTHIDE_TOKEN")
        .env("LANG", "C.UTF-8")
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// What a command says, with the exit code it must have.
#[track_caller]
fn says(dir: &Path, args: &[&str], exit: i32) -> String {
    let output = testhide(dir, args);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {errors}");
    text(&output.stdout)
}

#[track_caller]
fn json(dir: &Path, args: &[&str], exit: i32) -> Value {
    let said = says(dir, args, exit);
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{args:?}: {error}\n{said}"))
}

/// The one line on stderr of a command that fails.
#[track_caller]
fn refuses(dir: &Path, args: &[&str], exit: i32) -> String {
    let output = testhide(dir, args);
    let errors = text(&output.stderr);
    assert_eq!(output.status.code(), Some(exit), "{args:?}: {errors}");
    assert!(output.stdout.is_empty(), "{args:?}");
    assert_eq!(errors.lines().count(), 1, "{args:?}: {errors}");
    errors
}

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (path, content) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, content).expect("a file");
    }
    dir
}

/// Every fixture with an answer: the answer, and the report beside it.
fn fixtures(folder: &Path, found: &mut Vec<(PathBuf, Value)>) {
    for entry in fs::read_dir(folder).expect("the fixtures") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && !path.to_string_lossy().ends_with("-results") {
            fixtures(&path, found);
        } else if let Some(stem) = path.to_string_lossy().strip_suffix(".expected.json") {
            let expected: Value =
                serde_json::from_slice(&fs::read(&path).expect("an answer")).expect("JSON");
            let stem = PathBuf::from(stem);
            let name = stem.file_name().expect("a name").to_string_lossy();
            let report = fs::read_dir(stem.parent().expect("a folder"))
                .expect("a folder")
                .map(|entry| entry.expect("an entry").path())
                .filter(|other| {
                    let other = other.file_name().expect("a name").to_string_lossy();
                    other
                        .strip_prefix(&*name)
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                        && !other.ends_with(".expected.json")
                        && !other.ends_with(".control")
                })
                .min();
            found.push((report.expect("its report"), expected));
        }
    }
}

fn said<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or("")
}

#[test]
fn every_fixture_gives_its_counts_identities_and_fail_ids() {
    let mut all = Vec::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports");
    fixtures(&root, &mut all);
    assert!(all.len() >= 12, "{}", all.len());
    let mut compared = 0;
    for (report, expected) in &all {
        let name = report.display().to_string();
        let found = json(&root, &["report", "show", &name, "--json"], 0);
        let rows = found["tests"].as_array().expect("tests").clone();
        assert_eq!(
            found["counts"]["total"].as_u64(),
            Some(rows.len() as u64),
            "{name}: one entry a row"
        );
        // Rows as they are written; and for files of other writers, tests as they add up.
        for (said, counts) in [("counts", "counts"), ("counts_unique", "tests_by_outcome")] {
            for (outcome, count) in expected[said].as_object().into_iter().flatten() {
                if count.is_u64() {
                    assert_eq!(&found[counts][outcome], count, "{name}: {said} {outcome}");
                    compared += 1;
                }
            }
        }
        for key in ["format", "truncated"] {
            if !expected[key].is_null() {
                assert_eq!(found[key], expected[key], "{name}: {key}");
            }
        }
        if let Some(unique) = expected["unique_tests"].as_u64() {
            assert_eq!(found["tests_by_outcome"]["total"], unique, "{name}");
        }
        for id in expected["fail_ids"].as_array().into_iter().flatten() {
            if id.is_string() {
                assert!(
                    rows.iter().any(|row| &row["fail_id"] == id),
                    "{name}: fail_id {id} is missing"
                );
            }
        }
        for (test, outcome) in expected["outcomes"].as_object().into_iter().flatten() {
            assert!(
                rows.iter()
                    .any(|row| said(row, "name") == test && &row["test_outcome"] == outcome),
                "{name}: {test}"
            );
        }
        tests_are_as_expected(&name, rows, expected);
    }
    assert!(compared >= 5 * all.len(), "only {compared} were compared");
}

/// Each expected test takes a row with its identity, outcome and failure id; none is left where all were foretold.
fn tests_are_as_expected(name: &str, mut rows: Vec<Value>, expected: &Value) {
    let Some(tests) = expected["tests"].as_array() else {
        return;
    };
    for wanted in tests {
        for _ in 0..wanted["times"].as_u64().unwrap_or(1) {
            let given = |key: &str| !wanted[key].is_null();
            let at = rows.iter().position(|row| {
                ["classname", "name", "outcome"]
                    .iter()
                    .all(|key| said(row, key) == said(wanted, key))
                    && ["file", "nodeid", "message", "fail_id"]
                        .iter()
                        .all(|key| !given(key) || said(row, key) == said(wanted, key))
            });
            let row = rows.remove(at.unwrap_or_else(|| panic!("{name}: no row for {wanted}")));
            assert_eq!(said(&row, "id").len(), 32, "{name}");
            if wanted.get("resolution").is_some() {
                assert_eq!(row["resolution"], wanted["resolution"], "{name}: {wanted}");
            }
            if let Some(line) = wanted["line"].as_str() {
                let found = row["line"].as_u64().map(|line| line.to_string());
                assert_eq!(found.unwrap_or_default(), line, "{name}: {wanted}");
            }
            for (key, own) in [("docstr", "docstring"), ("docstring", "docstring")] {
                if let Some(docstring) = wanted[key].as_str() {
                    assert_eq!(said(&row, own), docstring, "{name}: {wanted}");
                }
            }
            if wanted["attachments"].is_array() {
                assert_eq!(
                    row["attachments"], wanted["attachments"],
                    "{name}: {wanted}"
                );
            }
        }
    }
    if expected["counts"].is_object() {
        assert!(rows.is_empty(), "{name}: rows too many: {rows:?}");
    }
}

#[test]
fn show_reads_files_folders_patterns_and_standard_input() {
    let dir = folder(&[
        ("out/a.xml", REPORT),
        ("out/deep/b.xml", REPORT),
        ("out/pom.xml", "<project/>"),
    ]);
    let dir = dir.path();
    let said = says(dir, &["report", "show", "out/a.xml"], 0);
    let failure = said
        .find("✖ failed  shop.Cart > adds")
        .expect("the failure");
    let counts = said
        .find("1 failed, 1 passed, 1 skipped")
        .expect("the counts");
    assert!(failure < counts, "failures come first:\n{said}");
    assert!(said.contains("tests/cart.py:12") && said.contains("expected 3, got 4"));
    for arguments in [&["out"][..], &["out/**/*.xml"], &["out/a.xml", "out/deep"]] {
        let all: Vec<&str> = ["report", "show", "--json"]
            .iter()
            .chain(arguments)
            .copied()
            .collect();
        let found = json(dir, &all, 0);
        assert_eq!(found["counts"]["total"], 6, "{arguments:?}");
        let reports = found["reports"].as_array().expect("reports");
        assert_eq!(reports.len(), 2);
        assert_eq!(reports[1]["counts"]["failed"], 1);
        assert_eq!(found["tests"][3]["report"], reports[1]["file"]);
        assert_eq!(found["tests"][0]["id"], found["tests"][3]["id"]);
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_testhide"))
        .args(["report", "show", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut stdin = child.stdin.take().expect("stdin");
    stdin.write_all(REPORT.as_bytes()).expect("it reads");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&found["file"], &found["counts"]["total"]),
        (&"-".into(), &3.into())
    );
}

#[test]
fn what_cannot_be_read_is_one_line_and_an_exit_code() {
    let dir = folder(&[
        ("good.xml", REPORT),
        ("empty.xml", ""),
        ("binary.xml", "\u{0}\u{1}\u{2}\u{3}"),
        ("page.html", "<html></html>"),
        (
            "doctype.xml",
            "<!DOCTYPE a [<!ENTITY b \"c\">]><testsuites/>",
        ),
        ("notes/a.txt", "nothing"),
    ]);
    let dir = dir.path();
    for (argument, exit, word) in [
        ("missing.xml", 3, "missing.xml"),
        ("empty.xml", 2, "line 1"),
        ("binary.xml", 2, "line 1"),
        ("page.html", 2, "root element `html`"),
        ("doctype.xml", 2, "document type"),
        ("*.json", 3, "matches no file"),
        ("notes", 3, "it is no test report"),
        ("notes/*.txt", 3, "it is no test report"),
        ("[", 2, "not a pattern"),
    ] {
        let said = refuses(dir, &["report", "show", argument], exit);
        assert!(said.contains(word), "{argument}: {said}");
        refuses(dir, &["report", "merge", "good.xml", argument], exit);
        refuses(dir, &["report", "compare", argument, "good.xml"], exit);
    }
    // An id is asked for on the server, which is not there.
    let id = "0198c1a2-7f3e-7abc-8def-0123456789ab";
    let server = ["--server", "http://127.0.0.1:1"];
    let args = ["report", "show", id, server[0], server[1]];
    refuses(dir, &args, 6);
    refuses(dir, &["report", "push", "-", "--project", "shop"], 2);
}

#[test]
fn validate_tells_warnings_with_their_lines() {
    let odd = REPORT.replace("time=\"0.1\"", "time=\"soon\"");
    let dir = folder(&[
        ("good.xml", REPORT),
        ("odd.xml", &odd),
        ("cut.xml", &REPORT[..REPORT.len() - 40]),
        (
            "none.xml",
            "<testsuites tests=\"0\"><testsuite name=\"s\" tests=\"0\"/></testsuites>",
        ),
        ("page.html", "<html></html>"),
    ]);
    let dir = dir.path();
    let validate = |args: &[&str], exit: i32| {
        let all: Vec<&str> = ["report", "validate", "--json"]
            .iter()
            .chain(args)
            .copied()
            .collect();
        json(dir, &all, exit)
    };
    let good = validate(&["good.xml", "--strict"], 0);
    assert_eq!(
        (&good["valid"], &good["reports"][0]["format"]),
        (&true.into(), &"junit".into())
    );
    let odd = validate(&["odd.xml"], 0);
    let warning = &odd["reports"][0]["warnings"][0];
    assert_eq!(
        (&warning["line"], &warning["code"]),
        (&3.into(), &"bad_duration".into())
    );
    validate(&["odd.xml", "--strict"], 1);
    for (file, kind) in [("cut.xml", "partial_report"), ("none.xml", "zero_tests")] {
        assert_eq!(
            validate(&[file], 0)["reports"][0]["findings"][0]["kind"],
            kind,
            "{file}"
        );
        assert_eq!(validate(&[file, "--strict"], 1)["valid"], false);
    }
    let unreadable = validate(&["good.xml", "page.html"], 1);
    let error = &unreadable["reports"][1]["error"];
    assert_eq!(
        (&error["code"], &error["line"]),
        (&"report_not_recognised".into(), &1.into())
    );
    let said = says(dir, &["report", "validate", "odd.xml"], 0);
    assert!(said.contains("line 3: `soon` is no duration"), "{said}");
}

#[test]
fn convert_writes_every_format_and_all_or_nothing() {
    let dir = folder(&[("a.xml", REPORT), ("page.html", "<html></html>")]);
    let dir = dir.path();
    let before = json(dir, &["report", "show", "a.xml", "--json"], 0);
    for (format, file) in [
        ("ctrf", "b.json"),
        ("junit", "b.xml"),
        ("testhide", "c.xml"),
    ] {
        let told = json(
            dir,
            &[
                "report", "convert", "a.xml", "--to", format, "-o", file, "--json",
            ],
            0,
        );
        assert_eq!(told["format"], format);
        let after = json(dir, &["report", "show", file, "--json"], 0);
        assert_eq!(after["format"], format);
        assert_eq!(after["counts"], before["counts"], "{format}");
        let facts = |shown: &Value| -> Vec<Value> {
            let of = |row: &Value| {
                [
                    "id",
                    "outcome",
                    "message",
                    "trace",
                    "duration_ms",
                    "line",
                    "signature",
                ]
                .map(|key| row[key].clone())
                .to_vec()
            };
            let tests = shown["tests"].as_array().expect("tests");
            tests.iter().map(of).map(Value::from).collect()
        };
        assert_eq!(facts(&after), facts(&before), "{format}");
        // To stdout it is the same.
        let said = says(dir, &["report", "convert", "a.xml", "--to", format], 0);
        if format != "ctrf" {
            assert_eq!(said, fs::read_to_string(dir.join(file)).expect("the file"));
        }
    }
    let ctrf: Value =
        serde_json::from_slice(&fs::read(dir.join("b.json")).expect("the file")).expect("JSON");
    assert_eq!(
        (&ctrf["reportFormat"], &ctrf["results"]["summary"]["tests"]),
        (&"CTRF".into(), &3.into())
    );
    let old = fs::read(dir.join("b.xml")).expect("the file");
    refuses(
        dir,
        &[
            "report",
            "convert",
            "page.html",
            "--to",
            "junit",
            "-o",
            "b.xml",
        ],
        2,
    );
    assert_eq!(fs::read(dir.join("b.xml")).expect("the file"), old);
    let missing = [
        "report",
        "convert",
        "a.xml",
        "--to",
        "junit",
        "-o",
        "no/such/b.xml",
    ];
    refuses(dir, &missing, 3);
    let left: Vec<_> = fs::read_dir(dir)
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name())
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn what_does_not_fit_is_told_in_one_line() {
    let dir = folder(&[(
        "a.xml",
        "<testsuites><testsuite name=\"s\"><testcase classname=\"c\" name=\"n\" test_resolution=\"Known Issue\">\
         <failure message=\"m\"/></testcase></testsuite></testsuites>",
    )]);
    let output = testhide(dir.path(), &["report", "convert", "a.xml", "--to", "junit"]);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(
        text(&output.stderr),
        "testhide: not all fits into junit: known issues written as skipped (1)\n"
    );
}

#[test]
fn merge_puts_shards_and_reruns_together() {
    let rerun = "<testsuites><testsuite name=\"rerun\"><testcase classname=\"shop.Cart\" name=\"adds\" file=\"tests/cart.py\" time=\"0.4\"/>\
                 </testsuite></testsuites>";
    let other = "<testsuites><testsuite name=\"other\"><testcase classname=\"shop.Stock\" name=\"sells\"/></testsuite></testsuites>";
    let dir = folder(&[
        ("1.xml", REPORT),
        ("2.xml", other),
        ("rerun.xml", rerun),
        ("cut.xml", &REPORT[..REPORT.len() - 40]),
    ]);
    let dir = dir.path();
    for format in ["testhide", "junit", "ctrf"] {
        let args = [
            "report",
            "merge",
            "1.xml",
            "2.xml",
            "1.xml",
            "rerun.xml",
            "--to",
            format,
            "-o",
            "all",
            "--json",
        ];
        let told = json(dir, &args, 0);
        assert_eq!(told["repeated_rows"], 3, "the same shard twice");
        assert_eq!(told["tests"]["total"], 4);
        let all = json(dir, &["report", "show", "all", "--json"], 0);
        let tests = all["tests"].as_array().expect("tests");
        let adds = tests
            .iter()
            .find(|test| test["name"] == "adds")
            .expect("the test");
        assert_eq!(
            (&adds["test_outcome"], &adds["attempts"], &adds["flaky"]),
            (&"passed".into(), &2.into(), &true.into()),
            "{format}"
        );
        assert_eq!(all["tests_by_outcome"]["failed"], 0);
    }
    let output = testhide(dir, &["report", "merge", "cut.xml", "2.xml", "-o", "all"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("partial_report"));
}

#[test]
fn merging_a_folder_into_itself_twice_says_the_same() {
    let skipped = REPORT
        .replace("<failure", "<skipped")
        .replace("</failure>", "</skipped>");
    let dir = folder(&[("one.xml", REPORT), ("two.xml", &skipped)]);
    let merge = |input: &str| {
        says(
            dir.path(),
            &["report", "merge", "--to", "junit", input, "-o", "./all.xml"],
            0,
        );
        fs::read_to_string(dir.path().join("all.xml")).expect("the output")
    };
    let first = merge(".");
    assert_eq!(merge("."), first);
    assert_eq!(merge("*.xml"), first);
    // Named, it is read.
    assert!(merge("all.xml").contains("adds"));
    fs::remove_file(dir.path().join("one.xml")).expect("it is there");
    fs::remove_file(dir.path().join("two.xml")).expect("it is there");
    let args = ["report", "merge", "--to", "junit", ".", "-o", "all.xml"];
    assert!(refuses(dir.path(), &args, 3).contains("but the output"));
}

#[test]
fn a_folder_of_allure_results_is_one_report() {
    let result = |id: u32, status: &str| {
        format!(
            r#"{{"uuid":"{id}","historyId":"h","fullName":"shop.Cart#adds","name":"adds","status":"{status}","start":{id}000,"stop":{id}500}}"#
        )
    };
    let dir = folder(&[
        ("out/allure-results/1-result.json", &result(1, "failed")),
        ("out/allure-results/2-result.json", &result(2, "passed")),
        ("out/a.xml", REPORT),
    ]);
    let found = json(dir.path(), &["report", "show", "out", "--json"], 0);
    assert_eq!(found["format"], "mixed");
    let allure = &found["reports"][1];
    assert_eq!(
        (&allure["file"], &allure["format"]),
        (&"allure-results".into(), &"allure".into())
    );
    assert_eq!(allure["counts"]["total"], 2);
    assert_eq!(allure["tests_by_outcome"]["total"], 1);
    assert_eq!(allure["tests"][0]["flaky"], true);
}

#[test]
fn compare_goes_by_identity() {
    let head = REPORT
        .replace("<failure type=\"AssertionError\" message=\"expected 3, got 4\">at cart</failure>", "")
        .replace(
            "name=\"sums\" time=\"0.1\"/>",
            "name=\"sums\" time=\"0.1\"><failure message=\"no\"/></testcase><testcase classname=\"shop.Other\" name=\"adds\" time=\"9\"/>",
        );
    let dir = folder(&[("base/a.xml", REPORT), ("head.xml", &head)]);
    let dir = dir.path();
    let found = json(dir, &["report", "compare", "base", "head.xml", "--json"], 0);
    let names = |list: &str| -> Vec<&str> {
        let tests = found[list].as_array().expect("a list");
        tests
            .iter()
            .map(|test| said(test, "display_name"))
            .collect()
    };
    assert_eq!(names("new_failures"), ["shop.Cart > sums"]);
    assert_eq!(names("fixed"), ["shop.Cart > adds"]);
    assert_eq!(names("added"), ["shop.Other > adds"]);
    let said = says(dir, &["report", "compare", "base", "head.xml"], 0);
    assert!(said.starts_with("New failures (1)"), "{said}");
    let args = [
        "report",
        "compare",
        "base",
        "head.xml",
        "--fail-on",
        "new-failures",
    ];
    says(dir, &args, 1);
    let back = [
        "report",
        "compare",
        "head.xml",
        "head.xml",
        "--fail-on",
        "new-failures",
    ];
    let same = says(dir, &back, 0);
    assert!(
        same.starts_with("Still failing (1)") && same.ends_with("3 unchanged\n"),
        "{same}"
    );
}
