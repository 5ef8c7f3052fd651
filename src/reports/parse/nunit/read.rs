//! Which element means what where. Both versions nest suites and cases and say what failed in the same elements; they differ
//! in their attributes.

use std::io::BufRead;

use super::case::Case;
use super::suite::{Suite, Suites, counts};
use crate::reports::parse::error::ParseError;
use crate::reports::parse::fill::{base_name, property, short};
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{Tag, Text, timestamp};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::Summary;
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::read::Sink;
use crate::reports::parse::walk::{self, Document, Keep, Source, walk};

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    source: Source<R>,
    format: Format,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let document = Nunit {
        old: format == Format::Nunit2,
        suites: Suites::default(),
        case: None,
        property: None,
    };
    walk(source, format, limits, sink, document)
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Run,
    Suite,
    Case,
    Failure,
    Reason,
    Assertion,
    Message,
    Trace,
    Output,
    Property,
    AttachmentPath,
    AttachmentDescription,
    CommandLine,
    /// Holds others and says nothing itself.
    Group,
    /// Not known; its name is kept beside it.
    Other,
}

pub(super) type At<'w, 'a> = walk::At<'w, 'a, Element>;

struct Nunit {
    old: bool,
    suites: Suites,
    case: Option<Case>,
    /// The property in hand, or the unknown element: its name, and its value where an attribute gives it.
    property: Option<(String, Option<String>)>,
}

impl Document for Nunit {
    type Element = Element;

    fn open(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) -> Result<(Element, Keep), Halt> {
        let parent = at.parent();
        let keeps_property = matches!(parent, Some(Element::Property | Element::Other));
        Ok(match tag.name() {
            b"test-run" | b"test-results" => {
                self.run(at, tag);
                (Element::Run, Keep::Nothing)
            }
            b"test-suite" => {
                self.emit(at)?;
                let suite = Suite::new(at, tag, self.old, &self.suites);
                self.suites.open(suite);
                (Element::Suite, Keep::Nothing)
            }
            b"test-case" => {
                self.emit(at)?;
                self.case = Some(Case::new(at, tag, self.old, &self.suites));
                (Element::Case, Keep::Nothing)
            }
            b"failure" => (Element::Failure, Keep::Nothing),
            b"reason" => (Element::Reason, Keep::Nothing),
            b"assertion" => {
                if let Some(case) = &mut self.case {
                    let mut attributes = at.attributes(tag);
                    case.open_assertion(attributes.take("result"));
                }
                (Element::Assertion, Keep::Nothing)
            }
            b"message" => (Element::Message, Keep::Short),
            b"stack-trace" => (Element::Trace, Keep::Long),
            b"output" => (Element::Output, Keep::Long),
            b"filePath" => (Element::AttachmentPath, Keep::Short),
            b"description" if parent == Some(Element::Group) => {
                (Element::AttachmentDescription, Keep::Short)
            }
            b"command-line" => (Element::CommandLine, Keep::Short),
            b"property" | b"category" | b"setting" if !keeps_property => {
                let mut attributes = at.attributes(tag);
                let (name, value) = if tag.name() == b"category" {
                    (Some("Category".to_owned()), attributes.take("name"))
                } else {
                    (attributes.take("name"), attributes.take("value"))
                };
                self.property = Some((name.unwrap_or_default(), value));
                (Element::Property, Keep::Short)
            }
            b"environment" | b"culture-info" => {
                let attributes = at.attributes(tag);
                self.environment(at, attributes.rest());
                (Element::Group, Keep::Nothing)
            }
            b"properties" | b"categories" | b"results" | b"assertions" | b"attachments"
            | b"attachment" | b"settings" => (Element::Group, Keep::Nothing),
            // Inside an unknown element all is text of it.
            _ if keeps_property => (Element::Group, Keep::Nothing),
            name => {
                self.property = Some((String::from_utf8_lossy(name).into_owned(), None));
                (Element::Other, Keep::Short)
            }
        })
    }

    fn close(&mut self, at: &mut At<'_, '_>, element: Element, text: Text) -> Result<(), Halt> {
        let parent = at.parent();
        match (element, &mut self.case) {
            (Element::Case, _) => self.emit(at)?,
            (Element::Suite, _) => {
                self.emit(at)?;
                self.suites.close(at)?;
            }
            (Element::Run, _) => self.emit(at)?,
            (Element::Message, Some(case)) => case.message(parent, &text),
            (Element::Trace, Some(case)) => case.trace(parent, text),
            (Element::Message, None) => self.suites.message(&text),
            (Element::Trace, None) => self.suites.trace(text),
            (Element::Assertion, Some(case)) => case.close_assertion(at),
            (Element::Output, Some(case)) => case.output(at, text),
            (Element::Output, None) => self.suites.output(at, text),
            (Element::AttachmentPath, Some(case)) => {
                if let Some(path) = short(&text) {
                    at.keep(&mut case.case.attachments, path);
                }
            }
            (Element::AttachmentPath, None) => self.suites.property(at, "attachment", &text),
            (Element::AttachmentDescription, Some(case)) => {
                if let Some(text) = short(&text) {
                    at.keep(&mut case.case.extra, ("attachment".to_owned(), text));
                }
            }
            (Element::CommandLine, None) => {
                if let Some(text) = short(&text) {
                    at.keep_of_run("command-line", text);
                }
            }
            (Element::Property | Element::Other, _) => self.close_property(at, element, &text),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Output<'_>) -> Result<(), Halt> {
        out.summary.reporter = Some("nunit".to_owned());
        Ok(())
    }
}

impl Nunit {
    fn run(&self, at: &mut At<'_, '_>, tag: &Tag<'_>) {
        let mut attributes = at.attributes(tag);
        let declared = counts(&mut attributes, self.old);
        let summary = &mut at.out.summary;
        summary.declared = declared;
        if self.old {
            // Date and time stand apart, and are of the moment when the file was written.
            let (date, time) = (attributes.take("date"), attributes.take("time"));
            summary.finished_at = stamp(date, time);
        } else {
            let (start, end) = (attributes.take("start-time"), attributes.take("end-time"));
            // The first of version 3 wrote the date apart.
            summary.started_at = stamp(attributes.take("run-date"), start);
            summary.finished_at = stamp(None, end);
            summary.reporter_version = attributes.take("engine-version");
        }
        // The name is a path; what else is said of the run stays with it.
        if let Some(name) = attributes.take("name") {
            at.keep_of_run("name", base_name(&name).to_owned());
        }
        for (name, value) in attributes.rest() {
            at.keep_of_run(&name, value);
        }
    }

    /// What is said of the machine belongs to the innermost suite, in the old format to the run.
    fn environment(
        &mut self,
        at: &mut At<'_, '_>,
        attributes: impl Iterator<Item = (String, String)>,
    ) {
        for (name, value) in attributes {
            if name == "nunit-version" && at.out.summary.reporter_version.is_none() {
                at.out.summary.reporter_version = Some(value.clone());
            }
            match self.suites.innermost() {
                Some(suite) => {
                    if name == "machine-name" {
                        suite.hostname = Some(value.clone());
                    }
                    at.keep(&mut suite.properties, (name, value));
                }
                None => at.keep_of_run(&name, value),
            }
        }
    }

    fn close_property(&mut self, at: &mut At<'_, '_>, element: Element, text: &Text) {
        let Some((name, value)) = self.property.take() else {
            return;
        };
        let Some(value) = value.or_else(|| short(text)) else {
            return;
        };
        match &mut self.case {
            Some(case) if element == Element::Property => {
                property(at, &mut case.case, name, value);
            }
            Some(case) => at.keep(&mut case.case.extra, (name, value)),
            None => {
                if let Some(suite) = self.suites.innermost() {
                    at.keep(&mut suite.properties, (name, value));
                } else {
                    at.keep_of_run(&name, value);
                }
            }
        }
    }

    /// Hands the case in hand, if any, to the sink.
    fn emit(&mut self, at: &mut At<'_, '_>) -> Result<(), Halt> {
        let Some(case) = self.case.take() else {
            return Ok(());
        };
        let mut case = case.finish(at);
        self.suites.place(&mut case);
        at.out.case(case)
    }
}

/// A time stamp, its date and time in one or apart.
fn stamp(date: Option<String>, time: Option<String>) -> Option<jiff::Timestamp> {
    match (date, time) {
        (Some(date), Some(time)) => timestamp(&format!("{date} {time}")),
        (None, Some(only)) | (Some(only), None) => timestamp(&only),
        (None, None) => None,
    }
}
