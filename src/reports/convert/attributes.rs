//! Which attributes a `testcase` may have, and the resolution that it must have: pure.

use testhide_protocol::api::Outcome;

/// Attributes of a `testcase` that mean something, so that nothing else is written under these names.
const OWN_ATTRIBUTES: [&str; 16] = [
    "name",
    "classname",
    "class",
    "file",
    "filepath",
    "line",
    "lineno",
    "time",
    "duration",
    "timestamp",
    "started-at",
    "start-time",
    "fail_id",
    "test_resolution",
    "status",
    "result",
];

/// Longest text that is written as an attribute when it was not one by definition.
const SHORT: usize = 200;

/// The resolution that a case in Testhide's dialect must have: its own, as long as that does not change the outcome.
pub(super) fn resolution_for(outcome: Outcome, own: Option<&str>) -> &str {
    let is = |word: &str| own.is_some_and(|own| own.trim().eq_ignore_ascii_case(word));
    match (outcome, own) {
        (Outcome::KnownIssue, Some(own)) if is("known issue") => own,
        (Outcome::KnownIssue, _) => "Known Issue",
        (Outcome::Passed, _) => "Passed",
        (Outcome::Skipped | Outcome::NotRun, _) => "Skipped",
        (Outcome::Failed | Outcome::Error, Some(own))
            if !is("known issue") && !is("passed") && !is("skipped") =>
        {
            own
        }
        (Outcome::Failed | Outcome::Error, _) => "Unresolved",
    }
}

/// The status by which a case that never ran is known; it is written anyway.
pub(super) fn says_not_run(name: &str, value: &str) -> bool {
    name == "status" && value == "notrun"
}

/// Whether something that has no place can be an attribute: short, on one line, and with a name that is free.
pub(super) fn is_attribute(name: &str, value: &str) -> bool {
    let mut letters = name.bytes();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && letters.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && value.len() <= SHORT
        && !value.contains(['\n', '\r', '\t', '{', '['])
        && !OWN_ATTRIBUTES.contains(&name)
        && !name.to_ascii_lowercase().starts_with("xml")
}

#[cfg(test)]
mod tests {
    use super::{is_attribute, resolution_for};
    use testhide_protocol::api::Outcome;

    #[test]
    fn a_resolution_never_changes_the_outcome() {
        let check = |outcome: Outcome, own: Option<&str>, expected: &str| {
            assert_eq!(
                resolution_for(outcome, own),
                expected,
                "{outcome:?} {own:?}"
            );
        };
        check(Outcome::Failed, Some("Need to reopen"), "Need to reopen");
        check(Outcome::Failed, Some("Known Issue"), "Unresolved");
        check(Outcome::Error, Some("Collection Error"), "Collection Error");
        check(Outcome::KnownIssue, Some("known issue"), "known issue");
        check(Outcome::KnownIssue, Some("Unresolved"), "Known Issue");
        check(Outcome::Passed, Some("Unresolved"), "Passed");
        check(Outcome::NotRun, None, "Skipped");
    }

    #[test]
    fn only_short_words_with_free_names_are_attributes() {
        assert!(is_attribute("assertions", "3"));
        for (name, value) in [
            ("time", "3"),
            ("a b", "3"),
            ("3a", "3"),
            ("xml:lang", "en"),
            ("xmlns", "x"),
            ("steps", "[1]"),
            ("long", &"x".repeat(300)),
            ("lines", "a\nb"),
        ] {
            assert!(!is_attribute(name, value), "{name}");
        }
    }
}
