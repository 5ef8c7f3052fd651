//! What the search needs to know of builds and failures; pure.

use std::fmt::Write;
use testhide_protocol::{BuildId, ProjectId, ResultId, Timestamp};

/// Bytes of a failure's name, type or message that are searched.
const MAX_PART: usize = 64 * 1024;

/// An attempt of a build, as it is now.
#[derive(Clone, Debug)]
pub(super) struct AttemptFacts {
    pub project: ProjectId,
    pub number: u64,
    pub job: String,
    pub branch: String,
    /// Empty when there is none.
    pub agent: String,
    /// State of this attempt: the build's for its present one.
    pub status: String,
    /// Names of the steps, by index.
    pub steps: Vec<String>,
}

/// A result that failed, or that recovered from a failure.
#[derive(Clone, Debug)]
pub(super) struct FailureFacts {
    pub result: ResultId,
    pub project: ProjectId,
    pub build: Option<BuildFacts>,
    pub branch: String,
    /// Empty when there is none.
    pub agent: String,
    pub test: String,
    /// Its outcome.
    pub status: String,
    pub time: Timestamp,
    /// Name, kind, message and trace, from [`failure_text`].
    pub text: String,
}

/// The build that a failure comes from.
#[derive(Clone, Debug)]
pub(super) struct BuildFacts {
    pub id: BuildId,
    pub number: u64,
    pub attempt: u32,
    pub job: String,
}

impl AttemptFacts {
    /// The name of a step; empty when it has none.
    pub(super) fn step(&self, index: u32) -> &str {
        self.steps.get(index as usize).map_or("", String::as_str)
    }
}

/// A failure's text as it is searched and shown: the test's name, `kind: message`, and the trace, which reports cut already.
pub(super) fn failure_text(
    test: &str,
    kind: Option<&str>,
    message: Option<&str>,
    trace: Option<&str>,
) -> String {
    let mut text = cut(test).to_owned();
    let kind = kind.filter(|kind| !kind.is_empty());
    let message = message.filter(|message| !message.is_empty());
    match (kind, message) {
        (Some(kind), Some(message)) if !message.starts_with(kind) => {
            write!(text, "\n{}: {}", cut(kind), cut(message)).expect("a string takes every text");
        }
        (Some(one), None) | (_, Some(one)) => {
            text.push('\n');
            text.push_str(cut(one));
        }
        (None, None) => {}
    }
    if let Some(trace) = trace.filter(|trace| !trace.is_empty()) {
        text.push('\n');
        text.push_str(trace);
    }
    text
}

fn cut(part: &str) -> &str {
    &part[..part.floor_char_boundary(MAX_PART)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_failures() {
        let check = |kind: &str, message: &str, trace: &str, expected: &str| {
            assert_eq!(
                failure_text("t", Some(kind), Some(message), Some(trace)),
                expected
            );
        };
        check("E", "m", "at x", "t\nE: m\nat x");
        check("E", "E: m", "", "t\nE: m");
        check("E", "", "at x", "t\nE\nat x");
        check("", "m", "", "t\nm");
        check("", "", "", "t");
        let long = failure_text("t", None, Some(&"é".repeat(MAX_PART)), None);
        assert_eq!(long.len(), "t\n".len() + MAX_PART);
    }
}
