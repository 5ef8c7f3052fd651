//! The parser against things without end: huge texts, tags and lists, and endless nesting.

use std::io::{BufReader, Read};

use super::corpus::Collected;
use super::hostile::{codes, read};
use crate::reports::parse::{Limits, parse};

/// Repeats a part without end and without holding more than one of it.
pub(super) struct Endless<'a> {
    pub(super) part: &'a [u8],
    pub(super) offset: usize,
}

impl Read for Endless<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let rest = &self.part[self.offset..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.offset = (self.offset + count) % self.part.len();
        Ok(count)
    }
}

#[test]
fn one_huge_thing_is_cut() {
    let huge = 6 << 20;
    for (open, part, close) in [
        (
            "<testsuite><testcase name='a'><system-out>",
            "all work and no play\n",
            "end</system-out></testcase></testsuite>",
        ),
        (
            "<testsuite><testcase name='a'><system-out><![CDATA[",
            "]] > no end\n",
            "]]></system-out></testcase></testsuite>",
        ),
        (
            "<testsuite><testcase name='a' x='",
            "attribute without end ",
            "'/></testsuite>",
        ),
        ("<testsuite><testcase name='a' ", "x='1' ", "/></testsuite>"),
        (
            "<testsuite><testcase name='a'><!--",
            "- comment ",
            "--></testcase></testsuite>",
        ),
        (
            "<testsuite><testcase name='a'><failure>",
            "<b>",
            "</failure></testcase></testsuite>",
        ),
        ("<testsuite><testcase name='a'/></", "x", "></testsuite>"),
        (
            r#"{"results":{"tests":[{"name":"a","status":"passed","stdout":""#,
            "all work\\n",
            r#""}]}}"#,
        ),
        (
            r#"{"results":{"tests":[{"name":"a","status":"passed","x":[0"#,
            ",[1,{\"y\":2}]",
            r#"]}]}}"#,
        ),
    ] {
        let input = open
            .as_bytes()
            .chain(
                Endless {
                    part: part.as_bytes(),
                    offset: 0,
                }
                .take(huge / part.len() as u64 * part.len() as u64),
            )
            .chain(close.as_bytes());
        let mut collected = Collected::default();
        let summary = parse(BufReader::new(input), &Limits::default(), &mut collected)
            .unwrap_or_else(|error| panic!("{open}: {error}"));
        assert_eq!(summary.counts.total, 1, "{open}");
        let case = &collected.cases[0];
        let size: usize = case
            .stdout
            .iter()
            .chain(&case.trace)
            .map(|text| text.value.len())
            .sum::<usize>()
            + case
                .extra
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>();
        assert!(size < 2 << 20, "{open} kept {size} bytes");
    }
}

#[test]
fn deep_nesting_needs_no_stack() {
    let text = format!(
        "<testsuite><testcase name='a'/>{}{}<testcase name='b'/></testsuite>",
        "<testsuite>".repeat(100_000),
        "</testsuite>".repeat(100_000)
    );
    let (summary, cases) = read(text.as_bytes()).expect("is a report");
    assert_eq!(cases.len(), 2);
    assert!(codes(&summary).contains(&"too_deep"));
    let text = format!(
        "<testsuite><testcase name='a'/>{}",
        "<testsuite>".repeat(100_000)
    );
    assert!(read(text.as_bytes()).expect("is a report").0.truncated);
}

#[test]
fn limits_hold() {
    let text = format!("<testsuite>{}</testsuite>", "<testcase name='a'><properties><property name='p' value='v'/><property name='q' value='v'/></properties></testcase>".repeat(10));
    let limits = Limits {
        cases: 3,
        properties: 1,
        ..Limits::default()
    };
    let mut collected = Collected::default();
    let summary = parse(text.as_bytes(), &limits, &mut collected).expect("is a report");
    assert_eq!(
        (
            summary.counts.total,
            summary.truncated,
            collected.cases[0].properties.len()
        ),
        (3, true, 1)
    );
    assert!(codes(&summary).contains(&"too_many_cases"));
}
