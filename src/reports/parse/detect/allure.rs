//! One result of Allure: an object with a status of Allure's and members that only its results have together.

/// Whether the first level of a document is that of a result.
pub(super) fn is_allure(head: &[u8]) -> bool {
    let (mut depth, mut at) = (0_u32, 0);
    let (mut status, mut members) = (false, 0);
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
                let name = &head[start..at.min(head.len())];
                let after = head.get(at + 1..).unwrap_or_default().trim_ascii_start();
                if depth == 1
                    && let Some(value) = after.strip_prefix(b":").map(<[u8]>::trim_ascii_start)
                {
                    match name {
                        b"status" => status = is_status(value),
                        b"uuid" | b"historyId" | b"testCaseId" | b"fullName" | b"statusDetails"
                        | b"steps" | b"stage" | b"labels" | b"attachments" | b"parameters" => {
                            members += 1;
                        }
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        at += 1;
    }
    status && members >= 2 && head.starts_with(b"{")
}

fn is_status(value: &[u8]) -> bool {
    [&b"passed"[..], b"failed", b"broken", b"skipped", b"unknown"]
        .iter()
        .any(|status| {
            value
                .strip_prefix(b"\"")
                .and_then(|rest| rest.strip_prefix(*status))
                .is_some_and(|rest| rest.starts_with(b"\""))
        })
}
