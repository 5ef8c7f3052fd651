//! The document: a list of features, each streamed scenario by scenario.
//!
//! A feature's name and file come after its scenarios in what cucumber-js writes, so these wait for them.

use std::io::BufRead;
use std::sync::Arc;

use super::rows::Rows;
use super::step::Steps;
use crate::reports::parse::document::Document;
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{Decoded, Value};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{ParsedCase, SuiteInfo, Summary};
use crate::reports::parse::output::Halt;
use crate::reports::parse::read::Sink;

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    input: Decoded<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut reader = Cucumber {
        doc: Document::new(Format::Cucumber, input, limits, sink),
        background: None,
        rows: Rows::default(),
        behave: false,
    };
    let end = reader.document();
    let tool = if reader.behave { "behave" } else { "cucumber" };
    reader.doc.out.summary.reporter = Some(tool.to_owned());
    reader.doc.finish(end)
}

pub(super) struct Cucumber<'a, R> {
    pub(super) doc: Document<'a, Decoded<R>>,
    /// Steps of the background before the next scenario, where they are written apart.
    pub(super) background: Option<Steps>,
    /// Rows of outlines.
    rows: Rows,
    /// Durations are seconds, and places stand in `location`.
    pub(super) behave: bool,
}

impl<R: BufRead> Cucumber<'_, R> {
    fn document(&mut self) -> Result<(), Halt> {
        self.doc.json.next_event()?;
        while self.doc.json.next_item()? {
            self.feature()?;
        }
        self.doc.end_of_document()
    }

    fn feature(&mut self) -> Result<(), Halt> {
        if !self.doc.enter_object("features[]")? {
            return Ok(());
        }
        self.background = None;
        let mark = self.doc.hold();
        let mut suite = SuiteInfo::default();
        let mut tags = ParsedCase::default();
        let mut name = String::new();
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "elements" => {
                    if self.doc.enter_array("elements")? {
                        while self.doc.json.next_item()? {
                            suite.cases += u64::from(self.element()?);
                        }
                    }
                }
                "name" => name = self.doc.text("name")?.unwrap_or_default(),
                "uri" => suite.file = self.doc.text("uri")?,
                "location" => {
                    self.behave = true;
                    let location = self.doc.text("location")?.unwrap_or_default();
                    suite.file = Some(place(&location).0.to_owned());
                }
                "tags" => {
                    let value = self.doc.value("tags")?;
                    self.doc.tags(&mut tags, value);
                }
                "keyword" | "id" | "line" | "status" => self.doc.json.skip_value()?,
                _ => {
                    let value: Value = self.doc.value(&key)?;
                    if !value.is_blank() && self.doc.has_room(&suite.properties) {
                        suite.properties.push((key, self.doc.short(value)));
                    }
                }
            }
        }
        suite.name = Arc::from(name.as_str());
        let room = self.doc.out.limits.properties;
        for case in self.doc.held_since(mark) {
            case.classname.clone_from(&name);
            case.suite = suite.name.clone();
            if case.file.is_none() {
                case.file.clone_from(&suite.file);
            }
            self.rows.tell_apart(case);
            for tag in &tags.properties {
                // Newer versions repeat the tags of the feature with each scenario.
                if !case.properties.contains(tag) && case.properties.len() < room {
                    case.properties.push(tag.clone());
                }
            }
        }
        self.doc.release()?;
        self.doc.out.suite(suite);
        Ok(())
    }
}

/// File and line of a place as behave writes it: `features/a.feature:12`.
pub(super) fn place(location: &str) -> (&str, Option<u32>) {
    match location.rsplit_once(':') {
        Some((file, line)) if line.parse::<u32>().is_ok() => (file, line.parse().ok()),
        _ => (location, None),
    }
}
