//! The fourteen outcomes of Visual Studio's test results.

use crate::reports::parse::model::Outcome;

/// The outcome of a result; `None` if it is none of those that are known.
pub(super) fn outcome_of(word: &str) -> Option<Outcome> {
    Some(match word.trim().to_ascii_lowercase().as_str() {
        "passed" | "passedbutrunaborted" | "warning" | "completed" => Outcome::Passed,
        "failed" => Outcome::Failed,
        "error" | "timeout" | "aborted" | "disconnected" | "notrunnable" => Outcome::Error,
        "notexecuted" | "inconclusive" => Outcome::Skipped,
        "inprogress" | "pending" => Outcome::NotRun,
        _ => return None,
    })
}

/// Whether a run that ended like this has failed as a whole.
pub(super) fn is_failure_of_run(word: &str) -> bool {
    outcome_of(word).is_some_and(|outcome| outcome >= Outcome::Failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes() {
        let check = |words: &str, expected: Option<Outcome>| {
            for word in words.split(' ') {
                assert_eq!(outcome_of(word), expected, "{word}");
            }
        };
        check(
            "Passed PassedButRunAborted Warning Completed",
            Some(Outcome::Passed),
        );
        check("Failed", Some(Outcome::Failed));
        check(
            "Error Timeout Aborted Disconnected NotRunnable",
            Some(Outcome::Error),
        );
        check("NotExecuted Inconclusive", Some(Outcome::Skipped));
        check("InProgress Pending", Some(Outcome::NotRun));
        check("Odd", None);
        assert!(is_failure_of_run("Failed") && is_failure_of_run("Aborted"));
        assert!(!is_failure_of_run("Completed") && !is_failure_of_run("NotExecuted"));
    }
}
