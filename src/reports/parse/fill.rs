//! Filling a row, the same way for every format: texts, properties, names.

use std::sync::Arc;

use super::input::{Piece, Text, TextBuilder};
use super::model::{Outcome, ParsedCase};
use super::walk::At;
use super::warnings::Repairs;
use super::words::{exception_kind, first_line};

/// Name of a row that has none.
pub(super) const UNNAMED: &str = "(unnamed)";

/// Name of the row made for a failure outside every test.
pub(super) const OF_SUITE: &str = "(suite)";

/// Between the names of nested suites.
const SEPARATOR: &str = " > ";

/// Bytes of a joined name of suites; deeper ones keep the name of the one around them.
const LONGEST_NAME: usize = 4 << 10;

/// A row at `line`, nothing known of it yet.
pub(super) fn row(line: u64) -> ParsedCase {
    ParsedCase {
        report_line: line,
        attempt: 1,
        ..ParsedCase::default()
    }
}

/// A text worth keeping.
pub(super) fn long(text: Text) -> Option<Text> {
    (!text.value.trim().is_empty()).then_some(text)
}

/// A trace worth keeping, without the blanks behind it.
pub(super) fn trace_of(text: Text) -> Option<Text> {
    let mut text = long(text)?;
    let kept = text.value.trim_end().len();
    text.bytes -= (text.value.len() - kept) as u64;
    text.value.truncate(kept);
    Some(text)
}

/// A message or value without the blanks around it.
pub(super) fn short(text: &Text) -> Option<String> {
    let value = text.value.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// Adds a text to what is there, on a line of its own.
pub(super) fn append(slot: &mut Option<Text>, text: Text, limit: usize) {
    let Some(text) = long(text) else { return };
    let Some(first) = slot.take() else {
        *slot = Some(text);
        return;
    };
    let mut both = TextBuilder::new(limit);
    let mut repairs = Repairs::default();
    for part in [&first.value, "\n", &text.value] {
        both.push_str(part, Piece::Plain, &mut repairs);
    }
    let joined = both.finish();
    *slot = Some(Text {
        bytes: first.bytes + text.bytes + 1,
        cut: joined.cut + first.cut + text.cut,
        value: joined.value,
    });
}

/// A short text as a long one.
pub(super) fn text_of(value: String) -> Text {
    Text {
        bytes: value.len() as u64,
        cut: 0,
        value,
    }
}

/// The name of a suite inside another.
pub(super) fn nested(outer: &Arc<str>, name: &str) -> Arc<str> {
    if name.is_empty() || outer.len() + name.len() > LONGEST_NAME {
        outer.clone()
    } else if outer.is_empty() {
        name.into()
    } else {
        format!("{outer}{SEPARATOR}{name}").into()
    }
}

/// The last part of a path of either kind.
pub(super) fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// Puts a property, category or trait where it belongs: description, ticket, or the list.
pub(super) fn property<E: Copy + PartialEq>(
    at: &mut At<'_, '_, E>,
    case: &mut ParsedCase,
    name: String,
    value: String,
) {
    if value.trim().is_empty() {
        return;
    }
    match name.to_ascii_lowercase().as_str() {
        "description" if case.docstring.is_none() => case.docstring = Some(value),
        "jira" | "issue" | "ticket" | "bug" | "workitem" => at.keep(&mut case.tickets, value),
        _ => at.keep(&mut case.properties, (name, value)),
    }
}

/// What a row must have in the end: a name, the message's exception type, a message where there is only a trace.
pub(super) fn complete<E: Copy + PartialEq>(at: &mut At<'_, '_, E>, case: &mut ParsedCase) {
    if case.name.trim().is_empty() {
        at.out.warn(
            case.report_line,
            "unnamed_case",
            "called it `(unnamed)`",
            || "a case has no name".to_owned(),
        );
        UNNAMED.clone_into(&mut case.name);
    }
    if is_bad(case.outcome) {
        if case.message.is_none() {
            case.message = case
                .trace
                .as_ref()
                .map(|trace| first_line(&trace.value).to_owned());
        }
        if case.kind.is_none() {
            case.kind = case.message.as_deref().and_then(kind_of);
        }
    }
}

/// Whether a row with this outcome turns a report red.
pub(super) fn is_bad(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Failed | Outcome::Error)
}

/// The exception type at the start of a message of .NET's frameworks, behind the phase it happened in.
pub(super) fn kind_of(message: &str) -> Option<String> {
    let phases = [
        "OneTimeSetUp",
        "OneTimeTearDown",
        "TestFixtureSetUp",
        "TestFixtureTearDown",
        "SetUp",
        "TearDown",
    ];
    let message = message.trim_start();
    let rest = phases
        .iter()
        .find_map(|phase| message.strip_prefix(phase)?.trim_start().strip_prefix(':'));
    let rest = match message.strip_prefix("Test method ") {
        Some(rest) => rest.split_once(" threw exception:").map(|(_, rest)| rest),
        None => rest,
    };
    exception_kind(rest.unwrap_or(message).trim_start())
}

/// Class and method of a full name of .NET: split at the last dot outside parameters, type arguments and quotes.
/// `N.Fixture("x.y").Test(1.5)` gives `N.Fixture("x.y")` and `Test(1.5)`; a title in prose is not split.
pub(super) fn split_full_name(full: &str) -> (&str, &str) {
    let (mut depth, mut quoted, mut escaped) = (0_u32, false, false);
    let mut dot = None;
    for (at, byte) in full.bytes().enumerate() {
        match byte {
            _ if std::mem::take(&mut escaped) => {}
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'(' | b'<' | b'[' => depth += 1,
            b')' | b'>' | b']' => depth = depth.saturating_sub(1),
            b'.' if depth == 0 => dot = Some(at),
            b' ' if depth == 0 => break,
            _ => {}
        }
    }
    match dot {
        Some(at) if at > 0 && !full[at + 1..].trim().is_empty() => (&full[..at], &full[at + 1..]),
        _ => ("", full),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_names() {
        let check = |full: &str, class: &str, name: &str| {
            assert_eq!(split_full_name(full), (class, name), "{full}");
        };
        check("N.C.Test", "N.C", "Test");
        check("N.C.Test(1.5)", "N.C", "Test(1.5)");
        check(
            "N.C(\"x.y\").Test(\"a) b.c\")",
            "N.C(\"x.y\")",
            "Test(\"a) b.c\")",
        );
        check("N.C(\"a\\\").b\").Test", "N.C(\"a\\\").b\")", "Test");
        check(
            "N.List<System.Int32>.Holds",
            "N.List<System.Int32>",
            "Holds",
        );
        check("N.Outer+Inner.Deep", "N.Outer+Inner", "Deep");
        check("Should be even. Really", "", "Should be even. Really");
        check("N.C.does this. And that", "N.C", "does this. And that");
        check(
            "[Test Class Cleanup Failure (N.C.Test)]",
            "",
            "[Test Class Cleanup Failure (N.C.Test)]",
        );
        check("Test", "", "Test");
        check("Test.", "", "Test.");
        check(".Test", "", ".Test");
        check("", "", "");
    }

    #[test]
    fn kinds() {
        let check = |message: &str, expected: Option<&str>| {
            assert_eq!(kind_of(message).as_deref(), expected, "{message}");
        };
        check(
            "SetUp : System.InvalidOperationException : no store",
            Some("System.InvalidOperationException"),
        );
        check(
            "OneTimeSetUp: System.Exception : x",
            Some("System.Exception"),
        );
        check(
            "Test method N.C.T threw exception: \nSystem.DivideByZeroException: Attempted",
            Some("System.DivideByZeroException"),
        );
        check("  Expected: 3\n  But was:  2", None);
    }

    #[test]
    fn texts_are_joined_within_the_limit() {
        let mut slot = None;
        append(&mut slot, text_of(" \n".to_owned()), 100);
        assert_eq!(slot, None);
        append(&mut slot, text_of("a".to_owned()), 100);
        append(&mut slot, text_of("b".repeat(200)), 100);
        let text = slot.expect("has text");
        assert_eq!((text.bytes, text.cut), (202, 102));
    }
}
