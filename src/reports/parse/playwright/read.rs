//! The document: `config`, `stats`, the failures outside tests, and the suites, streamed one attempt at a time.

use std::io::BufRead;

use crate::reports::parse::document::{Document, outside_tests};
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{Decoded, Value, float_ms};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Counts, Repeat, Summary};
use crate::reports::parse::output::Halt;
use crate::reports::parse::read::Sink;

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    input: Decoded<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut reader = Playwright {
        doc: Document::new(Format::Playwright, input, limits, sink),
        titles: Vec::new(),
        files: Vec::new(),
    };
    reader.doc.out.summary.reporter = Some("playwright".to_owned());
    let end = reader.document();
    reader.doc.finish(end)
}

pub(super) struct Playwright<'a, R> {
    pub(super) doc: Document<'a, Decoded<R>>,
    /// Titles of the open suites; empty where one is not known yet.
    pub(super) titles: Vec<String>,
    /// Files of the open suites.
    pub(super) files: Vec<Option<String>>,
}

impl<R: BufRead> Playwright<'_, R> {
    fn document(&mut self) -> Result<(), Halt> {
        self.doc.json.next_event()?;
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "config" => self.config()?,
                "suites" => {
                    if self.doc.enter_array("suites")? {
                        while self.doc.json.next_item()? {
                            self.suite(0)?;
                        }
                    }
                }
                "errors" => self.errors()?,
                "stats" => {
                    let stats = self.doc.value("stats")?;
                    self.stats(stats);
                }
                _ => {
                    let value = self.doc.value(&key)?;
                    self.doc.property(&key, value);
                }
            }
        }
        self.doc.end_of_document()
    }

    fn config(&mut self) -> Result<(), Halt> {
        if !self.doc.enter_object("config")? {
            return Ok(());
        }
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "version" => self.doc.out.summary.reporter_version = self.doc.text("version")?,
                "workers" | "shard" | "metadata" | "tags" => {
                    let value = self.doc.value(&key)?;
                    self.doc.property(&key, value);
                }
                // Settings of the runner; `metadata` of each project may be of any size.
                _ => self.doc.json.skip_value()?,
            }
        }
        Ok(())
    }

    /// Reads failures that belong to no test: files that did not load, a broken global setup.
    fn errors(&mut self) -> Result<(), Halt> {
        if !self.doc.enter_array("errors")? {
            return Ok(());
        }
        while self.doc.json.next_item()? {
            let line = self.doc.json.line();
            let error = self.doc.value("errors")?;
            let mut case = outside_tests("(error outside tests)", String::new());
            case.report_line = line;
            case.repeat = Repeat::Row;
            if let Some(location) = error.get("location") {
                case.file = location
                    .get("file")
                    .and_then(|file| self.doc.filled(file.clone()));
                case.line = location.get("line").and_then(Value::whole);
            }
            self.failure(&mut case, Some(error), Vec::new());
            if case.message.as_deref().is_none_or(str::is_empty) {
                case.message = Some("an error outside tests".to_owned());
            }
            self.doc.put_uncounted(case)?;
        }
        Ok(())
    }

    fn stats(&mut self, stats: Value) {
        let Value::Object(members) = stats else {
            return;
        };
        let mut declared = Counts::default();
        let mut duration = None;
        for (key, value) in members {
            let count = value.number().and_then(float_ms).unwrap_or(0);
            match key.as_str() {
                "expected" | "flaky" => declared.passed += count,
                "unexpected" => declared.failed = count,
                "skipped" => declared.skipped = count,
                "startTime" => self.doc.out.summary.started_at = value.instant(),
                "duration" => duration = Some(count),
                _ => self.doc.property(&format!("stats.{key}"), value),
            }
        }
        declared.total = declared
            .passed
            .saturating_add(declared.failed)
            .saturating_add(declared.skipped);
        self.doc.out.summary.declared = Some(declared);
        if let (Some(start), Some(ms)) = (self.doc.out.summary.started_at, duration) {
            let end = i64::try_from(ms)
                .ok()
                .and_then(|ms| start.as_millisecond().checked_add(ms));
            self.doc.out.summary.finished_at =
                end.and_then(|end| jiff::Timestamp::from_millisecond(end).ok());
        }
    }
}
