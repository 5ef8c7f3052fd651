//! One test: who it is and how it ended.

use super::read::At;
use crate::reports::parse::fill::{row, split_full_name};
use crate::reports::parse::input::{Tag, timestamp};
use crate::reports::parse::model::{Outcome, ParsedCase};

/// A test that is being read.
pub(super) struct Test {
    pub(super) case: ParsedCase,
    /// Made for a failure outside every test.
    pub(super) of_suite: bool,
}

impl Test {
    pub(super) fn new(at: &mut At<'_, '_>, tag: &Tag<'_>) -> Self {
        let mut attributes = at.attributes(tag);
        let mut case = row(at.line);
        let name = attributes.take("name").unwrap_or_default();
        let (class, method) = (attributes.take("type"), attributes.take("method"));
        (case.classname, case.name) = who(&name, class, method.as_deref());
        if let Some(method) = method
            && !case.name.starts_with(&method)
        {
            at.keep(&mut case.extra, ("method".to_owned(), method));
        }
        // The clock has more digits than the seconds beside it.
        let (clock, seconds) = (attributes.take("time-rtf"), attributes.take("time"));
        case.duration_ms = at.duration(clock.or(seconds));
        case.started_at = attributes
            .take("start-rtf")
            .and_then(|text| timestamp(&text));
        case.file = attributes.take("source-file");
        case.line = attributes
            .number("source-line")
            .and_then(|line| line.try_into().ok());
        let result = attributes.take("result").unwrap_or_default();
        case.outcome = match result.to_ascii_lowercase().as_str() {
            "pass" => Outcome::Passed,
            "fail" => Outcome::Failed,
            "skip" => Outcome::Skipped,
            "notrun" => Outcome::NotRun,
            _ => {
                at.warn("unknown_outcome", "counted it as broken", || {
                    format!("a test with result `{result}`")
                });
                Outcome::Error
            }
        };
        for pair in attributes.rest() {
            at.keep(&mut case.extra, pair);
        }
        Self {
            case,
            of_suite: false,
        }
    }
}

/// A row for a failure outside every test: of a fixture, a collection, an assembly.
pub(super) fn error_row(at: &At<'_, '_>, kind: &str, name: String) -> Test {
    Test {
        case: ParsedCase {
            classname: name,
            name: format!("({kind})"),
            outcome: Outcome::Error,
            ..row(at.line)
        },
        of_suite: true,
    }
}

/// Class and name. The display name begins with the class unless somebody has chosen it.
fn who(name: &str, class: Option<String>, method: Option<&str>) -> (String, String) {
    let Some(class) = class else {
        let (class, name) = split_full_name(name);
        return (class.to_owned(), name.to_owned());
    };
    let shown = name
        .strip_prefix(&*class)
        .and_then(|rest| rest.strip_prefix('.'))
        .unwrap_or(name);
    let shown = match (shown.trim().is_empty(), method) {
        (true, Some(method)) => method,
        _ => shown,
    };
    (class, shown.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |name: &str, class: &str, method: &str, expected: (&str, &str)| {
            let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let found = who(name, given(class), given(method).as_deref());
            assert_eq!((found.0.as_str(), found.1.as_str()), expected, "{name}");
        };
        check("N.C.T(x: 1.5)", "N.C", "T", ("N.C", "T(x: 1.5)"));
        check("adds two", "N.C", "T", ("N.C", "adds two"));
        check("N.C.T", "", "", ("N.C", "T"));
        check("", "N.C", "T", ("N.C", "T"));
        check("N.C2.T", "N.C", "T", ("N.C", "N.C2.T"));
    }
}
