//! What a status of CTRF means, with what the tool itself had said (`rawStatus`).

use crate::reports::parse::model::Outcome;

/// Whether a text is one of the statuses.
pub(super) fn is_status(text: &str) -> bool {
    matches!(text, "passed" | "failed" | "skipped" | "pending" | "other")
}

/// `other` is whatever the tool could not express; what it had itself said, or a message, tells broken from not run.
pub(super) fn outcome(status: &str, raw: Option<&str>, has_message: bool) -> Outcome {
    let raw = raw.unwrap_or("").to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| raw.contains(word));
    match status {
        "passed" => Outcome::Passed,
        // Pytest's reporter names the phase that failed.
        "failed" if says(&["setup_", "teardown_", "collect"]) => Outcome::Error,
        "failed" => Outcome::Failed,
        "skipped" | "pending" if says(&["xfail"]) => Outcome::KnownIssue,
        "skipped" | "pending" => Outcome::Skipped,
        _ if says(&["todo", "disabled", "skip", "ignored"]) => Outcome::Skipped,
        _ if has_message || says(&["time", "interrupt", "broken", "error", "crash", "fail"]) => {
            Outcome::Error
        }
        _ => Outcome::NotRun,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes() {
        let check = |status: &str, raw: Option<&str>, message: bool, expected: Outcome| {
            assert_eq!(outcome(status, raw, message), expected, "{status} {raw:?}");
        };
        check("passed", Some("ok"), false, Outcome::Passed);
        check("failed", Some("call_failed"), true, Outcome::Failed);
        check("failed", Some("setup_failed"), true, Outcome::Error);
        check("skipped", Some("xfailed"), true, Outcome::KnownIssue);
        check("pending", None, false, Outcome::Skipped);
        check("other", Some("todo"), false, Outcome::Skipped);
        check("other", Some("timedOut"), false, Outcome::Error);
        check("other", None, true, Outcome::Error);
        check("other", None, false, Outcome::NotRun);
    }
}
