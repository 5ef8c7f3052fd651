//! Documents of JSON: by the keys of their first levels.

use super::allure::is_allure;
use crate::reports::parse::format::Format;

/// Looks at the beginning of a document that starts with `{` or `[`.
pub(super) fn look_at_json(head: &[u8]) -> Option<Format> {
    is_ctrf(head)
        .then_some(Format::Ctrf)
        .or_else(|| is_allure(head).then_some(Format::Allure))
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
