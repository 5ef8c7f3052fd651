//! Which format a file has, by its content alone.

use super::model::Format;
use super::text::decode_head;
use super::xml::{Token, Xml};

/// As much of a file as is looked at.
pub(super) const HEAD_BYTES: usize = 64 << 10;

/// What the head of a file shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Head {
    Json,
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

/// The format of a file, from its first bytes (at most 64 KiB are looked at). `None`: none that is known, or one that
/// [`super::parse`] would refuse. File names and media types play no part.
pub fn detect(head: &[u8]) -> Option<Format> {
    match look(&decode_head(&head[..head.len().min(HEAD_BYTES)])) {
        Head::Json => Some(Format::Ctrf),
        Head::Xml { format, .. } => Some(format),
        Head::Doctype { .. } | Head::Unknown { .. } => None,
    }
}

/// Looks at a head that is UTF-8.
pub(super) fn look(head: &[u8]) -> Head {
    let content = head.trim_ascii_start();
    match content.first() {
        Some(b'{') if is_ctrf(content) => Head::Json,
        Some(b'{' | b'[') => Head::Unknown {
            line: 1,
            reason: "JSON without CTRF's `results`".to_owned(),
        },
        Some(b'<') => look_at_xml(head),
        Some(_) => Head::Unknown {
            line: 1,
            reason: "neither XML nor JSON".to_owned(),
        },
        None => Head::Unknown {
            line: 1,
            reason: "empty".to_owned(),
        },
    }
}

fn look_at_xml(head: &[u8]) -> Head {
    let mut xml = Xml::new(head, HEAD_BYTES);
    let mut root_seen = false;
    let mut format = Format::Junit;
    loop {
        let line = xml.next_line();
        let Ok(token) = xml.next_token() else { break };
        match token {
            Token::Declaration if !root_seen => return Head::Doctype { line },
            Token::Start(tag) if !root_seen => {
                if !is_root(tag.name()) {
                    let name: String = String::from_utf8_lossy(tag.name())
                        .chars()
                        .take(60)
                        .collect();
                    return Head::Unknown {
                        line,
                        reason: format!("root element `{name}`"),
                    };
                }
                root_seen = true;
                if is_testhide(&tag) {
                    format = Format::Testhide;
                }
            }
            Token::Start(tag) if is_testhide(&tag) => {
                format = Format::Testhide;
                break;
            }
            Token::Declaration | Token::EndOfInput { .. } => break,
            _ => {}
        }
    }
    if !root_seen {
        return Head::Unknown {
            line: xml.next_line(),
            reason: "XML without an element".to_owned(),
        };
    }
    let declaration = head.trim_ascii_start();
    let single_quoted = declaration.starts_with(b"<?xml")
        && declaration
            .iter()
            .take(200)
            .find(|byte| matches!(byte, b'"' | b'\''))
            == Some(&b'\'');
    Head::Xml {
        format,
        single_quoted,
    }
}

fn is_root(name: &[u8]) -> bool {
    [&b"testsuites"[..], b"testsuite", b"testcase"]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known))
}

/// What only Testhide's reporters write: the schema property, a resolution on a case, or (before both) the address of
/// the host among the properties.
fn is_testhide(tag: &super::xml::Tag<'_>) -> bool {
    match tag.name() {
        b"testcase" => tag.attributes().any(|(name, _)| name == b"test_resolution"),
        b"property" => tag.attributes().any(|(name, value)| {
            name == b"name" && matches!(value, b"testhide_schema_version" | b"ip_address")
        }),
        _ => false,
    }
}

/// Looks at the keys of the first two levels: `results` must hold an object with one of CTRF's members.
fn is_ctrf(head: &[u8]) -> bool {
    let (mut depth, mut at) = (0_u32, 0);
    let mut in_results = false;
    while at < head.len() {
        match head[at] {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => {
                let start = at + 1;
                at = start;
                while at < head.len() && head[at] != b'"' {
                    at += if head[at] == b'\\' { 2 } else { 1 };
                }
                let text = &head[start..at.min(head.len())];
                let after = head.get(at + 1..).unwrap_or_default().trim_ascii_start();
                let value = after.strip_prefix(b":").map(<[u8]>::trim_ascii_start);
                match (depth, value) {
                    (1, Some(value)) if text == b"results" => in_results = value.starts_with(b"{"),
                    (1, Some(value))
                        if text == b"reportFormat" && value.starts_with(b"\"CTRF\"") =>
                    {
                        return true;
                    }
                    (1, Some(_)) => in_results = false,
                    (2, Some(_))
                        if in_results && matches!(text, b"tool" | b"summary" | b"tests") =>
                    {
                        return true;
                    }
                    _ => {}
                }
            }
            _ => {}
        }
        at += 1;
    }
    false
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
        let utf16: Vec<u8> = [0xFF, 0xFE]
            .into_iter()
            .chain("<testsuite/>".encode_utf16().flat_map(u16::to_le_bytes))
            .collect();
        assert_eq!(detect(&utf16), Some(Format::Junit));
    }
}
