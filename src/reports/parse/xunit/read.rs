//! Which element means what where, and what is said of whole assemblies.

use std::io::BufRead;
use std::sync::Arc;

use super::test::{Test, error_row};
use crate::reports::parse::error::ParseError;
use crate::reports::parse::fill::{append, base_name, complete, nested, property, short, trace_of};
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{Tag, Text, timestamp};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Counts, SuiteInfo, Summary};
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::read::Sink;
use crate::reports::parse::walk::{self, Attributes, Document, Keep, Source, walk};

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    source: Source<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    walk(source, Format::Xunit, limits, sink, Xunit::default())
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    Assemblies,
    Assembly,
    /// A class in v1, a collection since.
    Collection,
    Test,
    /// A failure of an assembly or a fixture.
    Error,
    Failure,
    Message,
    Trace,
    Reason,
    Output,
    Trait,
    Warning,
    Attachment,
    /// An attachment whose content is coded bytes.
    Bytes,
    /// Holds others and says nothing itself.
    Group,
    /// Not known.
    Other,
}

pub(super) type At<'w, 'a> = walk::At<'w, 'a, Element>;

#[derive(Default)]
struct Xunit {
    /// The assembly and the collection that are open.
    suites: Vec<SuiteInfo>,
    /// The test in hand, or the failure outside every test.
    test: Option<Test>,
    /// Name of the trait, attachment or unknown element in hand, and its value where an attribute gives it.
    named: Option<(String, Option<String>)>,
    declared: Option<Counts>,
}

impl Document for Xunit {
    type Element = Element;

    fn open(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) -> Result<(Element, Keep), Halt> {
        let parent = at.parent();
        let in_other = parent == Some(Element::Other);
        Ok(match tag.name() {
            b"assemblies" => {
                self.run(at, tag);
                (Element::Assemblies, Keep::Nothing)
            }
            b"assembly" => {
                self.assembly(at, tag);
                (Element::Assembly, Keep::Nothing)
            }
            b"collection" | b"class" => {
                self.emit(at)?;
                self.collection(at, tag);
                (Element::Collection, Keep::Nothing)
            }
            b"test" => {
                self.emit(at)?;
                self.test = Some(Test::new(at, tag));
                (Element::Test, Keep::Nothing)
            }
            b"error" => {
                self.emit(at)?;
                let mut attributes = at.attributes(tag);
                let (kind, name) = (attributes.take("type"), attributes.take("name"));
                let kind = kind.unwrap_or_else(|| "error".to_owned());
                // Assemblies are named by their path, which is another one on every machine.
                let name = name.filter(|_| kind != "assembly-cleanup");
                self.test = Some(error_row(at, &kind, name.unwrap_or(self.place())));
                (Element::Error, Keep::Nothing)
            }
            b"failure" => {
                if self.test.is_none() {
                    // v1 puts the failure of a fixture straight into the class.
                    self.test = Some(error_row(at, "suite", self.place()));
                }
                let mut attributes = at.attributes(tag);
                if let Some(test) = &mut self.test {
                    test.case.kind = attributes.take("exception-type");
                }
                (Element::Failure, Keep::Nothing)
            }
            b"message" => (Element::Message, Keep::Short),
            b"stack-trace" => (Element::Trace, Keep::Long),
            b"reason" => (Element::Reason, Keep::Short),
            b"output" => (Element::Output, Keep::Long),
            b"warning" if !in_other => (Element::Warning, Keep::Short),
            b"trait" if !in_other => {
                let mut attributes = at.attributes(tag);
                let name = attributes.take("name").unwrap_or_default();
                self.named = Some((name, attributes.take("value")));
                (Element::Trait, Keep::Nothing)
            }
            b"attachment" if !in_other => {
                let mut attributes = at.attributes(tag);
                let name = attributes.take("name").unwrap_or_default();
                self.named = Some((name, None));
                match attributes.take("media-type") {
                    Some(_) => (Element::Bytes, Keep::Nothing),
                    None => (Element::Attachment, Keep::Short),
                }
            }
            b"traits" | b"warnings" | b"attachments" | b"errors" => (Element::Group, Keep::Nothing),
            _ if in_other => (Element::Group, Keep::Nothing),
            name => {
                self.named = Some((String::from_utf8_lossy(name).into_owned(), None));
                (Element::Other, Keep::Short)
            }
        })
    }

    fn close(&mut self, at: &mut At<'_, '_>, element: Element, text: Text) -> Result<(), Halt> {
        let limit = at.out.limits.text_bytes;
        match (element, &mut self.test) {
            (Element::Test | Element::Error, _) => self.emit(at)?,
            (Element::Failure, Some(test))
                if test.of_suite && at.parent() != Some(Element::Error) =>
            {
                self.emit(at)?;
            }
            (Element::Assembly | Element::Collection, _) => {
                self.emit(at)?;
                if let Some(suite) = self.suites.pop() {
                    at.out.suite(suite);
                }
            }
            (Element::Message | Element::Reason, Some(test)) if test.case.message.is_none() => {
                test.case.message = short(&text);
            }
            (Element::Trace, Some(test)) => append_trace(&mut test.case.trace, text, limit),
            (Element::Output, Some(test)) => append(&mut test.case.stdout, text, limit),
            (Element::Output, None) => {
                if let Some(suite) = self.suites.last_mut() {
                    append(&mut suite.stdout, text, limit);
                }
            }
            (Element::Warning, Some(test)) => {
                if let Some(text) = short(&text) {
                    at.keep(&mut test.case.extra, ("warning".to_owned(), text));
                }
            }
            (Element::Trait, Some(test)) => {
                if let Some((name, Some(value))) = self.named.take() {
                    property(at, &mut test.case, name, value);
                }
            }
            (Element::Attachment | Element::Bytes, Some(test)) => {
                if let Some((name, _)) = self.named.take() {
                    if let Some(text) = short(&text) {
                        at.keep(&mut test.case.extra, (format!("attachment {name}"), text));
                    }
                    at.keep(&mut test.case.attachments, name);
                }
            }
            (Element::Other, test) => {
                if let (Some((name, _)), Some(text)) = (self.named.take(), short(&text)) {
                    match (test, self.suites.last_mut()) {
                        (Some(test), _) => at.keep(&mut test.case.extra, (name, text)),
                        (None, Some(suite)) => at.keep(&mut suite.properties, (name, text)),
                        (None, None) => at.keep_of_run(&name, text),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Output<'_>) -> Result<(), Halt> {
        out.summary.reporter = Some("xunit.net".to_owned());
        out.summary.declared = self.declared;
        Ok(())
    }
}

impl Xunit {
    fn run(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) {
        let mut attributes = at.attributes(tag);
        let mut time = |name: &str| attributes.take(name).and_then(|text| timestamp(&text));
        let (start, finish, stamp) = (time("start-rtf"), time("finish-rtf"), time("timestamp"));
        at.out.summary.started_at = start;
        at.out.summary.finished_at = finish.or(stamp);
        for (name, value) in attributes.rest() {
            at.keep_of_run(&name, value);
        }
    }

    fn assembly(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) {
        let mut attributes = at.attributes(tag);
        let path = attributes.take("name").unwrap_or_default();
        let declared = counts(&mut attributes);
        if let Some(declared) = declared {
            let sum = self.declared.get_or_insert_default();
            sum.total += declared.total;
            sum.passed += declared.passed;
            sum.failed += declared.failed;
            sum.skipped += declared.skipped;
            sum.not_run += declared.not_run;
        }
        let date = attributes.take("run-date");
        let clock = attributes.take("run-time");
        let exact = attributes.take("start-rtf");
        let began = exact.and_then(|text| timestamp(&text)).or_else(|| {
            // Local time of the machine, but all that older versions say.
            timestamp(&format!("{} {}", date?, clock?))
        });
        let finished = attributes
            .take("finish-rtf")
            .and_then(|text| timestamp(&text));
        let summary = &mut at.out.summary;
        summary.started_at = summary.started_at.or(began);
        summary.finished_at = summary.finished_at.max(finished);
        let framework = attributes.take("test-framework");
        summary.reporter_version = summary.reporter_version.take().or_else(|| {
            // `xUnit.net 2.4.1.0`, `xUnit.net v3 1.0.0+4b81…`
            let version = framework.as_deref()?.rsplit(' ').next()?;
            version
                .starts_with(|first: char| first.is_ascii_digit())
                .then(|| version.to_owned())
        });
        let seconds = attributes.take("time-rtf").or(attributes.take("time"));
        attributes.take("time");
        let mut suite = SuiteInfo {
            name: base_name(&path).into(),
            file: Some(path).filter(|path| !path.is_empty()),
            timestamp: began,
            duration_ms: at.duration(seconds),
            declared,
            ..SuiteInfo::default()
        };
        let framework = framework.map(|text| ("test-framework".to_owned(), text));
        for pair in framework.into_iter().chain(attributes.rest()) {
            at.keep(&mut suite.properties, pair);
        }
        self.suites.push(suite);
    }

    fn collection(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) {
        let mut attributes = at.attributes(tag);
        let name = attributes.take("name").unwrap_or_default();
        let declared = counts(&mut attributes);
        let seconds = attributes.take("time-rtf").or(attributes.take("time"));
        attributes.take("time");
        let outer = self.suites.last();
        let no_name = Arc::from("");
        let mut suite = SuiteInfo {
            name: nested(outer.map_or(&no_name, |outer| &outer.name), &name),
            file: outer.and_then(|outer| outer.file.clone()),
            duration_ms: at.duration(seconds),
            declared,
            ..SuiteInfo::default()
        };
        for pair in attributes.rest() {
            at.keep(&mut suite.properties, pair);
        }
        self.suites.push(suite);
    }

    /// The name of the innermost suite.
    fn place(&self) -> String {
        let name = self.suites.last().map_or("", |suite| &suite.name);
        name.rsplit(" > ").next().unwrap_or_default().to_owned()
    }

    /// Hands the test in hand, if any, to the sink.
    fn emit(&mut self, at: &mut At<'_, '_>) -> Result<(), Halt> {
        let Some(Test { mut case, of_suite }) = self.test.take() else {
            return Ok(());
        };
        complete(at, &mut case);
        if let Some(suite) = self.suites.last_mut() {
            case.suite = suite.name.clone();
            suite.cases += u64::from(!of_suite);
        }
        if of_suite {
            at.out.case_of_suite(case)
        } else {
            at.out.case(case)
        }
    }
}

fn append_trace(slot: &mut Option<Text>, text: Text, limit: usize) {
    if let Some(text) = trace_of(text) {
        append(slot, text, limit);
    }
}

fn counts(attributes: &mut Attributes<'_>) -> Option<Counts> {
    // Sums of hostile numbers must not overflow.
    let mut number = |name: &str| attributes.number(name).map(|count| count.min(1 << 40));
    let (passed, failed, skipped, not_run) = (
        number("passed"),
        number("failed"),
        number("skipped"),
        number("not-run"),
    );
    Some(Counts {
        total: number("total")?,
        passed: passed.unwrap_or(0),
        failed: failed.unwrap_or(0),
        skipped: skipped.unwrap_or(0),
        not_run: not_run.unwrap_or(0),
        ..Counts::default()
    })
}
