//! The document: `stats`, and either Mocha's flat lists or Mochawesome's tree of suites.

use std::io::BufRead;

use super::lists::Seen;
use crate::reports::parse::document::{Document, outside_tests};
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{Decoded, Value, float_ms};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Counts, Summary};
use crate::reports::parse::output::Halt;
use crate::reports::parse::read::Sink;

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    input: Decoded<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut reader = Mocha {
        doc: Document::new(Format::Mocha, input, limits, sink),
        seen: Seen::default(),
        titles: Vec::new(),
        failures: 0,
    };
    reader.doc.out.summary.reporter = Some("mocha".to_owned());
    let end = reader.document();
    reader.doc.finish(end)
}

pub(super) struct Mocha<'a, R> {
    pub(super) doc: Document<'a, Decoded<R>>,
    /// Tests of one list that stand in another too.
    pub(super) seen: Seen,
    /// Titles of the open suites.
    pub(super) titles: Vec<String>,
    /// Failures that the report speaks of.
    failures: u64,
}

impl<R: BufRead> Mocha<'_, R> {
    fn document(&mut self) -> Result<(), Halt> {
        self.doc.json.next_event()?;
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "stats" => {
                    let stats = self.doc.value("stats")?;
                    self.stats(stats);
                }
                "tests" | "passes" | "failures" | "pending" => self.list(&key)?,
                "results" => {
                    if self.doc.enter_array("results")? {
                        while self.doc.json.next_item()? {
                            self.suite(0, None)?;
                        }
                    }
                }
                "meta" => {
                    let meta = self.doc.value("meta")?;
                    self.meta(&meta);
                }
                _ => {
                    let value = self.doc.value(&key)?;
                    self.doc.property(&key, value);
                }
            }
        }
        if self.failures > 0 && self.doc.failures() == 0 {
            let told = format!(
                "the report speaks of {} failures and holds none",
                self.failures
            );
            self.doc
                .put_uncounted(outside_tests("(run failed)", told))?;
        }
        self.doc.end_of_document()
    }

    fn stats(&mut self, stats: Value) {
        let Value::Object(members) = stats else {
            return;
        };
        let mut declared = Counts::default();
        let mut registered = None;
        for (key, value) in members {
            let count = value.number().and_then(float_ms).unwrap_or(0);
            match key.as_str() {
                "tests" => declared.total = count,
                "testsRegistered" => registered = Some(count),
                "passes" => declared.passed = count,
                "failures" => declared.failed = count,
                "pending" => declared.skipped = count,
                "start" => self.doc.out.summary.started_at = value.instant(),
                "end" => self.doc.out.summary.finished_at = value.instant(),
                _ => {}
            }
        }
        self.failures = declared.failed;
        // Mochawesome lists tests that a broken hook kept from running too.
        declared.total = registered.unwrap_or(declared.total);
        self.doc.out.summary.declared = Some(declared);
    }

    fn meta(&mut self, meta: &Value) {
        let version = |tool: &str| {
            meta.get(tool)
                .and_then(|tool| tool.get("version"))
                .and_then(Value::as_str)
                .map(str::to_owned)
        };
        if let Some(version) = version("mochawesome") {
            self.doc.out.summary.reporter = Some("mochawesome".to_owned());
            self.doc.out.summary.reporter_version = Some(version);
        }
        if let Some(version) = version("mocha") {
            self.doc
                .out
                .summary
                .properties
                .push(("mocha".to_owned(), version));
        }
    }
}
