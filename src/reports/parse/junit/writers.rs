//! What other writers of JUnit XML mean by what they write: one rule for one habit, applied to a finished case.

use crate::reports::parse::input::{Tag, Text};
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat};

/// Bytes of a message that is taken out of a trace.
const LONGEST_MESSAGE: usize = 2 << 10;

/// What is known of the writer, from what stands before a case.
#[derive(Default)]
pub(super) struct Writer {
    name: Option<&'static str>,
}

impl Writer {
    /// Looks at the root element.
    pub(super) fn root(&mut self, tag: &Tag<'_>) {
        let mut attributes = tag.attributes();
        let mut attribute = |wanted: &[u8]| attributes.find(|(name, _)| *name == wanted);
        let found = match tag.attributes().next() {
            None => Some("node"),
            Some((b"id", _)) => Some("playwright"),
            Some(_) if attribute(b"uuid").is_some() => Some("nextest"),
            Some((b"name", b"pytest tests")) => Some("pytest"),
            Some(_) => None,
        };
        self.name = self.name.or(found);
    }

    /// Looks at the name and the properties of a suite.
    pub(super) fn suite(&mut self, name: &str) {
        if name == "pytest" {
            self.name = self.name.or(Some("pytest"));
        }
    }

    pub(super) fn property(&mut self, name: &str) {
        // Both converters of Go's output write it, before the cases.
        if name == "go.version" {
            self.name = Some("go");
        }
    }

    /// The tool, where it is certain. Others leave their root without attributes too.
    pub(super) fn reporter(&self) -> Option<&'static str> {
        self.name.filter(|name| *name != "node")
    }

    /// Whether suites are projects, of which each runs the same tests: the project stands where others write the host.
    pub(super) fn hosts_are_projects(&self) -> bool {
        self.name == Some("playwright")
    }

    /// What another row with the same identity means.
    pub(super) fn repeat(&self) -> Repeat {
        match self.name {
            Some("pytest") => Repeat::HiddenRerun,
            // Go tells apart what has the same name, so that the same name again is the same test run again.
            Some("go") => Repeat::Attempt,
            _ => Repeat::Row,
        }
    }

    /// Puts right what the writer put in the wrong place.
    pub(super) fn apply(&self, case: &mut ParsedCase) {
        match self.name {
            // The word is the same for every test; the suites are what the test is called by.
            Some("node") if case.classname == "test" && !case.suite.is_empty() => {
                case.classname = case.suite.to_string();
            }
            Some("pytest") => collection_message(case),
            Some("go") => go_message(case),
            Some("playwright") if case.outcome == Outcome::Skipped => playwright_reason(case),
            _ => {}
        }
        rust_message(case);
        if self.name == Some("pytest") || case.name == case.classname {
            drop_spelled_escapes(case);
        }
    }
}

/// Pytest calls every file that does not load the same; what went wrong ends the trace.
fn collection_message(case: &mut ParsedCase) {
    if case.message.as_deref() == Some("collection failure")
        && let Some(trace) = &case.trace
        && let Some(error) = trace
            .value
            .lines()
            .rev()
            .find_map(|line| line.strip_prefix("E  "))
    {
        case.message = Some(shortened(error.trim()));
    }
}

/// Go's converters write `Failed`, or the whole output of a skipped test, where a message belongs.
fn go_message(case: &mut ParsedCase) {
    let text = match (&case.trace, &case.message) {
        (Some(trace), Some(message)) if message == "Failed" => &trace.value,
        (_, Some(message)) if case.outcome == Outcome::Skipped => message,
        _ => return,
    };
    let mut lines = text.lines().map(str::trim);
    let telling = |line: &&str| {
        !line.is_empty()
            && !matches!(*line, "FAIL" | "PASS")
            && !line.starts_with("=== ")
            && !line.starts_with("--- ")
    };
    let Some(first) = lines.find(telling) else {
        return;
    };
    // An assertion library puts the place on a line of its own.
    let assertion = lines
        .find_map(|line| line.strip_prefix("Error:"))
        .filter(|_| first.ends_with(':'));
    let message = assertion.map_or(first, str::trim);
    case.message = Some(shortened(message));
}

/// Playwright writes why a test was skipped as an annotation.
fn playwright_reason(case: &mut ParsedCase) {
    if case.message.is_none() {
        let reason = case
            .properties
            .iter()
            .find(|(name, value)| matches!(name.as_str(), "skip" | "fixme") && !value.is_empty());
        case.message = reason.map(|(_, value)| value.clone());
    }
}

/// A panic's message comes after the line that names its thread and place, which differ from run to run.
fn rust_message(case: &mut ParsedCase) {
    let retries = case.retries.iter_mut().map(|retry| {
        let trace = retry.trace.as_ref();
        (&mut retry.message, trace)
    });
    for (message, trace) in [(&mut case.message, case.trace.as_ref())]
        .into_iter()
        .chain(retries)
    {
        let (Some(written), Some(trace)) = (&message, trace) else {
            continue;
        };
        if !written.starts_with("thread '") || !written.contains("panicked at") {
            continue;
        }
        let panic = trace
            .value
            .lines()
            .skip_while(|line| !line.contains("panicked at"))
            .skip(1)
            .take_while(|line| {
                !line.starts_with("stack backtrace:") && !line.starts_with("note: ")
            });
        let panic = panic.collect::<Vec<_>>().join("\n");
        if !panic.trim().is_empty() {
            *message = Some(shortened(panic.trim()));
        }
    }
}

fn shortened(message: &str) -> String {
    let mut end = message.len().min(LONGEST_MESSAGE);
    while !message.is_char_boundary(end) {
        end -= 1;
    }
    message[..end].to_owned()
}

/// How writers spell an escape character that XML cannot hold.
const SPELLED_ESCAPES: [&str; 2] = ["#x1B[", "[NON-XML-CHAR-0x1B]["];

/// Drops colours of a terminal whose escape character was spelled out.
fn drop_spelled_escapes(case: &mut ParsedCase) {
    if let Some(message) = &mut case.message {
        drop_escapes(message);
    }
    for text in [&mut case.trace, &mut case.stdout, &mut case.stderr]
        .into_iter()
        .flatten()
    {
        let Text { value, bytes, .. } = text;
        *bytes -= drop_escapes(value);
    }
}

/// Drops them from one text; how many bytes that were.
fn drop_escapes(text: &mut String) -> u64 {
    let before = text.len();
    for escape in SPELLED_ESCAPES {
        if !text.contains(escape) {
            continue;
        }
        let mut parts = text.split(escape);
        let mut kept = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            let parameters = part
                .bytes()
                .take_while(|byte| byte.is_ascii_digit() || *byte == b';')
                .count();
            match part.as_bytes().get(parameters) {
                Some(letter) if letter.is_ascii_alphabetic() => {
                    kept.push_str(&part[parameters + 1..]);
                }
                _ => {
                    kept.push_str(escape);
                    kept.push_str(part);
                }
            }
        }
        *text = kept;
    }
    (before - text.len()) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spelled_escapes() {
        let check = |text: &str, expected: &str| {
            let mut found = text.to_owned();
            drop_escapes(&mut found);
            assert_eq!(found, expected, "{text}");
        };
        check("#x1B[31mred#x1B[0m", "red");
        check("[NON-XML-CHAR-0x1B][1;31mred[NON-XML-CHAR-0x1B][0m", "red");
        check("#x1B[ #x1B[é", "#x1B[ #x1B[é");
        check("plain", "plain");
    }

    #[test]
    fn messages_of_go() {
        let check = |message: &str, trace: &str, outcome: Outcome, expected: &str| {
            let mut case = ParsedCase {
                outcome,
                message: Some(message.to_owned()),
                trace: Some(Text {
                    value: trace.to_owned(),
                    ..Text::default()
                }),
                ..ParsedCase::default()
            };
            go_message(&mut case);
            assert_eq!(case.message.as_deref(), Some(expected), "{message} {trace}");
        };
        check(
            "Failed",
            "=== RUN   TestTotal\n    cart_test.go:7: got 1\n--- FAIL: TestTotal (0.00s)\n",
            Outcome::Failed,
            "cart_test.go:7: got 1",
        );
        check(
            "Failed",
            "    a_test.go:7: \n        \tError Trace:\ta_test.go:7\n        \tError:      \tNot equal: \n",
            Outcome::Failed,
            "Not equal:",
        );
        check("Failed", "=== RUN   TestTotal\n", Outcome::Failed, "Failed");
        check(
            "Failed",
            "FAIL\ta/b [build failed]\n",
            Outcome::Failed,
            "FAIL\ta/b [build failed]",
        );
        check(
            "=== RUN   TestSlow\n    a_test.go:3: too slow\n--- SKIP: TestSlow (0.00s)\n",
            "",
            Outcome::Skipped,
            "a_test.go:3: too slow",
        );
        check("boom", "x", Outcome::Failed, "boom");
    }
}
