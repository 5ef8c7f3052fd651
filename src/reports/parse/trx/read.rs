//! Which element means what where.
//!
//! A result knows its test by an id and its display name; the class stands in the definitions, behind all results. Results
//! therefore wait for their definition as far as the budget goes; beyond it they are handed on with what they know, and one
//! warning says so. Tools of old put the definitions first: then nothing waits.

use std::io::BufRead;

use super::definition::{Definition, Definitions};
use super::result::Open;
use super::run::Run;
use crate::reports::parse::error::ParseError;
use crate::reports::parse::fill::{append, long, short, trace_of};
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{Tag, Text};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::Summary;
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::read::Sink;
use crate::reports::parse::walk::{self, Document, Keep, Source, walk};

/// Results inside results that are read as such: data rows in ordered tests, and then some.
const DEEPEST_RESULT: usize = 4;

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    source: Source<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    walk(source, Format::Trx, limits, sink, Trx::default())
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Run,
    Results,
    Result,
    InnerResults,
    ErrorInfo,
    Message,
    Trace,
    StdOut,
    StdErr,
    Definitions,
    Definition,
    Description,
    WorkItem,
    Key,
    Value,
    RunInfo,
    RunText,
    /// Holds others and says nothing itself.
    Group,
    /// Not known.
    Other,
}

pub(super) type At<'w, 'a> = walk::At<'w, 'a, Element>;

#[derive(Default)]
struct Trx {
    run: Run,
    /// The result in hand, and those around it.
    open: Vec<Open>,
    definition: Option<Definition>,
    definitions: Definitions,
    /// Key of the property in hand, or name of the unknown element.
    named: Option<String>,
}

impl Document for Trx {
    type Element = Element;

    fn open(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) -> Result<(Element, Keep), Halt> {
        let parent = at.parent();
        if parent == Some(Element::Other) {
            return Ok((Element::Group, Keep::Nothing));
        }
        if matches!(parent, Some(Element::Results | Element::InnerResults))
            && self.open.len() < DEEPEST_RESULT
        {
            let result = Open::new(at, tag, self.open.last());
            self.run.note_host(&result.case.extra);
            self.open.push(result);
            return Ok((Element::Result, Keep::Nothing));
        }
        if parent == Some(Element::Definitions) {
            self.definition = Some(Definition::new(at, tag));
            return Ok((Element::Definition, Keep::Nothing));
        }
        Ok(match tag.name() {
            b"TestRun" => {
                self.run.open(at, tag);
                (Element::Run, Keep::Nothing)
            }
            b"Times" => {
                self.run.times(at, tag);
                (Element::Group, Keep::Nothing)
            }
            b"Results" => (Element::Results, Keep::Nothing),
            b"InnerResults" => (Element::InnerResults, Keep::Nothing),
            b"ErrorInfo" => (Element::ErrorInfo, Keep::Nothing),
            b"Message" if parent == Some(Element::ErrorInfo) => (Element::Message, Keep::Short),
            b"StackTrace" => (Element::Trace, Keep::Long),
            // Messages of the test's context and of listeners are part of what it said.
            b"StdOut" | b"DebugTrace" | b"Message" => (Element::StdOut, Keep::Long),
            b"StdErr" => (Element::StdErr, Keep::Long),
            b"ResultFile" => {
                self.attachment(at, tag, "path");
                (Element::Group, Keep::Nothing)
            }
            b"A" => {
                self.attachment(at, tag, "href");
                (Element::Group, Keep::Nothing)
            }
            b"TestDefinitions" => (Element::Definitions, Keep::Nothing),
            b"Execution" | b"TestMethod" | b"TestCategoryItem" | b"Owner" => {
                if let Some(definition) = &mut self.definition {
                    definition.part(at, tag);
                }
                (Element::Group, Keep::Nothing)
            }
            b"Description" if at.inside(Element::Definition) => (Element::Description, Keep::Short),
            b"Workitem" | b"WorkItem" => (Element::WorkItem, Keep::Short),
            b"Key" => (Element::Key, Keep::Short),
            b"Value" => (Element::Value, Keep::Short),
            b"ResultSummary" => {
                self.run.summary(at, tag);
                (Element::Group, Keep::Nothing)
            }
            b"Counters" => {
                self.run.counters(at, tag);
                (Element::Group, Keep::Nothing)
            }
            b"RunInfo" => {
                self.run.open_info(at, tag);
                (Element::RunInfo, Keep::Nothing)
            }
            b"Text" if parent == Some(Element::RunInfo) => (Element::RunText, Keep::Long),
            b"Output"
            | b"TextMessages"
            | b"ResultFiles"
            | b"CollectorDataEntries"
            | b"Collector"
            | b"UriAttachments"
            | b"UriAttachment"
            | b"TestCategory"
            | b"Owners"
            | b"Workitems"
            | b"WorkItems"
            | b"WorkItemIDs"
            | b"Properties"
            | b"Property"
            | b"RunInfos"
            | b"TestSettings"
            | b"TestEntries"
            | b"TestEntry"
            | b"TestLists"
            | b"TestList"
            | b"Deployment" => (Element::Group, Keep::Nothing),
            name => {
                self.named = Some(String::from_utf8_lossy(name).into_owned());
                (Element::Other, Keep::Short)
            }
        })
    }

    fn close(&mut self, at: &mut At<'_, '_>, element: Element, text: Text) -> Result<(), Halt> {
        let limit = at.out.limits.text_bytes;
        match (element, self.open.last_mut()) {
            (Element::Result, _) => self.close_result(at)?,
            (Element::Message, Some(open)) => open.case.message = short(&text),
            (Element::Trace, Some(open)) => open.case.trace = trace_of(text),
            (Element::StdOut, Some(open)) => append(&mut open.case.stdout, text, limit),
            (Element::StdErr, Some(open)) => append(&mut open.case.stderr, text, limit),
            (Element::StdOut, None) => append(&mut self.run.stdout, text, limit),
            (Element::StdErr, None) => append(&mut self.run.stderr, text, limit),
            (Element::Definition, _) => {
                if let Some(definition) = self.definition.take() {
                    self.definitions.add(definition, at.out.limits);
                }
            }
            (Element::Definitions, _) => {
                self.definitions.are_complete();
                self.definitions.release(at.out)?;
            }
            (Element::Description, _) => {
                if let Some(definition) = &mut self.definition {
                    definition.description = short(&text);
                }
            }
            (Element::WorkItem, _) => {
                if let (Some(definition), Some(item)) = (&mut self.definition, short(&text)) {
                    at.keep(&mut definition.tickets, item);
                }
            }
            (Element::Key, _) => self.named = short(&text),
            (Element::Value, open) => {
                if let (Some(key), Some(value)) = (self.named.take(), short(&text)) {
                    match (&mut self.definition, open) {
                        (Some(definition), _) => {
                            at.keep(&mut definition.properties, (key, value));
                        }
                        (None, Some(open)) => at.keep(&mut open.case.properties, (key, value)),
                        (None, None) => at.keep_of_run(&key, value),
                    }
                }
            }
            (Element::RunText, _) => {
                if let Some(text) = long(text) {
                    self.run.info_text(at, text);
                }
            }
            (Element::RunInfo, _) => self.run.close_info(),
            (Element::Run, _) => self.run.whole = !at.cut,
            (Element::Other, open) => {
                if let (Some(name), Some(value)) = (self.named.take(), short(&text)) {
                    match (&mut self.definition, open) {
                        (Some(definition), _) => at.keep(&mut definition.extra, (name, value)),
                        (None, Some(open)) => at.keep(&mut open.case.extra, (name, value)),
                        (None, None) => at.keep_of_run(&name, value),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Output<'_>) -> Result<(), Halt> {
        self.definitions.release(out)?;
        self.run.end(out, self.definitions.assembly())
    }
}

impl Trx {
    fn attachment(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>, attribute: &str) {
        let Some(path) = at.attributes(tag).take(attribute) else {
            return;
        };
        match self.open.last_mut() {
            Some(open) => at.keep(&mut open.case.attachments, path),
            None => at.keep_of_run("attachment", path),
        }
    }

    /// Hands on the result in hand. One that holds data rows is no row itself, unless it alone has failed.
    fn close_result(&mut self, at: &mut At<'_, '_>) -> Result<(), Halt> {
        let Some(open) = self.open.pop() else {
            return Ok(());
        };
        let bad = open.is_bad();
        if let Some(outer) = self.open.last_mut() {
            outer.rows += open.rows.max(1);
            outer.bad_rows += open.bad_rows + u64::from(bad && open.bad_rows == 0);
        }
        if open.rows > 0 && !(bad && open.bad_rows == 0) {
            self.run.parents += 1;
            return Ok(());
        }
        self.run.bad_rows += u64::from(bad);
        let (case, ids) = open.finish(at);
        self.definitions.place(at.out, case, ids)
    }
}
