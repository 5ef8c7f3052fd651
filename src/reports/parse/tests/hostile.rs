//! The parser against what reporters, networks and attackers do to a report.

use proptest::prelude::*;

use super::corpus::Collected;
use crate::reports::parse::{
    Attempts, Counts, Format, Limits, Outcome, ParseError, ParsedCase, Summary, detect, parse,
    parse_as,
};

pub(super) fn read(bytes: &[u8]) -> Result<(Summary, Vec<ParsedCase>), ParseError> {
    let mut collected = Collected::default();
    parse(bytes, &Limits::default(), &mut collected).map(|summary| (summary, collected.cases))
}

fn read_one(bytes: &[u8]) -> (Summary, ParsedCase) {
    let (summary, mut cases) = read(bytes).expect("is a report");
    assert_eq!(cases.len(), 1);
    (summary, cases.remove(0))
}

pub(super) fn codes(summary: &Summary) -> Vec<&'static str> {
    summary
        .warnings
        .iter()
        .map(|warning| warning.code)
        .collect()
}

#[test]
fn refused_as_a_whole() {
    let check = |text: &str, code: &str, line: u64| {
        let error = read(text.as_bytes()).map(|_| ()).expect_err(text);
        assert_eq!((error.code(), error.line()), (code, line), "{text}");
    };
    check("", "report_not_recognised", 1);
    check("\u{1}\u{2}garbage", "report_not_recognised", 1);
    check("<?xml version='1.0'?>\n<xyz/>", "report_not_recognised", 2);
    check("{\"stats\": 1}", "report_not_recognised", 1);
    check(
        "<?xml version='1.0'?>\n<!DOCTYPE r [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>\n<testsuite><testcase name='&a;'/></testsuite>",
        "report_doctype_refused",
        2,
    );
    check(
        "<testsuite>\n<!DOCTYPE x>\n</testsuite>",
        "report_doctype_refused",
        2,
    );
    check("<testsuites>\n<testsuite name='a", "report_broken", 2);
    check(
        "{\"results\": {\"tests\": [\n{\"name\": ]",
        "report_broken",
        2,
    );
}

#[test]
fn read_as_a_named_format() {
    let read_as = |format: Format, text: &str| {
        let mut collected = Collected::default();
        parse_as(format, text.as_bytes(), &Limits::default(), &mut collected)
            .map(|summary| summary.counts.total)
            .map_err(|error| error.code())
    };
    let wrapped = "<report><testsuite><testcase name='a'/></testsuite></report>";
    assert_eq!(
        read(wrapped.as_bytes()).map_err(|error| error.code()).err(),
        Some("report_not_recognised")
    );
    assert_eq!(read_as(Format::Junit, wrapped), Ok(1));
    assert_eq!(
        read_as(Format::Junit, "hello"),
        Err("report_not_recognised")
    );
    assert_eq!(
        read_as(Format::Junit, "<!DOCTYPE a>"),
        Err("report_doctype_refused")
    );
    assert_eq!(read_as(Format::Ctrf, wrapped), Err("report_broken"));
}

#[test]
fn outcomes_of_cases() {
    let check = |inner: &str, outcome: Outcome, message: Option<&str>| {
        let (_, case) = read_one(
            format!("<testsuite><testcase name='a' {inner}</testcase></testsuite>").as_bytes(),
        );
        assert_eq!(
            (case.outcome, case.message.as_deref()),
            (outcome, message),
            "{inner}"
        );
    };
    check(">", Outcome::Passed, None);
    check(
        "><failure message='m'>t</failure>",
        Outcome::Failed,
        Some("m"),
    );
    check("><FAILURE/>", Outcome::Failed, None);
    check(
        "><failure>\n first\n second</failure>",
        Outcome::Failed,
        Some("first"),
    );
    check(
        "><error message='m'/><failure message='n'/>",
        Outcome::Error,
        Some("m"),
    );
    check(
        "><failure message='n'/><skipped message='todo'/>",
        Outcome::Skipped,
        Some("todo"),
    );
    check("><skipped>why</skipped>", Outcome::Skipped, Some("why"));
    check("status='notrun'>", Outcome::NotRun, None);
    check("status='disabled'>", Outcome::NotRun, None);
    check("status='run' result='suppressed'>", Outcome::NotRun, None);
    check(
        "status='disabled'><skipped message='Disabled'/>",
        Outcome::NotRun,
        Some("Disabled"),
    );
    check(
        "status='notrun'><skipped message='SKIP_RETURN_CODE=77'/>",
        Outcome::Skipped,
        Some("SKIP_RETURN_CODE=77"),
    );
    check("status='run' result='completed'>", Outcome::Passed, None);
    check("><error type='T'/>", Outcome::Error, Some("T"));
    check(
        "><failure type='T'>C::a with data\nwrong</failure>",
        Outcome::Failed,
        Some("wrong"),
    );
    check("status='failed'>", Outcome::Failed, None);
    check(
        "test_resolution='known issue'><failure message='m'/>",
        Outcome::KnownIssue,
        Some("m"),
    );
    check(
        "test_resolution='Known Issue'><error message='m'/>",
        Outcome::Error,
        Some("m"),
    );
    check("test_resolution='Teardown Error'>", Outcome::Error, None);
    check("test_resolution='Nonsense'>", Outcome::Failed, None);
    check(
        "test_resolution='Passed'><failure message='m'/>",
        Outcome::Failed,
        Some("m"),
    );
    check(
        "test_resolution='Known Issue'><failure message='Known Issue https://j/browse/P-1 Bug [x]'>a\nValueError: b\n</failure>",
        Outcome::KnownIssue,
        Some("ValueError: b"),
    );
    check(
        "><failure message='a'>x</failure><failure message='b'>y</failure>",
        Outcome::Failed,
        Some("a"),
    );
}

#[test]
fn all_texts_of_several_failures_are_kept() {
    let (_, case) = read_one(b"<testcase name='a'><failure message='a'>x</failure><failure message='b'>y</failure><system-out>1</system-out><system-out>2</system-out></testcase>");
    assert_eq!(case.trace.expect("has text").value, "x\n\nb\n\ny");
    assert_eq!(case.stdout.expect("has output").value, "1\n2");
}

#[test]
fn surefire_reruns() {
    let (_, case) = read_one(
        b"<testsuite><testcase name='a'><flakyFailure message='one' type='E'><stackTrace>s</stackTrace><system-out>o</system-out></flakyFailure><flakyError message='two'/></testcase></testsuite>",
    );
    assert_eq!(
        (case.outcome, case.attempt, case.retries.len(), case.flaky),
        (Outcome::Passed, 3, 2, true)
    );
    assert_eq!(
        (
            case.retries[0].attempt,
            case.retries[0]
                .trace
                .as_ref()
                .map(|text| text.value.as_str())
        ),
        (1, Some("s"))
    );
    assert_eq!(case.retries[1].outcome, Outcome::Error);
    assert!(case.stdout.is_none());
    let mut attempts = Attempts::new();
    attempts.place(&case.key());
    let verdict = attempts.finish()[0];
    assert_eq!((verdict.attempts, verdict.flaky), (3, true));

    let (summary, case) = read_one(b"<testsuite tests='2'><testcase name='a'><failure message='one'/><rerunFailure message='two' time='0.5'>t</rerunFailure></testcase></testsuite>");
    assert_eq!(codes(&summary), [""; 0], "both runs are declared");
    assert_eq!(case.retries[0].duration_ms, Some(500));
    let mut attempts = Attempts::new();
    attempts.place(&case.key());
    assert_eq!(attempts.finish()[0].attempts, 2);
    assert_eq!(
        (
            case.outcome,
            case.attempt,
            case.retries[0].attempt,
            case.flaky
        ),
        (Outcome::Failed, 1, 2, false)
    );
}

#[test]
fn shapes_of_documents() {
    let check = |text: &str, total: u64, suite: &str| {
        let (summary, cases) = read(text.as_bytes()).expect(text);
        assert_eq!(
            (
                summary.counts.total,
                &*cases.last().expect("has cases").suite
            ),
            (total, suite),
            "{text}"
        );
        assert!(!summary.truncated, "{text}");
    };
    check("<testcase name='a'/>", 1, "");
    check("<testsuites><testcase name='a'/></testsuites>", 1, "");
    check(
        "<testsuites><testsuite name='x'><testsuite name='y'><testcase name='a'/></testsuite><testcase name='b'/></testsuite></testsuites>",
        2,
        "x",
    );
    check(
        "<testsuite name='x'><testsuite name='y'><testcase name='a'/></testsuite></testsuite>",
        1,
        "x > y",
    );
    check(
        "<testsuite name='x'><failure message='did not load'/></testsuite>",
        1,
        "x",
    );
    check(
        "<testsuite name='x'><testcase name='a'></testsuite>",
        1,
        "x",
    );
    check(
        "<testsuite name='x'><testcase name='a'><testcase name='b'/></testsuite>",
        2,
        "x",
    );
    check(
        "<testsuite name='x'><testcase name='a'/></testsuite>\n<?xml version='1.0'?><testsuite name='z'><testcase name='b'/></testsuite>",
        2,
        "z",
    );
}

#[test]
fn hosts_are_projects_of_playwright_only() {
    let check = |root: &str, classname: &str, expected: &[&str]| {
        let (_, case) = read_one(
            format!("<testsuites {root}><testsuite name='a.spec.ts' hostname='h'><testcase name='t' classname='{classname}'/></testsuite></testsuites>").as_bytes(),
        );
        let values: Vec<_> = case.properties.iter().map(|(_, value)| value).collect();
        assert_eq!(values, expected, "{root} {classname}");
    };
    check("id='' name=''", "a.spec.ts", &["h"]);
    check("id='' name=''", "A", &[]);
    check("id='run 7' name=''", "a.spec.ts", &[]);
    check("name='vitest tests'", "a.spec.ts", &[]);
}

#[test]
fn properties_in_both_places_and_forms() {
    let mut collected = Collected::default();
    let text = "<testsuites><testsuite name='s'><testcase name='a' test_resolution='Passed'><properties><property name='docstr'>text</property><property name='x' value='1'/><property name='x' value='2'/></properties></testcase></testsuite><properties><property name='build' value='7'/></properties></testsuites>";
    let summary = parse(text.as_bytes(), &Limits::default(), &mut collected).expect("is a report");
    assert_eq!(summary.properties, [("build".to_owned(), "7".to_owned())]);
    assert_eq!(summary.format.as_str(), "testhide");
    let case = &collected.cases[0];
    assert_eq!(case.docstring.as_deref(), Some("text"));
    assert_eq!(case.properties.len(), 2);
}

#[test]
fn characters_are_repaired_with_a_warning() {
    let check = |bytes: &[u8], message: &str, code: &str| {
        let (summary, case) = read_one(bytes);
        assert_eq!(case.message.as_deref(), Some(message));
        assert!(codes(&summary).contains(&code), "{:?}", summary.warnings);
    };
    let wrap = |message: &[u8]| {
        [
            b"<testsuite><testcase name='a'><failure message='",
            message,
            b"'/></testcase></testsuite>",
        ]
        .concat()
    };
    check(&wrap(b"bell \x07 end"), "bell  end", "illegal_character");
    check(&wrap(b"\x1b[31mred\x1b[0m"), "red", "illegal_character");
    check(&wrap(b"&#x1B;[31mred&#0;"), "red", "illegal_reference");
    check(&wrap(b"&nope; & &amp;"), "&nope; & &", "illegal_reference");
    check(&wrap(b"caf\xe9"), "caf\u{e9}", "invalid_bytes");
    check(&wrap(b"\xed\xa0\x80"), "\u{FFFD}", "lone_surrogate");
    check(
        b"<testsuite><testcase name='a'><failure>x < y</failure></testcase></testsuite>",
        "x < y",
        "stray_markup",
    );
    let latin: Vec<u8> = [
        &b"<?xml version='1.0' encoding='ISO-8859-1'?>"[..],
        &wrap(b"caf\xe9"),
    ]
    .concat();
    assert_eq!(read_one(&latin).1.message.as_deref(), Some("caf\u{e9}"));
    let utf16: Vec<u8> = [0xFE, 0xFF]
        .into_iter()
        .chain(
            String::from_utf8_lossy(&wrap("日😀".as_bytes()))
                .encode_utf16()
                .flat_map(u16::to_be_bytes),
        )
        .collect();
    assert_eq!(read_one(&utf16).1.message.as_deref(), Some("日😀"));
}

#[test]
fn a_cut_tail_keeps_what_was_read() {
    let (summary, cases) =
        read(b"<testsuite><testcase name='a'/><testcase name='b'><failure message='m'>tra")
            .expect("kept");
    assert!(summary.truncated && codes(&summary).contains(&"truncated"));
    assert_eq!((cases.len(), cases[1].outcome), (2, Outcome::Failed));
    assert_eq!(
        cases[1].trace.as_ref().map(|text| text.value.as_str()),
        Some("tra")
    );
    let (summary, cases) =
        read(b"<testsuite><testcase name='a'/><testcase name='b'><system-out>x").expect("kept");
    assert!(
        cases.len() == 1 && codes(&summary).contains(&"incomplete_case"),
        "an unknown outcome must not look passed"
    );
    let (summary, cases) =
        read(br#"{"results":{"tests":[{"name":"a","status":"passed"},{"name":"b","sta"#)
            .expect("kept");
    assert!(summary.truncated && cases.len() == 1);
}

#[test]
fn ctrf() {
    let text = r#"{"reportFormat":"CTRF","results":{"tests":[
        {"name":"a","status":"passed","duration":12.4,"suite":["x","y"],"filePath":"a.ts","line":3,"retries":1,"flaky":true,
         "retryAttempts":[{"attempt":1,"status":"failed","message":"TypeError: no","duration":3}],"tags":["t"],"steps":[{"name":"s"}]},
        {"name":"b","status":"failed","duration":0,"message":"Error: m","trace":"t\nu","stdout":["1","2"],"suite":"z","attachments":[{"name":"n","path":"p.png"}]},
        {"name":"c","status":"pending"},{"name":"d","status":"other","rawStatus":"timedOut"},{"name":"e","status":"other"},
        {"name":"f","status":"odd"}, 7],
        "summary":{"tests":6,"passed":1,"failed":1,"pending":1,"skipped":0,"other":3,"start":1795248854492,"stop":1795248855000},
        "tool":{"name":"jest","version":"29"},"environment":{"branchName":"main"}}} x"#;
    let (summary, cases) = read(text.as_bytes()).expect("is a report");
    assert_eq!(
        (
            summary.reporter.as_deref(),
            summary.reporter_version.as_deref()
        ),
        (Some("jest"), Some("29"))
    );
    assert_eq!(
        summary.counts,
        Counts {
            total: 6,
            passed: 1,
            failed: 1,
            skipped: 1,
            error: 1,
            not_run: 2,
            known_issue: 0
        }
    );
    assert_eq!(
        codes(&summary),
        ["ctrf_status", "ctrf_test", "trailing_content"]
    );
    assert_eq!(
        summary.started_at.map(jiff::Timestamp::as_millisecond),
        Some(1_795_248_854_492)
    );
    let (a, b) = (&cases[0], &cases[1]);
    assert_eq!(
        (
            a.classname.as_str(),
            a.duration_ms,
            a.attempt,
            a.retries[0].kind.as_deref()
        ),
        ("x > y", Some(12), 2, Some("TypeError"))
    );
    assert_eq!(
        a.extra,
        [("steps".to_owned(), r#"[{"name":"s"}]"#.to_owned())]
    );
    assert_eq!(
        b.stdout.as_ref().map(|text| text.value.as_str()),
        Some("1\n2")
    );
    assert_eq!(b.attachments, ["p.png"]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(parts in proptest::collection::vec(prop_oneof![
        Just("<testsuite name='s'>"), Just("<testcase name='t' time='1'>"), Just("</testcase>"), Just("</testsuite>"), Just("<failure message='m'>"),
        Just("</failure>"), Just("<rerunFailure>"), Just("<flakyError type='x'>"), Just("<stackTrace>"), Just("</stackTrace>"), Just("<system-out>"),
        Just("</system-out>"), Just("<property name='nodeid' value='n'/>"), Just("<property>"), Just("<skipped/>"), Just("<![CDATA["), Just("]]>"),
        Just("text &amp; &#1;"), Just("<error/>"), Just("<x>"), Just("</x>"), Just("<!--"), Just("-->"), Just("\u{1b}["), Just("<"), Just("'"),
    ], 0..40)) {
        let text = format!("<testsuite>{}", parts.concat());
        detect(text.as_bytes());
        if let Ok((summary, cases)) = read(text.as_bytes()) {
            prop_assert_eq!(summary.counts.total, cases.len() as u64);
        }
    }

    #[test]
    fn bytes_never_panic(head in prop_oneof![Just("<testsuite>"), Just("{\"results\":{\"tests\":["), Just("")], bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let input = [head.as_bytes(), &bytes].concat();
        detect(&input);
        drop(read(&input));
    }

    #[test]
    fn written_cases_are_read(names in proptest::collection::vec("[a-z<>&'\"é日😀 \\[\\]]{1,20}", 1..20)) {
        let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('\'', "&apos;");
        let rows: String = names.iter().map(|name| format!("<testcase name='{0}'><system-out>{0}</system-out></testcase>", escape(name))).collect();
        let (summary, cases) = read(format!("<testsuite>{rows}</testsuite>").as_bytes()).expect("is a report");
        prop_assert_eq!(summary.repaired, 0);
        for (case, name) in cases.iter().zip(&names) {
            if name.trim().is_empty() {
                prop_assert_eq!(&case.name, "(unnamed)");
            } else {
                prop_assert_eq!(&case.name, name);
                prop_assert_eq!(&case.stdout.as_ref().expect("has output").value, name);
            }
        }
    }
}

#[test]
fn a_document_inside_a_case() {
    // A libtest process dies in a test, and the next one writes its document to the same pipe.
    let (summary, cases) = read(
        b"<?xml version='1.0'?><testsuites><testsuite name='one' tests='3'><testcase name='a'/>\n\
          <testcase name='dies'><?xml version='1.0'?><testsuites><testsuite name='two' tests='2'>\n\
          <testcase name='b'/><testcase name='c'><failure/></testcase></testsuite></testsuites>",
    )
    .expect("is a report");
    let rows: Vec<_> = cases
        .iter()
        .map(|case| (case.name.as_str(), &*case.suite, case.outcome))
        .collect();
    assert_eq!(
        rows,
        [
            ("a", "one", Outcome::Passed),
            ("b", "two", Outcome::Passed),
            ("c", "two", Outcome::Failed)
        ]
    );
    assert!(summary.truncated, "the first of the two is cut");
    let told = |code| {
        let found = summary.warnings.iter().find(|found| found.code == code);
        found.map(|warning| warning.line)
    };
    assert_eq!(told("truncated"), Some(2));
    assert_eq!(told("incomplete_case"), Some(2));
}

#[test]
fn text_before_a_report() {
    let check = |text: &[u8], line: u64| {
        let (summary, case) = read_one(text);
        assert_eq!(codes(&summary), ["text_before"]);
        assert_eq!((case.name.as_str(), case.report_line), ("a", line));
        assert_eq!(
            detect(text),
            None,
            "a log in a folder of reports is no report"
        );
    };
    check(
        b"\n> shop@1.0.0 test\n> mocha --reporter xunit\n\n<testsuite><testcase name='a'/></testsuite>",
        5,
    );
    check(
        b"written to x.json\n{\"numTotalTests\":1,\"numFailedTests\":0,\"testResults\":[{\"assertionResults\":[{\"title\":\"a\",\"status\":\"passed\"}]}]}",
        2,
    );
    check(
        b"\xEF\xBB\xBF\xEF\xBB\xBF<testsuite><testcase name='a'/></testsuite>",
        1,
    );
    for refused in [
        "log\n<html>\n<testsuite><testcase name='a'/></testsuite>".replace("html", "!DOCTYPE html"),
        "<html>\n<testsuite><testcase name='a'/></testsuite>".to_owned(),
        "log\n<!DOCTYPE x [<!ENTITY a 'b'>]>\n<testsuite><testcase name='&a;'/></testsuite>"
            .to_owned(),
    ] {
        assert!(read(refused.as_bytes()).is_err(), "{refused}");
    }
}
