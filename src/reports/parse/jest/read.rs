//! The document: what it says about the run, and its files, streamed one test at a time.
//!
//! A run that says it failed while none of its tests did (an unhandled rejection, a coverage threshold) gets a row of
//! its own: without it the report would look green.

use std::io::BufRead;

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
    let mut reader = Jest {
        doc: Document::new(Format::Jest, input, limits, sink),
        declared: None,
        jest_only: false,
        failed: false,
        interrupted: false,
    };
    let end = reader.document();
    reader.about_the_run();
    reader.doc.finish(end)
}

pub(super) struct Jest<'a, R> {
    pub(super) doc: Document<'a, Decoded<R>>,
    declared: Option<Counts>,
    /// There is a member that Vitest does not write.
    jest_only: bool,
    /// The report says that the run failed.
    failed: bool,
    interrupted: bool,
}

impl<R: BufRead> Jest<'_, R> {
    fn document(&mut self) -> Result<(), Halt> {
        self.doc.json.next_event()?;
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "testResults" => {
                    if self.doc.enter_array("testResults")? {
                        while self.doc.json.next_item()? {
                            self.file()?;
                        }
                    }
                }
                // Of any size, and nothing of them is about a test.
                "coverageMap" | "coverage" | "snapshot" => self.doc.json.skip_value()?,
                _ => {
                    let value = self.doc.value(&key)?;
                    self.member(&key, value);
                }
            }
        }
        self.verdict()?;
        self.doc.end_of_document()
    }

    fn member(&mut self, key: &str, value: Value) {
        let count = value.number().and_then(float_ms).unwrap_or(0);
        match key {
            "numTotalTests" => self.declared.get_or_insert_default().total = count,
            "numPassedTests" => self.declared.get_or_insert_default().passed = count,
            "numFailedTests" => self.declared.get_or_insert_default().failed = count,
            "numPendingTests" | "numTodoTests" => {
                let skipped = &mut self.declared.get_or_insert_default().skipped;
                *skipped = skipped.saturating_add(count);
            }
            "startTime" => self.doc.out.summary.started_at = value.instant(),
            "success" => self.failed = value == Value::Bool(false),
            "wasInterrupted" => {
                self.jest_only = true;
                self.interrupted = value == Value::Bool(true);
            }
            "numRuntimeErrorTestSuites" | "openHandles" => {
                self.jest_only = true;
                if count > 0 || key == "openHandles" {
                    self.doc.property(key, value);
                }
            }
            _ => self.doc.property(key, value),
        }
    }

    fn verdict(&mut self) -> Result<(), Halt> {
        let message = if self.interrupted {
            "the run was interrupted"
        } else if self.failed && self.doc.failures() == 0 {
            "the run failed, and no test in it did"
        } else {
            return Ok(());
        };
        self.doc
            .put_uncounted(outside_tests("(run failed)", message.to_owned()))
    }

    fn about_the_run(&mut self) {
        let summary = &mut self.doc.out.summary;
        let tool = if self.jest_only { "jest" } else { "vitest" };
        summary.reporter = Some(tool.to_owned());
        summary.declared = self.declared;
    }
}
