//! Common Test Report Format: `results.tests` is streamed, one test at a time; keys may come in any order.
//!
//! Lenient where tools differ: `suite` is a text or a list, `retry` and `retries` mean the same, numbers may be texts.
//! What the report says about itself and has no field becomes a property of the report.

use std::io::BufRead;
use std::sync::Arc;

use crate::reports::parse::document::Document;
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{Decoded, Value, float_ms};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Counts, SuiteInfo, Summary};
use crate::reports::parse::output::Halt;
use crate::reports::parse::read::Sink;

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    input: Decoded<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut reader = Ctrf {
        doc: Document::new(Format::Ctrf, input, limits, sink),
        suite: Arc::from(""),
    };
    let end = reader.document();
    reader.doc.finish(end)
}

pub(super) struct Ctrf<'a, R> {
    pub(super) doc: Document<'a, Decoded<R>>,
    /// The suite of the last case, shared by its neighbours.
    pub(super) suite: Arc<str>,
}

impl<R: BufRead> Ctrf<'_, R> {
    fn document(&mut self) -> Result<(), Halt> {
        self.doc.json.next_event()?;
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "results" => self.results()?,
                "reportFormat" => self.doc.json.skip_value()?,
                _ => {
                    let value = self.doc.value(&key)?;
                    self.doc.property(&key, value);
                }
            }
        }
        self.doc.end_of_document()
    }

    fn results(&mut self) -> Result<(), Halt> {
        if !self.doc.enter_object("results")? {
            return Ok(());
        }
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "tests" => self.tests()?,
                "tool" => {
                    let value = self.doc.value("tool")?;
                    self.tool(value);
                }
                "summary" => {
                    let value = self.doc.value("summary")?;
                    self.declared(value);
                }
                "environment" => {
                    let value = self.doc.value("environment")?;
                    self.environment(value);
                }
                _ => {
                    let value = self.doc.value(&key)?;
                    self.doc.property(&format!("results.{key}"), value);
                }
            }
        }
        Ok(())
    }

    /// Keeps the environment as properties; where the run comes from is told as suites tell it.
    fn environment(&mut self, environment: Value) {
        let mut origin = SuiteInfo::default();
        for (key, value) in environment.into_members() {
            let known = match key.as_str() {
                "branchName" => Some("branch"),
                "commit" => Some("commit"),
                _ => None,
            };
            if let (Some(known), Some(value)) = (known, self.doc.filled(value.clone())) {
                origin.properties.push((known.to_owned(), value));
            }
            let key = match key.as_str() {
                "extra" => "environment.extra",
                other => other,
            };
            self.doc.property(key, value);
        }
        if !origin.properties.is_empty() {
            self.doc.out.suite(origin);
        }
    }

    fn tests(&mut self) -> Result<(), Halt> {
        if !self.doc.enter_array("tests")? {
            return Ok(());
        }
        let mut index: u64 = 0;
        while self.doc.json.next_item()? {
            let line = self.doc.json.line();
            match self.doc.value("tests")? {
                Value::Object(members) => {
                    let case = self.case(members, line, index);
                    self.doc.put(case)?;
                }
                _ => self.doc.out.warn(line, "ctrf_test", "left it out", || {
                    format!("`tests[{index}]` is no object")
                }),
            }
            index += 1;
        }
        Ok(())
    }

    fn tool(&mut self, tool: Value) {
        for (key, value) in tool.into_members() {
            match key.as_str() {
                "name" => self.doc.out.summary.reporter = self.doc.filled(value),
                "version" => self.doc.out.summary.reporter_version = self.doc.filled(value),
                _ => self.doc.property(&format!("tool.{key}"), value),
            }
        }
    }

    fn declared(&mut self, summary: Value) {
        let Value::Object(members) = summary else {
            return;
        };
        let mut declared = Counts::default();
        for (key, value) in members {
            let count = || value.number().and_then(float_ms).unwrap_or(0);
            match key.as_str() {
                "tests" => declared.total = count(),
                "passed" => declared.passed = count(),
                "failed" => declared.failed = count(),
                "skipped" | "pending" => declared.skipped += count(),
                "other" => declared.not_run = count(),
                "start" => self.doc.out.summary.started_at = value.instant(),
                "stop" => self.doc.out.summary.finished_at = value.instant(),
                _ => self.doc.property(&format!("summary.{key}"), value),
            }
        }
        self.doc.out.summary.declared = Some(declared);
    }
}
