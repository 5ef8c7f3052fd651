//! The formats of XML other than JUnit against hostile documents: cut, nested, huge, with declarations, in other encodings.

use std::fs;
use std::io::{BufReader, Read};

use proptest::prelude::*;

use super::corpus::Collected;
use super::hostile::codes;
use super::limit::Endless;
use super::xml_formats::{read, reports_of};
use crate::reports::parse::{
    Format, Limits, Outcome, ParseError, ParsedCase, Summary, Text, parse, parse_as,
};

pub(super) const FORMATS: [Format; 5] = [
    Format::Nunit2,
    Format::Nunit3,
    Format::Xunit,
    Format::Trx,
    Format::Testng,
];

fn try_read(bytes: impl Read) -> (Result<Summary, ParseError>, Vec<ParsedCase>) {
    let mut collected = Collected::default();
    let end = parse(BufReader::new(bytes), &Limits::default(), &mut collected);
    (end, collected.cases)
}

fn cases_of(text: &str) -> Vec<ParsedCase> {
    let (end, cases) = try_read(text.as_bytes());
    end.unwrap_or_else(|error| panic!("{text}: {error}"));
    cases
}

fn fixtures() -> impl Iterator<Item = (String, Vec<u8>)> {
    FORMATS.into_iter().flat_map(reports_of).map(|(path, _)| {
        let bytes = fs::read(&path).expect("fixture is there");
        (path.display().to_string(), bytes)
    })
}

#[test]
fn every_cut_is_survived() {
    for (name, bytes) in fixtures() {
        let last_tag = bytes
            .iter()
            .rposition(|&byte| byte == b'>')
            .expect("has tags");
        let (whole, _) = read(&bytes);
        for cut in (0..bytes.len()).step_by(97) {
            let (end, cases) = try_read(&bytes[..cut]);
            match end {
                Ok(summary) => {
                    assert_eq!(summary.truncated, cut <= last_tag, "{name} cut at {cut}");
                    assert_eq!(summary.counts.total, cases.len() as u64, "{name}");
                    // A row for the run or a suite is made at the end of it only.
                    assert!(summary.counts.total <= whole.counts.total, "{name}");
                }
                Err(error) => {
                    assert!(cases.is_empty(), "{name} cut at {cut}: {error}");
                }
            }
        }
    }
}

#[test]
fn encodings_make_no_difference() {
    for (name, bytes) in fixtures() {
        let text = String::from_utf8(bytes.clone()).expect("fixtures are UTF-8");
        let text = text.trim_start_matches('\u{FEFF}');
        let utf16: Vec<u8> = [0xFF, 0xFE]
            .into_iter()
            .chain(text.encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert_eq!(read(&utf16).1.cases, read(&bytes).1.cases, "{name}");
    }
}

#[test]
fn document_types_are_refused() {
    for (name, bytes) in fixtures() {
        let text = String::from_utf8(bytes).expect("fixtures are UTF-8");
        let text = text.trim_start_matches('\u{FEFF}');
        let (declaration, rest) = text.split_once('\n').expect("has lines");
        let bomb = "<!DOCTYPE r [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>";
        let (end, cases) = try_read(format!("{declaration}\n{bomb}{rest}").as_bytes());
        let error = end.expect_err(&name);
        assert_eq!((error.code(), error.line()), ("report_doctype_refused", 2));
        assert!(cases.is_empty());

        let (head, last) = rest.rsplit_once("</").expect("has a root");
        let late = format!("{declaration}\n{head}{bomb}</{last}");
        let error = try_read(late.as_bytes()).0.expect_err(&name);
        assert_eq!(error.code(), "report_doctype_refused", "{name}");
    }
}

/// A document of each format, to put something into: what stands before a text of a failing test, and after it.
fn around_a_text() -> [(Format, &'static str, &'static str); 5] {
    [
        (
            Format::Nunit2,
            "<test-results total='1'><test-suite type='TestFixture' name='C'><results><test-case name='C.t' result='Failure'><failure><stack-trace>",
            "</stack-trace></failure></test-case></results></test-suite></test-results>",
        ),
        (
            Format::Nunit3,
            "<test-run total='1'><test-suite fullname='C'><test-case name='t' fullname='C.t' result='Failed'><failure><stack-trace>",
            "</stack-trace></failure></test-case></test-suite></test-run>",
        ),
        (
            Format::Xunit,
            "<assemblies><assembly name='a' total='1'><collection name='c'><test name='C.t' type='C' method='t' result='Fail'><failure><stack-trace>",
            "</stack-trace></failure></test></collection></assembly></assemblies>",
        ),
        (
            Format::Trx,
            "<TestRun><Results><UnitTestResult testName='C.t' outcome='Failed'><Output><ErrorInfo><StackTrace>",
            "</StackTrace></ErrorInfo></Output></UnitTestResult></Results></TestRun>",
        ),
        (
            Format::Testng,
            "<testng-results total='1'><suite name='s'><test name='t'><class name='C'><test-method name='t' status='FAIL'><exception class='E'><full-stacktrace>",
            "</full-stacktrace></exception></test-method></class></test></suite></testng-results>",
        ),
    ]
}

#[test]
fn a_text_of_fifty_megabytes_is_cut() {
    for (format, before, after) in around_a_text() {
        // Five of them would take long without optimisation; rows of this format wait for their definitions.
        let megabytes = if format == Format::Trx { 50 } else { 5 };
        let part = b"all work and no play\n";
        let huge = Endless { part, offset: 0 };
        let lines = (megabytes << 20) / part.len() as u64;
        let input = before
            .as_bytes()
            .chain(huge.take(lines * part.len() as u64))
            .chain(after.as_bytes());
        let (end, cases) = try_read(input);
        let summary = end.expect("is a report");
        assert_eq!((summary.format, summary.truncated), (format, false));
        let [case] = &cases[..] else {
            panic!("{format:?}: {} cases", cases.len());
        };
        assert_eq!(
            (case.classname.as_str(), case.name.as_str(), case.outcome),
            ("C", "t", Outcome::Failed)
        );
        let trace: &Text = case.trace.as_ref().expect("has a trace");
        assert!(trace.value.len() < 600 << 10, "{format:?}");
        assert!(trace.bytes > (megabytes - 1) << 20, "{format:?}");
        assert!(trace.cut > (megabytes - 1) << 20, "{format:?}");
    }
}

#[test]
fn deep_documents_need_no_stack() {
    for (format, before, after) in around_a_text() {
        for element in [
            "a",
            "test-suite",
            "results",
            "UnitTestResult",
            "output",
            "suite",
        ] {
            let open = format!("<{element}>").repeat(100_000);
            let (end, cases) = try_read(format!("{before}{open}").as_bytes());
            match end {
                Ok(summary) => assert!(summary.truncated && !cases.is_empty(), "{format:?}"),
                Err(error) => assert_eq!(error.code(), "report_broken", "{format:?}"),
            }
            let close = format!("</{element}>").repeat(100_000);
            let (end, _) = try_read(format!("{before}{open}{close}{after}").as_bytes());
            assert!(codes(&end.expect("is a report")).contains(&"too_deep"));
        }
    }
}

#[test]
fn odd_documents() {
    let check = |text: &str, expected: &[(&str, &str, Outcome)]| {
        let cases = cases_of(text);
        let found: Vec<_> = cases
            .iter()
            .map(|case| (case.classname.as_str(), case.name.as_str(), case.outcome))
            .collect();
        assert_eq!(found, expected, "{text}");
    };
    // Without a name, without an outcome, without an end tag, without a suite.
    check(
        "<test-run><test-case result='Passed'/><test-case name='b'><test-case name='c' result='Passed'></test-run>",
        &[
            ("", "(unnamed)", Outcome::Passed),
            ("", "b", Outcome::Error),
            ("", "c", Outcome::Passed),
        ],
    );
    check(
        "<assemblies><assembly name='a'><collection><test name='N.C.t(1.5)' result='Pass'></collection><test name='' type='C' method='m' result='pass'/></assembly></assemblies>",
        &[
            ("N.C", "t(1.5)", Outcome::Passed),
            ("C", "m", Outcome::Passed),
        ],
    );
    check(
        "<TestRun><Results><UnitTestResult outcome='Passed'/><UnitTestResult testName='N.C.t'/></Results></TestRun>",
        &[
            ("", "(unnamed)", Outcome::Passed),
            ("N.C", "t", Outcome::Error),
        ],
    );
    check(
        "<testng-results><class name='C' package='p'><test-method name='a' status='PASS'><param value='1'/><test-method status='STARTED'/></class></testng-results>",
        &[
            ("p.C", "a(1)", Outcome::Passed),
            ("p.C", "(unnamed)", Outcome::Error),
        ],
    );
    // A run that failed as a whole turns no report red whose tests say so already.
    check(
        "<TestRun><Results><UnitTestResult testName='t' outcome='Failed'/></Results><ResultSummary outcome='Failed'><RunInfos><RunInfo outcome='Error'><Text>crashed</Text></RunInfo></RunInfos></ResultSummary></TestRun>",
        &[("", "t", Outcome::Failed)],
    );
    check(
        "<TestRun><ResultSummary outcome='Completed'/></TestRun>",
        &[],
    );
    check(
        "<TestRun><ResultSummary outcome='Error'/></TestRun>",
        &[("", "(suite)", Outcome::Error)],
    );
    // A passing suite with a failure of its own in the text only is no failure.
    check(
        "<test-run><test-suite name='s' result='Passed'><failure><message>m</message></failure></test-suite></test-run>",
        &[],
    );
}

#[test]
fn properties_have_an_end() {
    let rows = "<property name='p' value='v'/>".repeat(50);
    let text = format!(
        "<test-run><test-case name='a' result='Passed'><properties>{rows}</properties></test-case></test-run>"
    );
    let limits = Limits {
        properties: 10,
        ..Limits::default()
    };
    let mut collected = Collected::default();
    let summary = parse(text.as_bytes(), &limits, &mut collected).expect("is a report");
    assert_eq!(collected.cases[0].properties.len(), 10);
    assert_eq!(summary.warnings_total, 40);
    assert!(codes(&summary).contains(&"too_many_properties"));
}

/// Results that are larger than the budget in which they may wait for their definitions.
#[test]
fn definitions_may_be_too_far_away() {
    let result = |name: &str, id: u32| {
        format!(
            "<UnitTestResult testId='{id}' testName='{name}' outcome='Passed'><Output><StdOut>{}</StdOut></Output></UnitTestResult>",
            "x".repeat(100_000)
        )
    };
    let definition =
        |id: u32| format!("<UnitTest id='{id}'><TestMethod className='N.C' name='t'/></UnitTest>");
    let count = 400;
    let results: String = (0..count)
        .map(|id| result(if id % 2 == 0 { "t" } else { "N.C.t" }, id))
        .collect();
    let definitions: String = (0..count).map(definition).collect();
    let definitions = format!("<TestDefinitions>{definitions}</TestDefinitions>");
    let counters = format!("<ResultSummary><Counters total='{count}'/></ResultSummary>");

    let text = format!("<TestRun><Results>{results}</Results>{definitions}{counters}</TestRun>");
    let (end, cases) = try_read(text.as_bytes());
    assert_eq!(codes(&end.expect("is a report")), ["definitions_too_far"]);
    assert_eq!(cases.len(), count as usize);
    for pair in cases.chunks(2) {
        assert_eq!(
            (pair[0].classname.as_str(), pair[0].name.as_str()),
            ("", "t")
        );
        assert_eq!(
            (pair[1].classname.as_str(), pair[1].name.as_str()),
            ("N.C", "t")
        );
    }

    let text = format!("<TestRun>{definitions}<Results>{results}</Results>{counters}</TestRun>");
    let (end, cases) = try_read(text.as_bytes());
    assert!(codes(&end.expect("is a report")).is_empty());
    assert!(
        cases
            .iter()
            .all(|case| case.classname == "N.C" && case.name == "t")
    );
}

#[test]
fn a_class_may_have_too_many_rows_to_put_in_order() {
    let row = |status: &str, retried: bool| {
        format!(
            "<test-method name='t' status='{status}' retried='{retried}'><reporter-output><line>{}</line></reporter-output></test-method>",
            "x".repeat(200_000)
        )
    };
    let rows = row("SKIP", true).repeat(200) + &row("PASS", false);
    let text = format!(
        "<testng-results retried='200'><suite name='s'><test name='t'><class name='C'>{rows}</class></test></suite></testng-results>"
    );
    let (end, cases) = try_read(text.as_bytes());
    assert_eq!(codes(&end.expect("is a report")), ["many_rows"]);
    assert_eq!(cases.len(), 201);
    assert_eq!(cases[200].outcome, Outcome::Passed);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics(format in 0_usize..5, parts in proptest::collection::vec(prop_oneof![
        Just("<test-suite name='s' result='Failed'>"), Just("</test-suite>"), Just("<test-case name='t' fullname='C.t' result='Failed'>"), Just("</test-case>"),
        Just("<failure>"), Just("</failure>"), Just("<message>m"), Just("</message>"), Just("<stack-trace>s</stack-trace>"), Just("<assertion result='Failed'>"),
        Just("</assertion>"), Just("<property name='p'>"), Just("<property name='p' value='v'/>"), Just("</property>"), Just("<environment machine-name='m'/>"),
        Just("<assembly name='a'>"), Just("</assembly>"), Just("<collection>"), Just("<test name='t' result='Pass'>"), Just("</test>"), Just("<error>"),
        Just("</error>"), Just("<attachment name='a'>"), Just("<trait name='a' value='b'/>"), Just("<Results>"), Just("</Results>"),
        Just("<UnitTestResult testId='1' testName='t' outcome='Failed'>"), Just("</UnitTestResult>"), Just("<InnerResults>"), Just("</InnerResults>"),
        Just("<TestDefinitions>"), Just("</TestDefinitions>"), Just("<UnitTest id='1'>"), Just("</UnitTest>"), Just("<TestMethod className='C' name='t'/>"),
        Just("<RunInfo outcome='Error'><Text>x</Text></RunInfo>"), Just("<ResultSummary outcome='Failed'/>"), Just("<class name='C'>"), Just("</class>"),
        Just("<test-method name='t' status='SKIP' retried='true'>"), Just("<test-method name='t' status='PASS'/>"), Just("</test-method>"), Just("<value>"),
        Just("<line>l</line>"), Just("<output>o</output>"), Just("<x>"), Just("</x>"), Just("<![CDATA["), Just("]]>"), Just("text &amp; &#1;"), Just("<"), Just("'"),
    ], 0..40)) {
        let (format, ..) = around_a_text()[format];
        let roots = ["<test-results>", "<test-run>", "<assemblies>", "<TestRun>", "<testng-results>"];
        for root in roots {
            let text = format!("{root}{}", parts.concat());
            let mut collected = Collected::default();
            if let Ok(summary) = parse_as(format, text.as_bytes(), &Limits::default(), &mut collected) {
                prop_assert_eq!(summary.counts.total, collected.cases.len() as u64);
                prop_assert!(collected.cases.iter().all(|case| !case.name.is_empty()));
            }
        }
    }
}
