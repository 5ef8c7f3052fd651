//! The case in hand: who it is, how it ended, and what its parts say.

use super::read::{At, Element};
use super::suite::Suites;
use crate::reports::parse::fill::{
    append, complete, row, short, split_full_name, text_of, trace_of,
};
use crate::reports::parse::input::{Tag, Text, timestamp};
use crate::reports::parse::model::{Outcome, ParsedCase};

/// A case that is being read.
pub(super) struct Case {
    pub(super) case: ParsedCase,
    reason: Option<String>,
    assertion: Option<Assertion>,
}

#[derive(Default)]
struct Assertion {
    result: Option<String>,
    message: Option<String>,
    trace: Option<Text>,
}

impl Case {
    pub(super) fn new(at: &mut At<'_, '_>, tag: &Tag<'_>, old: bool, suites: &Suites) -> Self {
        let mut attributes = at.attributes(tag);
        let mut case = row(at.line);
        let name = attributes.take("name").unwrap_or_default();
        let full_name = attributes.take("fullname");
        let class = attributes.take("classname");
        (case.classname, case.name) = if old {
            split_old(&name, suites.class())
        } else {
            who(name, full_name, class)
        };
        if let Some(method) = attributes.take("methodname")
            && !case.name.starts_with(&method)
        {
            at.keep(&mut case.extra, ("methodname".to_owned(), method));
        }
        case.docstring = attributes.take("description");
        let seconds = attributes.take("duration").or(attributes.take("time"));
        case.duration_ms = at.duration(seconds);
        case.started_at = attributes
            .take("start-time")
            .and_then(|text| timestamp(&text));
        let verdict = Verdict {
            result: attributes.take("result"),
            label: attributes.take("label"),
            site: attributes.take("site"),
            executed: attributes.flag("executed"),
            success: attributes.flag("success"),
        };
        case.outcome = verdict.outcome().unwrap_or_else(|| {
            at.warn("unknown_outcome", "counted it as broken", || {
                format!(
                    "a case with result `{}`",
                    verdict.result.as_deref().unwrap_or_default()
                )
            });
            Outcome::Error
        });
        for (name, value) in [
            ("result", verdict.result),
            ("label", verdict.label),
            ("site", verdict.site),
        ] {
            // What the outcome says anyway need not be kept.
            let plain = ["Passed", "Failed", "Success", "Failure"];
            if let Some(value) = value
                && !plain.contains(&value.as_str())
            {
                at.keep(&mut case.extra, (name.to_owned(), value));
            }
        }
        for pair in attributes.rest() {
            at.keep(&mut case.extra, pair);
        }
        Self {
            case,
            reason: None,
            assertion: None,
        }
    }

    pub(super) fn message(&mut self, parent: Option<Element>, text: &Text) {
        let slot = match (parent, &mut self.assertion) {
            (Some(Element::Assertion), Some(assertion)) => &mut assertion.message,
            (Some(Element::Reason), _) => &mut self.reason,
            _ => &mut self.case.message,
        };
        if slot.is_none() {
            *slot = short(text);
        }
    }

    pub(super) fn trace(&mut self, parent: Option<Element>, text: Text) {
        let slot = match (parent, &mut self.assertion) {
            (Some(Element::Assertion), Some(assertion)) => &mut assertion.trace,
            _ => &mut self.case.trace,
        };
        if slot.is_none() {
            *slot = trace_of(text);
        }
    }

    pub(super) fn output(&mut self, at: &mut At<'_, '_>, text: Text) {
        append(&mut self.case.stdout, text, at.out.limits.text_bytes);
    }

    pub(super) fn open_assertion(&mut self, result: Option<String>) {
        self.assertion = Some(Assertion {
            result,
            ..Assertion::default()
        });
    }

    /// Adds what the assertion says to the trace, unless the failure has said it already.
    pub(super) fn close_assertion(&mut self, at: &mut At<'_, '_>) {
        let Some(assertion) = self.assertion.take() else {
            return;
        };
        let told = |part: &str| {
            let has = |text: &str| text.contains(part);
            self.case
                .trace
                .as_ref()
                .is_some_and(|text| has(&text.value))
        };
        if assertion
            .trace
            .as_ref()
            .is_some_and(|trace| told(trace.value.trim()))
        {
            return;
        }
        let limit = at.out.limits.text_bytes;
        if let Some(message) = assertion.message {
            let result = assertion.result.as_deref().unwrap_or("Failed");
            let heading = text_of(format!("{result}: {message}"));
            append(&mut self.case.trace, heading, limit);
            self.case.message.get_or_insert(message);
        }
        if let Some(trace) = assertion.trace {
            append(&mut self.case.trace, trace, limit);
        }
    }

    /// The finished case.
    pub(super) fn finish(mut self, at: &mut At<'_, '_>) -> ParsedCase {
        self.case.message = self.case.message.take().or(self.reason);
        complete(at, &mut self.case);
        self.case
    }
}

/// What the attributes of a case say about its end.
struct Verdict {
    result: Option<String>,
    label: Option<String>,
    site: Option<String>,
    executed: Option<bool>,
    success: Option<bool>,
}

impl Verdict {
    fn outcome(&self) -> Option<Outcome> {
        let Some(result) = &self.result else {
            return match (self.executed, self.success) {
                (Some(false), _) => Some(Outcome::Skipped),
                (_, Some(true)) => Some(Outcome::Passed),
                (_, Some(false)) => Some(Outcome::Failed),
                _ => None,
            };
        };
        let label = self.label.as_deref().unwrap_or_default();
        let site = self.site.as_deref().unwrap_or("Test");
        let broken = site != "Test" || matches!(label, "Error" | "Cancelled" | "Invalid");
        Some(match result.to_ascii_lowercase().as_str() {
            "passed" | "success" | "warning" => Outcome::Passed,
            "failed" | "failure" if broken => Outcome::Error,
            "failed" | "failure" => Outcome::Failed,
            "error" | "cancelled" | "notrunnable" | "invalid" => Outcome::Error,
            "skipped" | "ignored" | "inconclusive" | "explicit" => Outcome::Skipped,
            _ => return None,
        })
    }
}

/// Class and name in the format of version 3. The full name tells fixtures with different arguments apart, which the
/// attribute for the class does not.
fn who(name: String, full_name: Option<String>, class: Option<String>) -> (String, String) {
    let Some(full_name) = full_name else {
        return (class.unwrap_or_default(), name);
    };
    if name.is_empty() {
        let (class, name) = split_full_name(&full_name);
        return (class.to_owned(), name.to_owned());
    }
    let before = full_name
        .strip_suffix(&name)
        .and_then(|rest| rest.strip_suffix('.'));
    match (before, class) {
        (Some(before), _) => (before.to_owned(), name),
        (None, Some(class)) => (class, name),
        (None, None) => (split_full_name(&full_name).0.to_owned(), name),
    }
}

/// Class and name in the old format, whose name is the full one; the suites around know where the class ends.
fn split_old(full_name: &str, path: &str) -> (String, String) {
    let inside = full_name
        .strip_prefix(path)
        .and_then(|rest| rest.strip_prefix('.'))
        .filter(|rest| !rest.is_empty());
    let (class, name) = match inside {
        Some(name) if !path.is_empty() => (path, name),
        _ => split_full_name(full_name),
    };
    (class.to_owned(), name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_version_3() {
        let check = |name: &str, full: &str, class: &str, expected: (&str, &str)| {
            let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let found = who(name.to_owned(), given(full), given(class));
            assert_eq!((found.0.as_str(), found.1.as_str()), expected, "{full}");
        };
        check("T(1.5)", "N.C.T(1.5)", "N.C", ("N.C", "T(1.5)"));
        check("T", "N.C(\"x.y\").T", "N.C", ("N.C(\"x.y\")", "T"));
        check("Named", "N.C.T", "N.C", ("N.C", "Named"));
        check("", "N.C.T", "", ("N.C", "T"));
        check("Named", "N.C.T", "", ("N.C", "Named"));
        check("T", "", "N.C", ("N.C", "T"));
        check("T", "T", "", ("", "T"));
    }

    #[test]
    fn old_names() {
        let check = |full: &str, path: &str, expected: (&str, &str)| {
            let found = split_old(full, path);
            assert_eq!((found.0.as_str(), found.1.as_str()), expected, "{full}");
        };
        check("N.C.T(\"a.b\")", "N.C", ("N.C", "T(\"a.b\")"));
        check("N.C.Is. Odd", "N.C", ("N.C", "Is. Odd"));
        check("N.C.T", "N", ("N", "C.T"));
        check("N.C.T", "Other", ("N.C", "T"));
        check("T", "", ("", "T"));
    }
}
