//! XML: by the root element, and by what only Testhide's own reporters write.

use super::look::{HEAD_BYTES, Head};
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{Tag, Token, Xml};

/// Looks at the beginning of a document.
pub(super) fn look_at_xml(head: &[u8]) -> Head {
    let mut xml = Xml::new(head, HEAD_BYTES);
    let mut root_seen = false;
    let mut format = Format::Junit;
    loop {
        let line = xml.next_line();
        let Ok(token) = xml.next_token() else { break };
        match token {
            Token::Declaration if !root_seen => return Head::Doctype { line },
            Token::Start(tag) if !root_seen => {
                let Some(found) = format_of_root(&tag) else {
                    let name: String = String::from_utf8_lossy(tag.name())
                        .chars()
                        .take(60)
                        .collect();
                    return Head::Unknown {
                        line,
                        reason: format!("root element `{name}`"),
                    };
                };
                root_seen = true;
                format = found;
                if format != Format::Junit {
                    break;
                }
                if is_testhide(&tag) {
                    format = Format::Testhide;
                }
            }
            Token::Start(tag) if format == Format::Junit && is_testhide(&tag) => {
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

/// The format whose documents have this root.
pub(in crate::reports::parse) fn format_of_root(tag: &Tag<'_>) -> Option<Format> {
    let name = tag.name();
    let junit = [&b"testsuites"[..], b"testsuite", b"testcase"];
    if junit.iter().any(|known| name.eq_ignore_ascii_case(known)) {
        return Some(Format::Junit);
    }
    match name {
        b"test-results" => Some(Format::Nunit2),
        b"test-run" => Some(Format::Nunit3),
        b"assemblies" => Some(Format::Xunit),
        b"assembly" if is_assembly_of_tests(tag) => Some(Format::Xunit),
        b"TestRun" => Some(Format::Trx),
        b"testng-results" => Some(Format::Testng),
        b"robot" => Some(Format::Robot),
        _ => None,
    }
}

/// Manifests of Windows have a root of the same name.
fn is_assembly_of_tests(tag: &Tag<'_>) -> bool {
    tag.attributes().any(|(name, _)| {
        matches!(
            name,
            b"run-date" | b"total" | b"passed" | b"test-framework" | b"environment"
        )
    })
}

/// What only Testhide's reporters write: the schema property, a resolution on a case, or (before both) the address of
/// the host among the properties.
fn is_testhide(tag: &Tag<'_>) -> bool {
    match tag.name() {
        b"testcase" => tag.attributes().any(|(name, _)| name == b"test_resolution"),
        b"property" => tag.attributes().any(|(name, value)| {
            name == b"name" && matches!(value, b"testhide_schema_version" | b"ip_address")
        }),
        _ => false,
    }
}
