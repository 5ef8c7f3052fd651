//! Common Test Report Format: `results.tests` is streamed, one test at a time; keys may come in any order.
//!
//! Lenient where tools differ: `suite` is a text or a list, `retry` and `retries` mean the same, numbers may be texts.

use std::io::BufRead;
use std::sync::Arc;

use super::test::{instant, number};
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::Decoded;
use crate::reports::parse::input::float_ms;
use crate::reports::parse::input::{Budget, Value};
use crate::reports::parse::input::{Event, Json};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Counts, Summary};
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::read::Sink;

/// Levels of one test that are kept; `steps` nest.
const TEST_DEPTH: usize = 12;

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    input: Decoded<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut reader = Ctrf {
        json: Json::new(input, limits.text_bytes),
        out: Output::new(Format::Ctrf, limits, sink),
        suite: Arc::from(""),
    };
    let end = reader.document();
    let line = reader.json.line();
    reader.out.finish(end, line, &reader.json.repairs)
}

pub(super) struct Ctrf<'a, R> {
    pub(super) json: Json<Decoded<R>>,
    pub(super) out: Output<'a>,
    /// The suite of the last case, shared by its neighbours.
    pub(super) suite: Arc<str>,
}

impl<R: BufRead> Ctrf<'_, R> {
    fn document(&mut self) -> Result<(), Halt> {
        self.json.next_event()?;
        while let Event::Key(key) = self.json.next_event()? {
            match (key.as_str(), self.json.peek()?) {
                ("results", Some(b'{')) => self.results()?,
                _ => self.json.skip_value()?,
            }
        }
        if !self.json.ends_here()? {
            let line = self.json.line();
            self.out.warn(line, "trailing_content", "left it out", || {
                "content after the document".to_owned()
            });
        }
        Ok(())
    }

    fn results(&mut self) -> Result<(), Halt> {
        self.json.next_event()?;
        while let Event::Key(key) = self.json.next_event()? {
            match (key.as_str(), self.json.peek()?) {
                ("tests", Some(b'[')) => self.tests()?,
                ("tool" | "summary" | "environment", Some(b'{')) => {
                    let mut budget = self.budget();
                    let Value::Object(members) = self.json.value(&mut budget)? else {
                        continue;
                    };
                    match key.as_str() {
                        "tool" => self.tool(members),
                        "summary" => self.declared(members),
                        _ => self.out.summary.properties.extend(
                            members
                                .into_iter()
                                .filter(|(_, value)| *value != Value::Null)
                                .map(|(key, value)| (key, value.into_text())),
                        ),
                    }
                }
                _ => self.json.skip_value()?,
            }
        }
        Ok(())
    }

    fn tests(&mut self) -> Result<(), Halt> {
        self.json.next_event()?;
        let mut index: u64 = 0;
        while self.json.peek()? != Some(b']') {
            self.json.separator()?;
            self.json.peek()?;
            let line = self.json.line();
            let mut budget = self.budget();
            let value = self.json.value(&mut budget)?;
            if budget.exceeded {
                self.out
                    .warn(line, "too_much_detail", "left out what went beyond", || {
                        format!("`tests[{index}]` has too many values")
                    });
            }
            match value {
                Value::Object(members) => {
                    let case = self.case(members, line, index);
                    self.out.case(case)?;
                }
                _ => self.out.warn(line, "ctrf_test", "left it out", || {
                    format!("`tests[{index}]` is no object")
                }),
            }
            index += 1;
        }
        self.json.next_event()?;
        Ok(())
    }

    fn tool(&mut self, members: Vec<(String, Value)>) {
        for (key, value) in members {
            match (key.as_str(), value) {
                ("name", Value::Text(text)) => {
                    self.out.summary.reporter = Some(text.value).filter(|name| !name.is_empty());
                }
                ("version", Value::Text(text)) => {
                    self.out.summary.reporter_version =
                        Some(text.value).filter(|version| !version.is_empty());
                }
                _ => {}
            }
        }
    }

    fn declared(&mut self, members: Vec<(String, Value)>) {
        let mut declared = Counts::default();
        for (key, value) in members {
            let count = || number(&value).and_then(float_ms).unwrap_or(0);
            match key.as_str() {
                "tests" => declared.total = count(),
                "passed" => declared.passed = count(),
                "failed" => declared.failed = count(),
                "skipped" | "pending" => declared.skipped += count(),
                "other" => declared.not_run = count(),
                "start" => self.out.summary.started_at = instant(&value),
                "stop" => self.out.summary.finished_at = instant(&value),
                _ => {}
            }
        }
        self.out.summary.declared = Some(declared);
    }

    fn budget(&self) -> Budget {
        Budget {
            values: self.out.limits.json_values,
            bytes: self.out.limits.text_bytes * 8,
            depth: TEST_DEPTH,
            exceeded: false,
        }
    }
}
