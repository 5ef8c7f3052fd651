//! One test or hook, as Mocha and Mochawesome write it.

use std::io::Read;
use std::sync::Arc;

use crate::reports::parse::document::{Document, headline};
use crate::reports::parse::input::{Value, float_ms};
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat, RetryAttempt};
use crate::reports::parse::words::{exception_kind, first_line};

/// Whether a title is that of a hook: `"before each" hook: connect for "adds"`.
pub(super) fn is_hook(title: &str) -> bool {
    ["before all", "before each", "after all", "after each"]
        .iter()
        .any(|phase| {
            title
                .strip_prefix('"')
                .and_then(|rest| rest.strip_prefix(phase))
                .is_some_and(|rest| rest.starts_with("\" hook"))
        })
}

/// Reads a test; its outcome is what its `state` says, passed where it says nothing.
pub(super) fn row<R: Read>(
    doc: &mut Document<'_, R>,
    members: Vec<(String, Value)>,
    line: u64,
) -> ParsedCase {
    let mut case = ParsedCase {
        report_line: line,
        attempt: 1,
        repeat: Repeat::Row,
        outcome: Outcome::Passed,
        ..ParsedCase::default()
    };
    let (mut full_title, mut error, mut earlier) = (String::new(), None, 0);
    let (mut state, mut pending, mut skipped) = (None, false, false);
    for (key, value) in members {
        match key.as_str() {
            _ if value == Value::Null => {}
            "title" => case.name = doc.short(value),
            "fullTitle" => full_title = doc.short(value),
            "file" => case.file = doc.filled(value),
            "duration" => case.duration_ms = value.number().and_then(float_ms),
            "currentRetry" => earlier = value.whole().unwrap_or(0),
            "err" => error = Some(value),
            "state" => state = doc.filled(value),
            "pending" => pending = value == Value::Bool(true),
            "skipped" => skipped = value == Value::Bool(true),
            // Derived, or source text that the repository has.
            "pass" | "fail" | "code" | "isHook" | "parentUUID" => {}
            "timedOut" if value == Value::Bool(false) => {}
            _ => doc.extra(&mut case, &key, value),
        }
    }
    case.outcome = match state.as_deref() {
        Some("failed") if is_hook(&case.name) => Outcome::Error,
        Some("failed") => Outcome::Failed,
        Some("pending") => Outcome::Skipped,
        _ if pending => Outcome::Skipped,
        // A broken hook kept it from running.
        _ if skipped => Outcome::NotRun,
        _ => Outcome::Passed,
    };
    let parents = full_title
        .strip_suffix(case.name.as_str())
        .unwrap_or(&full_title);
    parents.trim().clone_into(&mut case.classname);
    case.suite = Arc::from(case.classname.as_str());
    if let Some(error) = error {
        failure(doc, &mut case, error);
    }
    case.attempt = earlier.saturating_add(1);
    let most = u32::try_from(doc.out.limits.retries).unwrap_or(u32::MAX);
    case.retries = (1..=earlier.min(most))
        .map(|attempt| RetryAttempt {
            attempt,
            outcome: Outcome::Failed,
            ..RetryAttempt::default()
        })
        .collect();
    case
}

/// Reads `err`: `message` and `stack` of Mocha, `message` and `estack` of Mochawesome.
fn failure<R: Read>(doc: &mut Document<'_, R>, case: &mut ParsedCase, error: Value) {
    let members = match error {
        Value::Object(members) => members,
        Value::Null => return,
        other => vec![("message".to_owned(), other)],
    };
    let mut name = None;
    for (key, value) in members {
        match key.as_str() {
            "message" => case.message = doc.filled(value),
            "stack" | "estack" => case.trace = doc.long(value),
            "name" => name = doc.filled(value),
            "generatedMessage" => {}
            _ => doc.extra(case, &format!("err.{key}"), value),
        }
    }
    if let Some(trace) = &case.trace {
        // The stack begins with the type, which the message has not.
        let first = first_line(headline(&trace.value));
        case.kind = exception_kind(first);
        if case.message.is_none() {
            case.message = Some(first.to_owned());
        }
    }
    case.kind = case
        .kind
        .take()
        .or_else(|| case.message.as_deref().and_then(exception_kind))
        .or(name);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks() {
        let check = |title: &str, expected: bool| assert_eq!(is_hook(title), expected, "{title}");
        check("\"before all\" hook", true);
        check("\"after each\" hook: clean for \"adds\"", true);
        check("\"before\" hook", false);
        check("before all hook", false);
        check("adds", false);
    }
}
