//! Files that are read line by line. The first lines may be somebody else's: a compiler, a package manager, a shell.

use crate::reports::parse::format::Format;

/// Looks at the first lines of a file.
pub(super) fn look_at_lines(head: &[u8]) -> Option<Format> {
    let mut plan = false;
    for line in head.split(|&byte| byte == b'\n') {
        let line = line.trim_ascii();
        if let Some(format) = at_record(line) {
            return Some(format);
        }
        if is_version(line) || is_point(line) || is_bail_out(line) {
            return Some(Format::Tap);
        }
        plan |= is_plan(line);
    }
    plan.then_some(Format::Tap)
}

/// A line of JSON of one of the two tools; text of a test may stand before it.
fn at_record(line: &[u8]) -> Option<Format> {
    let has = |word: &[u8]| line.windows(word.len()).any(|window| window == word);
    if line.starts_with(b"{") && has(b"\"Action\":") {
        let known = [&b"\"Package\":"[..], b"\"ImportPath\":", b"\"Test\":"];
        return known.iter().any(|word| has(word)).then_some(Format::GoTest);
    }
    let types = [&b"suite"[..], b"test", b"bench", b"report"];
    let is_libtest = types.iter().any(|word| {
        let spaced = [b"\"type\": \"", *word, b"\""].concat();
        let dense = [b"\"type\":\"", *word, b"\""].concat();
        has(&spaced) || has(&dense)
    });
    (is_libtest && line.contains(&b'{') && has(b"\"event\":")).then_some(Format::Libtest)
}

fn is_version(line: &[u8]) -> bool {
    line.strip_prefix(b"TAP version ")
        .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
}

/// `ok 1`, `not ok 2 - x`: with a number, as prose has none.
fn is_point(line: &[u8]) -> bool {
    let rest = line.strip_prefix(b"not ").unwrap_or(line);
    rest.strip_prefix(b"ok ")
        .is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_digit))
}

/// `1..5`, `1..0 # SKIP why`.
fn is_plan(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"1..") else {
        return false;
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let after = rest[digits..].trim_ascii_start();
    digits > 0 && (after.is_empty() || after.starts_with(b"#"))
}

fn is_bail_out(line: &[u8]) -> bool {
    line.starts_with(b"Bail out!")
}
