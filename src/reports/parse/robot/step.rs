//! What a test did: keywords, loops and branches, of which those that failed make up the trace.
//!
//! A step is written when it ends, and only if it failed, into the one around it; what passed leaves nothing behind. So the
//! trace is the path to the failure with its messages, and costs at most one short text for each open step.

use super::read::Word;
use crate::reports::parse::input::{Piece, Text, TextBuilder};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::warnings::Repairs;

/// Before each line of what a step contains.
const INDENT: &str = "    ";

/// Between a keyword and its arguments, as people write them.
const GAP: &str = "    ";

/// Bytes of a step's own line.
const LONGEST_LABEL: usize = 1 << 10;

/// A step that is open.
pub(super) struct Step {
    label: String,
    /// The end of a `FOR` line, which comes after its variables.
    flavor: Option<String>,
    values: String,
    /// A keyword, whose variables take its result.
    pub(super) assigns: bool,
    /// A setup or teardown, of a test or of a suite.
    pub(super) role: Role,
    /// Messages and failed steps inside.
    inside: TextBuilder,
    /// The message of the last failure inside.
    pub(super) failure: String,
}

/// What a step is to the test or suite around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Body,
    Teardown,
}

impl Step {
    /// A step with its name; one without a name shows only what is inside.
    pub(super) fn new(label: String, flavor: Option<String>, role: Role, limits: &Limits) -> Self {
        Self {
            label,
            flavor,
            values: String::new(),
            assigns: false,
            role,
            inside: TextBuilder::new(limits.attribute_bytes),
            failure: String::new(),
        }
    }

    /// Adds an argument, or a value that a loop goes through.
    pub(super) fn value(&mut self, value: &str) {
        let line = if self.flavor.is_some() {
            &mut self.values
        } else {
            &mut self.label
        };
        append(line, value);
    }

    /// Adds a variable: that of a loop, or the one that a keyword's result goes into.
    pub(super) fn variable(&mut self, variable: &str) {
        if self.assigns && self.label.len() + variable.len() < LONGEST_LABEL {
            self.label = format!("{variable} ={GAP}{}", self.label);
        } else {
            append(&mut self.label, variable);
        }
    }

    /// Adds a message.
    pub(super) fn message(&mut self, level: &str, text: &str, repairs: &mut Repairs) {
        if level == "FAIL" {
            text.clone_into(&mut self.failure);
        }
        for part in [level, "  ", text.trim_end(), "\n"] {
            self.inside.push_str(part, Piece::Plain, repairs);
        }
    }

    /// Ends the step. What it leaves behind if it failed.
    pub(super) fn finish(mut self, word: Word, message: &str) -> Option<Failure> {
        if word != Word::Fail && (word != Word::Skip || self.role == Role::Body) {
            return None;
        }
        let inside = self.inside.finish().value;
        if let Some(flavor) = &self.flavor {
            append(&mut self.label, flavor);
            self.label.push_str(&self.values);
        }
        let message = if message.is_empty() {
            &self.failure
        } else {
            message
        };
        let mut trace = String::new();
        if self.label.is_empty() {
            trace = inside;
        } else {
            for line in [self.label.as_str()]
                .into_iter()
                .chain(inside.lines().filter(|line| !line.is_empty()))
            {
                if !trace.is_empty() {
                    trace.push_str(INDENT);
                }
                trace.push_str(line);
                trace.push('\n');
            }
        }
        Some(Failure {
            message: message.to_owned(),
            trace,
        })
    }

    /// Takes what a failed step inside left behind.
    pub(super) fn take(&mut self, failure: Failure, repairs: &mut Repairs) {
        self.inside.push_str(&failure.trace, Piece::Plain, repairs);
        self.failure = failure.message;
    }
}

/// What a failed step leaves behind.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Failure {
    pub(super) message: String,
    pub(super) trace: String,
}

impl Failure {
    /// Its trace as a text of a case.
    pub(super) fn text(&self) -> Option<Text> {
        (!self.trace.is_empty()).then(|| Text {
            value: self.trace.trim_end().to_owned(),
            bytes: self.trace.trim_end().len() as u64,
            cut: 0,
        })
    }
}

fn append(line: &mut String, part: &str) {
    if line.len() + part.len() <= LONGEST_LABEL {
        line.push_str(GAP);
        line.push_str(&part.replace('\n', "\\n"));
    } else if !line.ends_with('…') {
        line.push_str(GAP);
        line.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_failures_leave_something() {
        let limits = Limits::default();
        let mut repairs = Repairs::default();
        let step = |label: &str| Step::new(label.to_owned(), None, Role::Body, &limits);
        let mut outer = step("Check Total");
        outer.value("1");
        let mut passed = step("Log");
        passed.message("INFO", "fine", &mut repairs);
        assert_eq!(passed.finish(Word::Pass, ""), None);
        let mut inner = step("Should Be Equal");
        inner.value("a\nb");
        inner.message("FAIL", "1 != 2\nat all", &mut repairs);
        let failure = inner.finish(Word::Fail, "").expect("it failed");
        assert_eq!(failure.message, "1 != 2\nat all");
        let mut branch = step("");
        branch.take(failure, &mut repairs);
        outer.take(
            branch.finish(Word::Fail, "").expect("it failed"),
            &mut repairs,
        );
        let failure = outer.finish(Word::Fail, "other").expect("it failed");
        assert_eq!(failure.message, "other");
        assert_eq!(
            failure.trace,
            "Check Total    1\n    Should Be Equal    a\\nb\n        FAIL  1 != 2\n        at all\n"
        );
    }

    #[test]
    fn loops_read_as_written() {
        let mut step = Step::new(
            "FOR".to_owned(),
            Some("IN".to_owned()),
            Role::Body,
            &Limits::default(),
        );
        step.value("1");
        step.variable("${n}");
        let failure = step.finish(Word::Fail, "").expect("it failed");
        assert_eq!(failure.trace, "FOR    ${n}    IN    1\n");
    }
}
