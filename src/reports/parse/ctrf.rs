//! Common Test Report Format: `results.tests` is streamed, one test at a time; keys may come in any order.
//!
//! Lenient where tools differ: `suite` is a text or a list, `retry` and `retries` mean the same, numbers may be texts.

use std::io::BufRead;
use std::sync::Arc;

use super::ctrf_test::{instant, number};
use super::error::ParseError;
use super::json::{Event, Fault, Json};
use super::json_value::{Budget, Value};
use super::limits::Limits;
use super::model::{Counts, Format, Summary};
use super::read::Sink;
use super::scalar::float_ms;
use super::text::Decoded;
use super::warnings::Warnings;

/// Levels of one test that are kept; `steps` nest.
const TEST_DEPTH: usize = 12;

/// Reads a document into the sink.
pub(super) fn read<R: BufRead>(
    input: Decoded<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut reader = Ctrf {
        json: Json::new(input, limits.text_bytes),
        limits,
        sink,
        warnings: Warnings::new(limits.warnings),
        summary: Summary {
            format: Format::Ctrf,
            reporter: None,
            reporter_version: None,
            properties: Vec::new(),
            declared: None,
            counts: Counts::default(),
            started_at: None,
            finished_at: None,
            warnings: Vec::new(),
            warnings_total: 0,
            repaired: 0,
            truncated: false,
        },
        suite: Arc::from(""),
    };
    match reader.document() {
        Ok(()) => {}
        Err(Halt::Refused(error)) => return Err(error),
        Err(Halt::Full) => {
            reader.summary.truncated = true;
            let line = reader.json.line();
            reader
                .warnings
                .add(line, "too_many_cases", "left out the rest", || {
                    format!("more than {} cases", limits.cases)
                });
        }
        Err(Halt::Broken(Fault::Input(source))) => {
            return Err(ParseError::Input {
                line: reader.json.line(),
                source,
            });
        }
        Err(Halt::Broken(fault)) => {
            let line = reader.json.line();
            let reason = match fault {
                Fault::Invalid(reason) => reason,
                _ => "the report ends inside the document".to_owned(),
            };
            if reader.summary.counts.total == 0 {
                return Err(ParseError::Broken { line, reason });
            }
            reader.summary.truncated = true;
            reader
                .warnings
                .add(line, "truncated", "kept what stood before", || reason);
        }
    }
    Ok(reader.finish())
}

/// Why the document is not read to its end.
enum Halt {
    Broken(Fault),
    Refused(ParseError),
    Full,
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Broken(fault)
    }
}

pub(super) struct Ctrf<'a, R> {
    pub(super) json: Json<Decoded<R>>,
    pub(super) limits: &'a Limits,
    sink: &'a mut dyn Sink,
    pub(super) warnings: Warnings,
    summary: Summary,
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
            self.warnings
                .add(line, "trailing_content", "left it out", || {
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
                        _ => self.summary.properties.extend(
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
                self.warnings
                    .add(line, "too_much_detail", "left out what went beyond", || {
                        format!("`tests[{index}]` has too many values")
                    });
            }
            match value {
                Value::Object(members) => {
                    if self.summary.counts.total >= self.limits.cases {
                        return Err(Halt::Full);
                    }
                    let case = self.case(members, line, index);
                    self.summary.counts.add(case.outcome);
                    self.sink
                        .case(case)
                        .map_err(|_| Halt::Refused(ParseError::Stopped { line }))?;
                }
                _ => self.warnings.add(line, "ctrf_test", "left it out", || {
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
                    self.summary.reporter = Some(text.value).filter(|name| !name.is_empty());
                }
                ("version", Value::Text(text)) => {
                    self.summary.reporter_version =
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
                "start" => self.summary.started_at = instant(&value),
                "stop" => self.summary.finished_at = instant(&value),
                _ => {}
            }
        }
        self.summary.declared = Some(declared);
    }

    fn budget(&self) -> Budget {
        Budget {
            values: self.limits.json_values,
            bytes: self.limits.text_bytes * 8,
            depth: TEST_DEPTH,
            exceeded: false,
        }
    }

    fn finish(mut self) -> Summary {
        if let Some(declared) = self.summary.declared
            && declared.total != self.summary.counts.total
        {
            let found = self.summary.counts.total;
            self.warnings
                .add(1, "declared_counts", "counted the cases", || {
                    format!(
                        "the report declares {} tests and holds {found}",
                        declared.total
                    )
                });
        }
        self.summary.repaired = self.json.repairs.total();
        (self.summary.warnings, self.summary.warnings_total) =
            self.warnings.finish(&self.json.repairs);
        self.summary
    }
}
