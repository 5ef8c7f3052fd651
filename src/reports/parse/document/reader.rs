//! One document on its way through: its tokens, its rows, and what is to be told at its end.

use std::io::Read;

use super::held::Held;
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{Budget, Event, Fault, Json, Value};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Outcome, ParsedCase, Summary};
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::read::Sink;

/// Levels of one value that are kept; steps nest.
const VALUE_DEPTH: usize = 12;

/// Long texts that one value may hold together.
const LONG_TEXTS: usize = 8;

/// A document and where its rows go.
pub(in crate::reports::parse) struct Document<'a, R> {
    pub(in crate::reports::parse) json: Json<R>,
    pub(in crate::reports::parse) out: Output<'a>,
    held: Held,
}

impl<'a, R: Read> Document<'a, R> {
    /// A document in `format`.
    pub(in crate::reports::parse) fn new(
        format: Format,
        input: R,
        limits: &'a Limits,
        sink: &'a mut dyn Sink,
    ) -> Self {
        Self {
            json: Json::new(input, limits.text_bytes),
            out: Output::new(format, limits, sink),
            held: Held::default(),
        }
    }

    /// Ends the parse; `end` says how the reading went. Rows that still wait are handed on as they are.
    pub(in crate::reports::parse) fn finish(
        mut self,
        end: Result<(), Halt>,
    ) -> Result<Summary, ParseError> {
        let line = self.json.line();
        let end = match end {
            Ok(()) | Err(Halt::Broken(Fault::Ended | Fault::Invalid(_))) => self.flush().and(end),
            Err(halt) => Err(halt),
        };
        self.out.finish(end, line, &self.json.repairs)
    }

    /// Looks at what follows the document: words of a runner are left out, another document has tests that are missing here.
    pub(in crate::reports::parse) fn end_of_document(&mut self) -> Result<(), Halt> {
        let next = self.json.peek()?;
        let line = self.json.line();
        match next {
            None => {}
            Some(b'{') => self.out.truncated(line, || {
                "another document follows, and its tests are not read".to_owned()
            }),
            Some(_) => self.out.warn(line, "trailing_content", "left it out", || {
                "content after the document".to_owned()
            }),
        }
        Ok(())
    }

    /// Goes into an object; anything else is skipped, with a warning if it is more than null.
    pub(in crate::reports::parse) fn enter_object(&mut self, what: &str) -> Result<bool, Halt> {
        self.enter(b'{', what)
    }

    /// Goes into an array; anything else is skipped, with a warning if it is more than null.
    pub(in crate::reports::parse) fn enter_array(&mut self, what: &str) -> Result<bool, Halt> {
        self.enter(b'[', what)
    }

    fn enter(&mut self, bracket: u8, what: &str) -> Result<bool, Halt> {
        let next = self.json.peek()?;
        if next == Some(bracket) {
            let event = self.json.next_event()?;
            return Ok(matches!(event, Event::BeginObject | Event::BeginArray));
        }
        let line = self.json.line();
        self.json.skip_value()?;
        if next != Some(b'n') {
            let wanted = if bracket == b'{' { "object" } else { "list" };
            self.out.warn(line, "wrong_type", "left it out", || {
                format!("`{what}` is no {wanted}")
            });
        }
        Ok(false)
    }

    /// Skips what lies deeper than the limit; whether it did.
    pub(in crate::reports::parse) fn too_deep(&mut self, depth: usize) -> Result<bool, Halt> {
        if depth < self.out.limits.depth {
            return Ok(false);
        }
        self.json.peek()?;
        let line = self.json.line();
        self.json.skip_value()?;
        self.out
            .warn(line, "too_deep", "left out what lies deeper", || {
                format!("suites nested deeper than {depth}")
            });
        Ok(true)
    }

    /// Reads one value whole, within what a test may cost.
    pub(in crate::reports::parse) fn value(&mut self, what: &str) -> Result<Value, Halt> {
        self.json.peek()?;
        let line = self.json.line();
        let mut budget = Budget {
            values: self.out.limits.json_values,
            bytes: self.out.limits.text_bytes * LONG_TEXTS,
            depth: VALUE_DEPTH,
            exceeded: false,
        };
        let value = self.json.value(&mut budget)?;
        if budget.exceeded {
            self.out
                .warn(line, "too_much_detail", "left out what went beyond", || {
                    format!("`{what}` has too many values")
                });
        }
        Ok(value)
    }

    /// Reads a short text; `None` when it is empty or null.
    pub(in crate::reports::parse) fn text(&mut self, what: &str) -> Result<Option<String>, Halt> {
        let value = self.value(what)?;
        Ok(self.filled(value))
    }

    /// Keeps a member as a property of the report.
    pub(in crate::reports::parse) fn property(&mut self, key: &str, value: Value) {
        if !value.is_blank() && self.has_room(&self.out.summary.properties) {
            let value = self.short(value);
            self.out.summary.properties.push((key.to_owned(), value));
        }
    }

    /// Whether a list of names and values may grow: not without end in number or in size.
    pub(in crate::reports::parse) fn has_room(&self, pairs: &[(String, String)]) -> bool {
        pairs.len() < self.out.limits.properties
            && pairs
                .iter()
                .map(|(name, value)| name.len() + value.len())
                .sum::<usize>()
                < self.out.limits.text_bytes * LONG_TEXTS
    }

    /// Whether a list of texts may grow.
    pub(in crate::reports::parse) fn has_room_for(&self, texts: &[String]) -> bool {
        texts.len() < self.out.limits.properties
            && texts.iter().map(String::len).sum::<usize>()
                < self.out.limits.text_bytes * LONG_TEXTS
    }

    /// Hands a row on, or holds it while its identity is open. A row without a name gets one.
    pub(in crate::reports::parse) fn put(&mut self, case: ParsedCase) -> Result<(), Halt> {
        if !self.held.waits() {
            return self.hand_on(case);
        }
        let line = case.report_line;
        if self.held.push(case) {
            self.out.warn(
                line,
                "late_identity",
                "left their file and suite out",
                || "too many tests stand before the name of their file or suite".to_owned(),
            );
            self.flush()?;
        }
        Ok(())
    }

    /// A row that the report does not count among its tests.
    pub(in crate::reports::parse) fn put_uncounted(
        &mut self,
        case: ParsedCase,
    ) -> Result<(), Halt> {
        self.out.uncounted += 1;
        self.put(case)
    }

    /// From here rows are held until [`Document::release`].
    pub(in crate::reports::parse) fn hold(&mut self) -> usize {
        self.held.open()
    }

    /// The rows that were put since a [`Document::hold`] and still wait.
    pub(in crate::reports::parse) fn held_since(&mut self, mark: usize) -> &mut [ParsedCase] {
        self.held.since(mark)
    }

    /// Ends a [`Document::hold`].
    pub(in crate::reports::parse) fn release(&mut self) -> Result<(), Halt> {
        if self.held.close() {
            self.flush()?;
        }
        Ok(())
    }

    /// Rows so far that are failures of any kind.
    pub(in crate::reports::parse) fn failures(&self) -> u64 {
        self.out.summary.counts.failed + self.out.summary.counts.error
    }

    fn flush(&mut self) -> Result<(), Halt> {
        for case in self.held.take() {
            self.hand_on(case)?;
        }
        Ok(())
    }

    fn hand_on(&mut self, mut case: ParsedCase) -> Result<(), Halt> {
        if case.name.trim().is_empty() {
            self.out.warn(
                case.report_line,
                "unnamed_case",
                "called it `(unnamed)`",
                || "a test without a name".to_owned(),
            );
            "(unnamed)".clone_into(&mut case.name);
        }
        self.out.case(case)
    }
}

/// A failure that belongs to no test: it must not get lost, or the report looks green.
pub(in crate::reports::parse) fn outside_tests(name: &str, message: String) -> ParsedCase {
    ParsedCase {
        name: name.to_owned(),
        attempt: 1,
        outcome: Outcome::Error,
        kind: crate::reports::parse::words::exception_kind(&message),
        message: Some(message),
        ..ParsedCase::default()
    }
}
