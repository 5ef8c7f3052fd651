//! Which element means what where. Rows wait for the end of their class, as far as the budget goes, to be put in order.

use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;

use super::method::Method;
use super::order::{Place, mark_retries, put_in_order};
use crate::reports::parse::error::ParseError;
use crate::reports::parse::fill::{append, nested, property, short, text_of};
use crate::reports::parse::format::Format;
use crate::reports::parse::held::Held;
use crate::reports::parse::input::{Tag, Text, timestamp};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Counts, Outcome, SuiteInfo, Summary};
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::read::Sink;
use crate::reports::parse::walk::{self, Document, Keep, Source, walk};

/// Memberships of groups that are remembered.
const MOST_GROUPED: usize = 100_000;

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    source: Source<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let document = TestNg {
        suites: Vec::new(),
        class: String::new(),
        method: None,
        rows: Held::new(),
        marks_retries: false,
        tolerated: 0,
        run_output: None,
        group: Arc::from(""),
        groups: HashMap::new(),
        grouped: 0,
        named: None,
    };
    walk(source, Format::Testng, limits, sink, document)
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Results,
    Suite,
    Test,
    Class,
    Method,
    Param,
    Value,
    Exception,
    Message,
    Trace,
    /// The stack without the frames of the framework.
    ShortTrace,
    ReporterOutput,
    Line,
    Attribute,
    GroupOfTests,
    /// Holds others and says nothing itself.
    Group,
    /// Not known.
    Other,
}

pub(super) type At<'w, 'a> = walk::At<'w, 'a, Element>;

struct TestNg {
    /// The suite and the test (a set of classes) that are open.
    suites: Vec<SuiteInfo>,
    class: String,
    method: Option<Method>,
    /// Rows of the class in hand.
    rows: Held<Place>,
    /// The report says which rows were retried.
    marks_retries: bool,
    /// Rows that failed within the percentage that their test may.
    tolerated: u64,
    /// Output of the whole run, until a suite takes it.
    run_output: Option<Text>,
    group: Arc<str>,
    /// Groups by class and method.
    groups: HashMap<(String, String), Vec<Arc<str>>>,
    grouped: usize,
    /// Name of the attribute or unknown element in hand.
    named: Option<String>,
}

impl Document for TestNg {
    type Element = Element;

    fn open(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) -> Result<(Element, Keep), Halt> {
        let in_other = at.parent() == Some(Element::Other);
        Ok(match tag.name() {
            b"testng-results" => {
                self.marks_retries = results(at, tag);
                (Element::Results, Keep::Nothing)
            }
            b"suite" => {
                self.suite(at, tag);
                (Element::Suite, Keep::Nothing)
            }
            b"test" => {
                self.suite(at, tag);
                (Element::Test, Keep::Nothing)
            }
            b"class" => {
                let mut attributes = at.attributes(tag);
                let name = attributes.take("name").unwrap_or_default();
                self.class = match attributes.take("package") {
                    Some(package) if package != "[default]" => format!("{package}.{name}"),
                    _ => name,
                };
                (Element::Class, Keep::Nothing)
            }
            b"test-method" => {
                self.emit(at)?;
                self.method = Some(Method::new(at, tag, &self.class));
                (Element::Method, Keep::Nothing)
            }
            b"group" => {
                let mut attributes = at.attributes(tag);
                self.group = attributes.take("name").unwrap_or_default().into();
                (Element::GroupOfTests, Keep::Nothing)
            }
            b"method" if at.parent() == Some(Element::GroupOfTests) => {
                let mut attributes = at.attributes(tag);
                let (class, name) = (attributes.take("class"), attributes.take("name"));
                self.join_group(class.unwrap_or_default(), name.unwrap_or_default());
                (Element::Group, Keep::Nothing)
            }
            b"param" => {
                // Some versions write the value as an attribute.
                let mut attributes = at.attributes(tag);
                if let (Some(method), Some(value)) = (&mut self.method, attributes.take("value")) {
                    method.add_parameter(&value);
                }
                (Element::Param, Keep::Nothing)
            }
            b"value" => {
                let mut attributes = at.attributes(tag);
                if let Some(method) = &mut self.method
                    && attributes.flag("is-null") == Some(true)
                {
                    method.add_parameter("null");
                    return Ok((Element::Group, Keep::Nothing));
                }
                (Element::Value, Keep::Short)
            }
            b"exception" => {
                let mut attributes = at.attributes(tag);
                if let Some(method) = &mut self.method {
                    method.case.kind = attributes.take("class");
                }
                (Element::Exception, Keep::Nothing)
            }
            b"message" => (Element::Message, Keep::Short),
            b"full-stacktrace" => (Element::Trace, Keep::Long),
            b"short-stacktrace" => (Element::ShortTrace, Keep::Long),
            b"reporter-output" => (Element::ReporterOutput, Keep::Nothing),
            b"line" => (Element::Line, Keep::Long),
            b"attribute" => {
                self.named = Some(at.attributes(tag).take("name").unwrap_or_default());
                (Element::Attribute, Keep::Short)
            }
            b"groups" | b"params" | b"attributes" => (Element::Group, Keep::Nothing),
            _ if in_other => (Element::Group, Keep::Nothing),
            name => {
                self.named = Some(String::from_utf8_lossy(name).into_owned());
                (Element::Other, Keep::Short)
            }
        })
    }

    fn close(&mut self, at: &mut At<'_, '_>, element: Element, text: Text) -> Result<(), Halt> {
        let limit = at.out.limits.text_bytes;
        match (element, &mut self.method) {
            (Element::Method, _) => self.emit(at)?,
            (Element::Class, _) => {
                self.emit(at)?;
                self.release(at.out)?;
            }
            (Element::Suite | Element::Test, _) => {
                self.emit(at)?;
                self.release(at.out)?;
                if let Some(mut suite) = self.suites.pop() {
                    if element == Element::Suite {
                        suite.stdout = self.run_output.take();
                        (self.groups, self.grouped) = (HashMap::new(), 0);
                    }
                    at.out.suite(suite);
                }
            }
            (Element::Value, Some(method)) => method.add_parameter(text.value.trim()),
            (Element::Message, Some(method)) => method.case.message = short(&text),
            (Element::Trace, Some(method)) => method.case.trace = stack(&text),
            (Element::ShortTrace, Some(method)) if method.case.trace.is_none() => {
                method.case.trace = stack(&text);
            }
            (Element::Line, method) => {
                let line = text_of(text.value.trim().to_owned());
                match method {
                    Some(method) => append(&mut method.case.stdout, line, limit),
                    None => append(&mut self.run_output, line, limit),
                }
            }
            (Element::Attribute, Some(method)) => {
                if let (Some(name), Some(value)) = (self.named.take(), short(&text)) {
                    property(at, &mut method.case, name, value);
                }
            }
            (Element::Other, method) => {
                if let (Some(name), Some(value)) = (self.named.take(), short(&text)) {
                    match (method, self.suites.last_mut()) {
                        (Some(method), _) => at.keep(&mut method.case.extra, (name, value)),
                        (None, Some(suite)) => at.keep(&mut suite.properties, (name, value)),
                        (None, None) => at.keep_of_run(&name, value),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Output<'_>) -> Result<(), Halt> {
        out.summary.reporter = Some("testng".to_owned());
        self.release(out)?;
        // Up to version 6 the total leaves tolerated failures out.
        let rows = i64::try_from(out.summary.counts.total).unwrap_or(i64::MAX) - out.uncounted;
        if let (Some(declared), Ok(tolerated)) =
            (out.summary.declared, i64::try_from(self.tolerated))
            && i64::try_from(declared.total) == Ok(rows - tolerated)
        {
            out.uncounted += tolerated;
        }
        Ok(())
    }
}

/// A stack without the indentation of the document around it.
fn stack(text: &Text) -> Option<Text> {
    let value = short(text)?;
    let trimmed = (text.value.len() - value.len()) as u64;
    Some(Text {
        bytes: text.bytes.saturating_sub(trimmed),
        cut: text.cut,
        value,
    })
}

/// Reads what the report counts; whether it counts retried rows too.
fn results(at: &mut At<'_, '_>, tag: &Tag<'_>) -> bool {
    let mut attributes = at.attributes(tag);
    let retried = attributes.take("retried");
    // Sums of hostile numbers must not overflow.
    let mut number = |name: &str| attributes.number(name).map(|count| count.min(1 << 40));
    let (total, passed, failed, skipped) = (
        number("total"),
        number("passed"),
        number("failed"),
        number("skipped"),
    );
    at.out.summary.declared = total.map(|total| Counts {
        total,
        passed: passed.unwrap_or(0),
        failed: failed.unwrap_or(0),
        skipped: skipped.unwrap_or(0),
        ..Counts::default()
    });
    let marks_retries = retried.is_some();
    if let Some(retried) = retried {
        at.keep_of_run("retried", retried);
    }
    for (name, value) in attributes.rest() {
        at.keep_of_run(&name, value);
    }
    marks_retries
}

impl TestNg {
    fn suite(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) {
        let mut attributes = at.attributes(tag);
        let name = attributes.take("name").unwrap_or_default();
        let mut time = |name: &str| attributes.take(name).and_then(|text| timestamp(&text));
        let (began, finished) = (time("started-at"), time("finished-at"));
        let summary = &mut at.out.summary;
        summary.started_at = match (summary.started_at, began) {
            (Some(known), Some(began)) => Some(known.min(began)),
            (known, began) => known.or(began),
        };
        summary.finished_at = summary.finished_at.max(finished);
        let no_name = Arc::from("");
        let outer = self.suites.last().map_or(&no_name, |outer| &outer.name);
        let mut suite = SuiteInfo {
            name: nested(outer, &name),
            timestamp: began,
            duration_ms: attributes.number("duration-ms"),
            ..SuiteInfo::default()
        };
        for pair in attributes.rest() {
            at.keep(&mut suite.properties, pair);
        }
        self.suites.push(suite);
    }

    fn join_group(&mut self, class: String, name: String) {
        if self.grouped < MOST_GROUPED {
            self.grouped += 1;
            let groups = self.groups.entry((class, name)).or_default();
            groups.push(self.group.clone());
        }
    }

    /// Lets the row in hand wait for the others of its class.
    fn emit(&mut self, at: &mut At<'_, '_>) -> Result<(), Halt> {
        let Some(method) = self.method.take() else {
            return Ok(());
        };
        let place = Place {
            retried: method.retried,
            perhaps_retried: method.is_perhaps_retried(),
            is_configuration: method.is_configuration,
        };
        let groups = self
            .groups
            .get(&(method.case.classname.clone(), method.method.clone()))
            .cloned();
        let Some(mut case) = method.finish(at) else {
            return Ok(());
        };
        self.tolerated += u64::from(case.outcome == Outcome::KnownIssue);
        for group in groups.into_iter().flatten() {
            at.keep(
                &mut case.properties,
                ("group".to_owned(), group.to_string()),
            );
        }
        if let Some(suite) = self.suites.last_mut() {
            case.suite = suite.name.clone();
            suite.cases += 1;
        }
        if !self.rows.push(case, place) {
            at.warn("many_rows", "put attempts in order part by part", || {
                format!("class `{}` has too many rows to wait for all", self.class)
            });
            self.release(at.out)?;
        }
        Ok(())
    }

    /// Hands on the rows that wait: retried ones before the last attempt of their test.
    fn release(&mut self, out: &mut Output<'_>) -> Result<(), Halt> {
        let mut rows = self.rows.take();
        if !self.marks_retries {
            mark_retries(&mut rows);
        }
        put_in_order(&mut rows);
        for (case, place) in rows {
            if place.is_configuration {
                out.case_of_suite(case)?;
            } else {
                out.case(case)?;
            }
        }
        Ok(())
    }
}
