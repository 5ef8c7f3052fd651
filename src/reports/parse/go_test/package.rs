//! A package that is being tested: its open tests, and the rows they become.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::failure::{Said, is_marker};
use crate::reports::parse::input::{Piece, Text, TextBuilder};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat};
use crate::reports::parse::warnings::Repairs;

/// Name of the row made for a failure that no test of the package tells of.
const OF_PACKAGE: &str = "(package)";

/// A package between its first event and its last.
pub(super) struct Package {
    pub(super) name: Arc<str>,
    /// The package was tested before in this report: this is a rerun, and its rows are further attempts.
    pub(super) again: bool,
    /// Line of its first event.
    pub(super) line: u64,
    pub(super) started_at: Option<Timestamp>,
    pub(super) tests: HashMap<String, Open>,
    /// Tests begun so far, so that those left open end in the order in which they began.
    pub(super) begun: u64,
    pub(super) rows: u64,
    pub(super) failed: u64,
    pub(super) output: Output,
}

/// A test that has begun.
#[derive(Default)]
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) line: u64,
    pub(super) started_at: Option<Timestamp>,
    pub(super) output: Output,
    /// Subtests that failed, and the first of them.
    pub(super) failed_below: Option<(u64, String)>,
    pub(super) properties: Vec<(String, String)>,
    pub(super) attachments: Vec<String>,
    /// An end that stands in the middle of an output line, where old versions of test2json miss it.
    pub(super) ending: Option<Outcome>,
}

/// Text with what it says of a failure.
#[derive(Default)]
pub(super) struct Output {
    text: Option<TextBuilder>,
    pub(super) said: Said,
    /// Bytes that it holds at most.
    pub(super) held: usize,
}

impl Output {
    /// Takes a piece of output that is a line, or the part of one.
    pub(super) fn push(
        &mut self,
        piece: &str,
        marked: bool,
        limits: &Limits,
        repairs: &mut Repairs,
    ) {
        self.said.line(piece, marked);
        if is_marker(piece.trim()) {
            return;
        }
        let text = self
            .text
            .get_or_insert_with(|| TextBuilder::new(limits.text_bytes));
        text.push_str(piece, Piece::Plain, repairs);
        self.held = (self.held + piece.len()).min(limits.text_bytes * 2);
    }

    pub(super) fn finish(&mut self) -> Option<Text> {
        let text = self.text.take()?.finish();
        (!text.value.trim().is_empty()).then_some(text)
    }
}

impl Package {
    pub(super) fn new(name: &str, line: u64, again: bool, started_at: Option<Timestamp>) -> Self {
        Self {
            name: Arc::from(name),
            again,
            line,
            started_at,
            tests: HashMap::new(),
            begun: 0,
            rows: 0,
            failed: 0,
            output: Output::default(),
        }
    }

    /// The row of a test that has ended.
    pub(super) fn case(&mut self, name: &str, open: Open, outcome: Outcome) -> ParsedCase {
        let Open {
            line,
            started_at,
            mut output,
            failed_below,
            properties,
            attachments,
            ..
        } = open;
        let mut case = ParsedCase {
            report_line: line,
            started_at,
            properties,
            attachments,
            ..self.row(name, outcome)
        };
        let text = output.finish();
        match outcome {
            Outcome::Failed | Outcome::Error => {
                if let Some(place) = output.said.place() {
                    (case.file, case.line) = (Some(place.file.clone()), Some(place.line));
                }
                case.kind = output.said.panicked().then(|| "panic".to_owned());
                case.message = output.said.message().or_else(|| {
                    failed_below.map(|(count, first)| match count {
                        1 => format!("its subtest `{first}` failed"),
                        _ => format!("{count} of its subtests failed, `{first}` first"),
                    })
                });
                case.trace = text;
            }
            _ => {
                if outcome == Outcome::Skipped {
                    case.message = output.said.skip_reason();
                }
                case.stdout = text;
            }
        }
        self.count(name, &case);
        case
    }

    /// The row of a package that failed where no test of it did.
    pub(super) fn failure(&mut self, message: Option<String>, trace: Option<Text>) -> ParsedCase {
        let mut case = self.row(OF_PACKAGE, Outcome::Error);
        case.report_line = self.line;
        let said = self.output.said.message();
        case.message = message
            .or(said)
            .or_else(|| Some("the package failed and none of its tests did".to_owned()));
        case.kind = self.output.said.panicked().then(|| "panic".to_owned());
        case.trace = trace.or_else(|| self.output.finish());
        self.rows += 1;
        self.failed += 1;
        case
    }

    fn row(&self, name: &str, outcome: Outcome) -> ParsedCase {
        ParsedCase {
            suite: Arc::clone(&self.name),
            classname: self.name.to_string(),
            name: name.to_owned(),
            // The file is told by failures only, and must not make another test of them.
            nodeid: Some(format!("{}::{name}", self.name)),
            outcome,
            attempt: 1,
            repeat: if self.again {
                Repeat::Attempt
            } else {
                Repeat::Row
            },
            ..ParsedCase::default()
        }
    }

    /// Counts a row, and tells the tests above it when it failed.
    fn count(&mut self, name: &str, case: &ParsedCase) {
        self.rows += 1;
        if !matches!(case.outcome, Outcome::Failed | Outcome::Error) {
            return;
        }
        self.failed += 1;
        let mut above = name;
        while let Some((parent, _)) = above.rsplit_once('/') {
            if let Some(parent) = self.tests.get_mut(parent) {
                match &mut parent.failed_below {
                    Some((count, _)) => *count += 1,
                    None => parent.failed_below = Some((1, name.to_owned())),
                }
                return;
            }
            above = parent;
        }
    }
}
