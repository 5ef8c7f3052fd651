//! What every fuzz target checks: a parse never panics, keeps its limits, tells the same twice, and names lines.

pub mod reports;

use std::fmt::Debug;
use std::io::Cursor;

use reports::parse::{
    Attempts, Limits, ParseError, ParsedCase, Sink, Stop, SuiteInfo, Summary, Text, is_archive, parse, parse_as,
    parse_seekable,
};

pub use reports::parse::Format;

/// A fuzz target for one format, whatever the content looks like.
#[macro_export]
macro_rules! target {
    ($format:ident) => {
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $crate::check(
            Some($crate::Format::$format),
            bytes
        ));
    };
}

/// Small, so that a short input reaches every one of them.
const LIMITS: Limits = Limits {
    depth: 8,
    tag_bytes: 512,
    attribute_bytes: 64,
    text_bytes: 128,
    cases: 64,
    properties: 8,
    retries: 3,
    warnings: 10,
    json_values: 200,
};

/// Bytes that a marker of a cut may add to a text.
const MARKER: usize = 80;

/// Bytes of one case or suite, whatever its input: long texts, short texts and their names, in at most six lists.
const MOST: usize = (3 + 3 * LIMITS.retries) * (LIMITS.text_bytes + MARKER)
    + (16 + 3 * LIMITS.retries + 6 * 2 * (LIMITS.properties + 4)) * (8 * LIMITS.tag_bytes + MARKER);

#[derive(Debug, Default, PartialEq)]
struct Kept {
    suites: Vec<SuiteInfo>,
    cases: Vec<ParsedCase>,
}

impl Sink for Kept {
    fn suite(&mut self, suite: SuiteInfo) {
        self.suites.push(suite);
    }

    fn case(&mut self, case: ParsedCase) -> Result<(), Stop> {
        self.cases.push(case);
        Ok(())
    }
}

/// Reads `bytes` as `format`, or as what they look like, and checks what every parser promises.
pub fn check(format: Option<Format>, bytes: &[u8]) {
    let (first, kept) = read(format, bytes);
    let (second, again) = read(format, bytes);
    assert_eq!(
        format!("{first:?}"),
        format!("{second:?}"),
        "another end the second time"
    );
    assert!(kept == again, "other cases the second time");
    match &first {
        Ok(summary) => check_summary(summary, &kept),
        Err(error) => assert!(error.line() >= 1, "{error}"),
    }
    for case in &kept.cases {
        check_case(case);
    }
    for suite in &kept.suites {
        check_size(suite, &[&suite.stdout, &suite.stderr]);
    }
    assert!(
        kept.cases.len() as u64 <= LIMITS.cases,
        "more cases than the limit"
    );
    let mut attempts = Attempts::new();
    for case in &kept.cases {
        attempts.place(&case.key());
    }
    assert!(attempts.finish().len() <= kept.cases.len());
}

fn read(format: Option<Format>, bytes: &[u8]) -> (Result<Summary, ParseError>, Kept) {
    let mut kept = Kept::default();
    let end = match format {
        // The only format that may be an archive.
        Some(Format::Allure) if is_archive(bytes) => {
            parse_seekable(Cursor::new(bytes), &LIMITS, &mut kept)
        }
        Some(format) => parse_as(format, bytes, &LIMITS, &mut kept),
        None => parse(bytes, &LIMITS, &mut kept),
    };
    (end, kept)
}

fn check_summary(summary: &Summary, kept: &Kept) {
    assert_eq!(
        summary.counts.total,
        kept.cases.len() as u64,
        "counted other than told"
    );
    assert!(
        summary.warnings.len() <= LIMITS.warnings,
        "more warnings than the limit"
    );
    assert!(summary.warnings_total >= summary.warnings.len() as u64);
    assert!(
        summary.warnings.iter().all(|warning| warning.line >= 1),
        "{:?}",
        summary.warnings
    );
    assert!(
        format!("{summary:?}").len() <= 4 * MOST,
        "a summary without bounds"
    );
}

fn check_case(case: &ParsedCase) {
    assert!(
        !case.name.is_empty() && !case.name.contains('\0'),
        "{case:?}"
    );
    assert!(case.report_line >= 1 && case.attempt >= 1, "{case:?}");
    assert!(
        case.retries.len() <= LIMITS.retries,
        "more retries than the limit"
    );
    for list in [
        case.properties.len(),
        case.attachments.len(),
        case.tickets.len(),
    ] {
        assert!(
            list <= LIMITS.properties,
            "a list longer than the limit: {case:?}"
        );
    }
    let retries = case
        .retries
        .iter()
        .flat_map(|retry| [&retry.trace, &retry.stdout, &retry.stderr]);
    let texts: Vec<_> = [&case.trace, &case.stdout, &case.stderr]
        .into_iter()
        .chain(retries)
        .collect();
    check_size(case, &texts);
}

/// Its long texts keep to their limit, and all of it to a bound.
fn check_size(what: &impl Debug, texts: &[&Option<Text>]) {
    for text in texts.iter().filter_map(|text| text.as_ref()) {
        assert!(
            text.value.len() <= LIMITS.text_bytes + MARKER,
            "longer than its limit: {text:?}"
        );
        assert!(!text.value.contains('\0'), "{text:?}");
    }
    assert!(
        format!("{what:?}").len() <= 4 * MOST,
        "without bounds: {what:?}"
    );
}
