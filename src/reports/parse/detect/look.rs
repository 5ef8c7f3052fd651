//! Which format a file has, by its content alone.

use super::json::look_at_json;
use super::lines::look_at_lines;
use super::xml::look_at_xml;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::decode_head;

/// As much of a file as is looked at.
pub(in crate::reports::parse) const HEAD_BYTES: usize = 64 << 10;

/// What a zip archive begins with.
pub(in crate::reports::parse) const ARCHIVE_MAGIC: [u8; 4] = *b"PK\x03\x04";

/// What a file packed by gzip begins with.
const GZIP_MAGIC: [u8; 2] = [0x1F, 0x8B];

/// What the head of a file shows.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::reports::parse) enum Head {
    /// A document of JSON.
    Json(Format),
    /// Lines that are read one by one: lines of JSON, TAP.
    Lines(Format),
    /// A document of XML.
    Xml {
        format: Format,
        /// The XML declaration uses `'`: written by Python.
        single_quoted: bool,
    },
    Doctype {
        line: u64,
    },
    Unknown {
        line: u64,
        reason: String,
    },
}

/// Lines of a head that are tried as the beginning of a document.
const BEGINNINGS: usize = 64;

/// A document of XML or JSON below lines that are no part of it, such as what a package manager or another reporter prints first: how
/// many bytes stand before it, and what it is. A file that begins as XML or JSON itself has nothing below.
pub(in crate::reports::parse) fn look_below(head: &[u8]) -> Option<(usize, Head)> {
    let begins = |line: &[u8]| {
        let margin = |byte: &&u8| matches!(byte, b' ' | b'\t' | 0xEF | 0xBB | 0xBF);
        let indent = line.iter().take_while(margin).count();
        matches!(line.get(indent), Some(b'<' | b'{' | b'[')).then_some(indent)
    };
    if matches!(
        head.trim_ascii_start().first(),
        None | Some(b'<' | b'{' | b'[')
    ) {
        return None;
    }
    let mut start = 0;
    let mut tries = 0;
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        if let Some(indent) = begins(line) {
            let at = start + indent;
            match look(&head[at..]) {
                found @ (Head::Json(_) | Head::Xml { .. }) => return Some((at, found)),
                Head::Doctype { .. } => return None,
                Head::Lines(_) | Head::Unknown { .. } => tries += 1,
            }
            if tries == BEGINNINGS {
                return None;
            }
        }
        start += line.len();
    }
    None
}

/// The format of a file, from its first bytes (at most 64 KiB are looked at). `None`: none that is known, or one that
/// [`crate::reports::parse::parse`] would refuse. File names and media types play no part.
pub fn detect(head: &[u8]) -> Option<Format> {
    match look(&decode_head(&head[..head.len().min(HEAD_BYTES)])) {
        Head::Json(format) | Head::Lines(format) | Head::Xml { format, .. } => Some(format),
        Head::Doctype { .. } | Head::Unknown { .. } => None,
    }
}

/// Whether a file is an archive, from its first bytes: only [`crate::reports::parse::parse_seekable`] reads those.
pub fn is_archive(head: &[u8]) -> bool {
    head.starts_with(&ARCHIVE_MAGIC)
}

/// Looks at a head that is UTF-8.
pub(in crate::reports::parse) fn look(head: &[u8]) -> Head {
    let content = head.trim_ascii_start();
    let unknown = |reason: &str| Head::Unknown {
        line: 1,
        reason: reason.to_owned(),
    };
    let found = match content.first() {
        None => return unknown("empty"),
        Some(b'P') if is_archive(content) => {
            return unknown("a zip archive where a plain file is expected");
        }
        Some(_) if content.starts_with(&GZIP_MAGIC) => {
            return unknown("packed by gzip, and wants to be unpacked first");
        }
        Some(b'<') => return look_at_xml(head),
        Some(b'{' | b'[') => look_at_json(content).map(Head::Json),
        Some(_) => None,
    };
    match found.or_else(|| look_at_lines(content).map(Head::Lines)) {
        Some(head) => head,
        None if matches!(content[0], b'{' | b'[') => {
            unknown("JSON of a shape that no known test tool writes")
        }
        None => unknown("neither XML nor JSON nor lines of a known test tool"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_content() {
        let check = |head: &str, expected: Option<Format>| {
            assert_eq!(detect(head.as_bytes()), expected, "{head}");
        };
        check("", None);
        check("hello", None);
        check("<xyz/>", None);
        check("<!DOCTYPE testsuite><testsuite/>", None);
        check("<testsuite name='a'>", Some(Format::Junit));
        check(
            "\u{FEFF} \n<?xml version='1.0'?><!-- c --><testsuites>",
            Some(Format::Junit),
        );
        check("<test-results name='a'/>", Some(Format::Nunit2));
        check("<test-run id='2'>", Some(Format::Nunit3));
        check("<assemblies/>", Some(Format::Xunit));
        check("<assembly name='a' run-date='x'>", Some(Format::Xunit));
        check("<assembly manifestVersion='1.0'>", None);
        check(
            "\u{FEFF}<TestRun xmlns='http://microsoft.com/schemas/VisualStudio/TeamTest/2010'>",
            Some(Format::Trx),
        );
        check("<testng-results total='1'>", Some(Format::Testng));
        check("<j:testsuites xmlns:j='x'>", Some(Format::Junit));
        check(
            "<testcase name='a' test_resolution='Passed'/>",
            Some(Format::Testhide),
        );
        check(
            "<testsuites><testsuite><properties><property name='testhide_schema_version' value='1'/>",
            Some(Format::Testhide),
        );
        check(
            "<testsuites><testsuite><testcase name='a'><system-out>test_resolution='x'",
            Some(Format::Junit),
        );
        check(
            "<?xml version='1.0'?><robot generator='Robot 7.3'><suite><test name='testhide_schema_version'/>",
            Some(Format::Robot),
        );
        check(
            r#"{"results":{"tool":{"name":"jest"}}}"#,
            Some(Format::Ctrf),
        );
        check(
            r#" { "a": {"results": 1}, "results" : { "tests": [" "#,
            Some(Format::Ctrf),
        );
        check(r#"{"reportFormat":"CTRF","#, Some(Format::Ctrf));
        check(r#"{"results":[{"tests":1}]}"#, None);
        check(r#"{"stats":{"tests":1},"tests":[]}"#, None);
        check("[]", None);
        check(
            "warning: x\n{\"Time\":\"2026\",\"Action\":\"start\",\"Package\":\"a\"}",
            Some(Format::GoTest),
        );
        check("{\"Action\":\"start\"}", None);
        check(
            "   Compiling x\n{ \"type\": \"suite\", \"event\": \"started\", \"test_count\": 1 }",
            Some(Format::Libtest),
        );
        check(
            "> test\n> node --test\n\nTAP version 13\n",
            Some(Format::Tap),
        );
        check("1..0 # SKIP why", Some(Format::Tap));
        check("ok 1", Some(Format::Tap));
        check("ok, 1 thing", None);
        check("1..2..3", None);
        check(
            "{\"uuid\":\"a\",\"status\":\"passed\",\"steps\":[]}",
            Some(Format::Allure),
        );
        check("{\"status\":\"passed\"}", None);
        check("{\"uuid\":\"a\",\"children\":[\"b\"],\"befores\":[]}", None);
        check("PK\u{3}\u{4}", None);
        let Head::Unknown { reason, .. } = look(&[0x1F, 0x8B, 8, 0]) else {
            panic!("gzip is no format of its own");
        };
        assert!(reason.contains("gzip"), "{reason}");
        let utf16: Vec<u8> = [0xFF, 0xFE]
            .into_iter()
            .chain("<testsuite/>".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert_eq!(detect(&utf16), Some(Format::Junit));
    }
}
