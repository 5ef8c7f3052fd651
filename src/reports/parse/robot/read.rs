//! The elements of an `output.xml`: suites nest and hold tests, tests hold steps, and each ends with its status.

use super::merge::read_message;
use super::step::{Role, Step};
use super::suite::{Suites, given};
use crate::reports::parse::input::{Fault, Piece, Tag, Text, TextBuilder, float_ms, timestamp};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Counts, Outcome, ParsedCase};
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::walk::{At, Attributes, Document, Keep};
use crate::reports::parse::words::exception_kind;
use jiff::Timestamp;

/// How a suite, test or step ended, in Robot's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    Pass,
    Fail,
    Skip,
    NotRun,
}

/// What an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::reports::parse) enum Element {
    Root,
    Suite,
    Test,
    Step,
    Status,
    Message,
    Value,
    Variable,
    Doc,
    Tag,
    Meta,
    Errors,
    Statistics,
    Total,
    Stat,
    Other,
}

/// A status whose text is being read.
#[derive(Default)]
struct Status {
    word: Option<Word>,
    started: Option<Timestamp>,
    duration_ms: Option<u64>,
}

/// A test that is being read.
struct OpenTest {
    case: ParsedCase,
    output: TextBuilder,
    trace: TextBuilder,
    ended: bool,
}

/// The parser of one document.
#[derive(Default)]
pub(in crate::reports::parse) struct Robot {
    suites: Suites,
    test: Option<OpenTest>,
    steps: Vec<Step>,
    status: Status,
    /// How each open step ended; set by its status.
    step_end: Option<(Word, String)>,
    level: String,
    meta: String,
    /// The name of the variable being read.
    variable: Option<String>,
    counts: Counts,
    recognised: bool,
}

type Here<'w, 'l, 'a> = &'w mut At<'l, 'a, Element>;

impl Document for Robot {
    type Element = Element;

    fn open(&mut self, at: Here<'_, '_, '_>, tag: &Tag<'_>) -> Result<(Element, Keep), Halt> {
        let element = self.element(at, tag.name());
        let keep = match element {
            Element::Root => {
                self.root(at, tag);
                Keep::Nothing
            }
            Element::Suite => {
                let mut attributes = at.attributes(tag);
                let name = attributes.take("name").unwrap_or_default();
                self.suites.open(&name, attributes.take("source"));
                Keep::Nothing
            }
            Element::Test => {
                self.open_test(at, tag);
                Keep::Nothing
            }
            Element::Step => {
                let mut step = step_of(tag.name(), at.attributes(tag), at.out.limits);
                step.assigns = tag.name() == b"kw";
                self.steps.push(step);
                Keep::Nothing
            }
            Element::Status => {
                self.status = status_of(at.attributes(tag));
                Keep::Short
            }
            Element::Message => {
                self.level = at.attributes(tag).take("level").unwrap_or_default();
                Keep::Long
            }
            Element::Variable => {
                self.variable = at.attributes(tag).take("name");
                Keep::Short
            }
            Element::Meta => {
                self.meta = at.attributes(tag).take("name").unwrap_or_default();
                Keep::Short
            }
            Element::Stat => {
                let mut attributes = at.attributes(tag);
                let mut number = |name| {
                    attributes
                        .number(name)
                        .unwrap_or(0)
                        .min(u64::from(u32::MAX))
                };
                let (passed, failed, skipped) = (number("pass"), number("fail"), number("skip"));
                self.counts = Counts {
                    total: passed + failed + skipped,
                    passed,
                    failed,
                    skipped,
                    ..Counts::default()
                };
                Keep::Nothing
            }
            Element::Value | Element::Doc | Element::Tag => Keep::Short,
            Element::Errors | Element::Statistics | Element::Total | Element::Other => {
                Keep::Nothing
            }
        };
        Ok((element, keep))
    }

    fn close(&mut self, at: Here<'_, '_, '_>, element: Element, text: Text) -> Result<(), Halt> {
        match element {
            Element::Suite => self.suites.close(at.line, at.out)?,
            Element::Test => return self.close_test(at),
            Element::Step => self.close_step(at),
            Element::Status => self.close_status(at, text.value),
            Element::Message => self.message(at, text),
            Element::Value | Element::Variable => {
                if let Some(step) = self.steps.last_mut() {
                    match (element, self.variable.take()) {
                        (Element::Variable, Some(name)) => {
                            step.value(&format!("{name} = {}", text.value));
                        }
                        (Element::Variable, None) => step.variable(&text.value),
                        _ => step.value(&text.value),
                    }
                }
            }
            Element::Doc if !text.value.trim().is_empty() => match (at.parent(), &mut self.test) {
                (Some(Element::Test), Some(test)) => test.case.docstring = Some(text.value),
                (Some(Element::Suite), _) => self.property(at, "doc".to_owned(), text.value),
                _ => {}
            },
            Element::Tag => self.property(at, "tag".to_owned(), text.value),
            Element::Meta => {
                let name = std::mem::take(&mut self.meta);
                self.property(at, name, text.value);
            }
            // Robot 3 wrote two: of critical tests and of all, which is the last.
            Element::Stat => at.out.summary.declared = Some(self.counts),
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Output<'_>) -> Result<(), Halt> {
        if self.recognised || out.summary.counts.total > 0 {
            return Ok(());
        }
        let reason = "no element of Robot Framework's output".to_owned();
        Err(Fault::Invalid(reason).into())
    }
}

impl Robot {
    fn element(&self, at: &At<'_, '_, Element>, name: &[u8]) -> Element {
        let parent = at.parent();
        let in_step = parent == Some(Element::Step);
        let outside =
            self.test.is_none() && self.steps.is_empty() && !at.inside(Element::Statistics);
        match name {
            b"robot" => Element::Root,
            b"suite" if outside => Element::Suite,
            b"test" if outside => Element::Test,
            b"status" => Element::Status,
            b"msg" => Element::Message,
            b"arg" | b"value" => Element::Value,
            b"var" if in_step => Element::Variable,
            b"doc" => Element::Doc,
            b"tag" if !at.inside(Element::Statistics) => Element::Tag,
            b"meta" | b"item" => Element::Meta,
            b"errors" => Element::Errors,
            b"statistics" => Element::Statistics,
            b"total" if parent == Some(Element::Statistics) => Element::Total,
            b"stat" if parent == Some(Element::Total) => Element::Stat,
            b"kw" | b"for" | b"iter" | b"if" | b"branch" | b"try" | b"while" | b"group"
            | b"variable" | b"return" | b"continue" | b"break" | b"error" | b"var" => Element::Step,
            _ => Element::Other,
        }
    }

    fn root(&mut self, at: Here<'_, '_, '_>, tag: &Tag<'_>) {
        self.recognised = true;
        let mut attributes = at.attributes(tag);
        let generator = attributes.take("generator").unwrap_or_default();
        let mut words = generator.split_whitespace();
        // Rebot has looked at teardowns already when it writes.
        self.suites.settled = words.next() == Some("Rebot");
        let summary = &mut at.out.summary;
        summary.reporter = Some("robot".to_owned());
        summary.reporter_version = words.next().map(str::to_owned);
    }

    fn open_test(&mut self, at: Here<'_, '_, '_>, tag: &Tag<'_>) {
        let mut attributes = at.attributes(tag);
        let (suite, classname, file) = self.suites.place();
        let name = attributes.take("name").unwrap_or_else(|| {
            at.warn("unnamed_case", "called it `(unnamed)`", || {
                "a case has no name".to_owned()
            });
            "(unnamed)".to_owned()
        });
        let line = attributes.number("line");
        let case = ParsedCase {
            report_line: at.line,
            suite,
            classname,
            name,
            file,
            line: line.and_then(|line| u32::try_from(line).ok()),
            attempt: 1,
            extra: attributes.rest().collect(),
            ..ParsedCase::default()
        };
        self.steps.clear();
        self.test = Some(OpenTest {
            case,
            output: TextBuilder::new(at.out.limits.text_bytes),
            trace: TextBuilder::new(at.out.limits.text_bytes),
            ended: false,
        });
    }

    fn close_test(&mut self, at: Here<'_, '_, '_>) -> Result<(), Halt> {
        self.steps.clear();
        let Some(mut test) = self.test.take() else {
            return Ok(());
        };
        if !test.ended {
            at.warn("incomplete_case", "left it out", || {
                format!("`{}` has no status", test.case.name)
            });
            return Ok(());
        }
        test.case.stdout = given(test.output.finish());
        let mut trace = test.trace.finish();
        trace.value.truncate(trace.value.trim_end().len());
        test.case.trace = given(trace);
        if test.case.outcome == Outcome::Failed {
            test.case.kind = test.case.message.as_deref().and_then(kind_of);
        }
        self.suites.add(test.case, at.out)
    }

    fn close_step(&mut self, at: Here<'_, '_, '_>) {
        let Some(step) = self.steps.pop() else {
            return;
        };
        let role = step.role;
        // Robot 3 closed some steps without a status; those around them have one.
        let (word, message) = self.step_end.take().unwrap_or((Word::Pass, String::new()));
        let Some(failure) = step.finish(word, &message) else {
            return;
        };
        if let Some(outer) = self.steps.last_mut() {
            if word == Word::Fail {
                outer.take(failure, at.repairs);
            }
        } else if let Some(test) = &mut self.test {
            if word == Word::Fail {
                test.trace
                    .push_str(&failure.trace, Piece::Plain, at.repairs);
            }
        } else if role == Role::Teardown
            && let Some(suite) = self.suites.innermost()
        {
            suite.teardown = Some((word, failure));
        }
    }

    fn close_status(&mut self, at: Here<'_, '_, '_>, text: String) {
        let Status {
            word,
            started,
            duration_ms,
        } = std::mem::take(&mut self.status);
        match at.parent() {
            Some(Element::Step) => self.step_end = word.map(|word| (word, text)),
            Some(Element::Test) => {
                let (Some(test), Some(word)) = (&mut self.test, word) else {
                    return;
                };
                test.ended = true;
                let case = &mut test.case;
                (case.started_at, case.duration_ms) = (started, duration_ms);
                case.outcome = match word {
                    Word::Pass => Outcome::Passed,
                    Word::Fail => Outcome::Failed,
                    Word::Skip => Outcome::Skipped,
                    Word::NotRun => Outcome::NotRun,
                };
                let (message, earlier) = read_message(text.trim(), at.out.limits.retries);
                case.message = (!message.is_empty()).then_some(message);
                case.attempt = u32::try_from(earlier.len()).unwrap_or(u32::MAX - 1) + 1;
                case.retries = earlier;
            }
            Some(Element::Suite) => {
                if let Some(suite) = self.suites.innermost() {
                    (suite.info.timestamp, suite.info.duration_ms) = (started, duration_ms);
                }
                let summary = &mut at.out.summary;
                if let Some(started) = started {
                    summary.started_at = summary
                        .started_at
                        .map_or(Some(started), |known| Some(known.min(started)));
                    let length = i64::try_from(duration_ms.unwrap_or(0)).unwrap_or(0);
                    let ended = Timestamp::from_millisecond(started.as_millisecond() + length).ok();
                    summary.finished_at = summary.finished_at.max(ended);
                }
            }
            _ => {}
        }
    }

    fn message(&mut self, at: Here<'_, '_, '_>, text: Text) {
        let level = std::mem::take(&mut self.level);
        if at.inside(Element::Errors) {
            let properties = &mut at.out.summary.properties;
            if properties.len() < at.out.limits.properties {
                properties.push((level.to_lowercase(), text.value));
            }
            return;
        }
        if let Some(step) = self.steps.last_mut() {
            step.message(&level, &text.value, at.repairs);
        }
        if let Some(test) = &mut self.test
            && !matches!(level.as_str(), "TRACE" | "DEBUG" | "NONE")
        {
            let parts = match level.as_str() {
                "INFO" => ["", ""],
                level => [level, "  "],
            };
            for part in parts.into_iter().chain([text.value.trim_end(), "\n"]) {
                test.output.push_str(part, Piece::Plain, at.repairs);
            }
        }
    }

    /// A tag of a test, or documentation and metadata of a suite.
    fn property(&mut self, at: Here<'_, '_, '_>, name: String, value: String) {
        let properties = match (&mut self.test, self.suites.innermost()) {
            (Some(_), _) if !self.steps.is_empty() => return,
            (Some(test), _) => &mut test.case.properties,
            (None, Some(suite)) if self.steps.is_empty() => &mut suite.info.properties,
            _ => return,
        };
        if properties.len() < at.out.limits.properties {
            properties.push((name, value));
        }
    }
}

/// The exception's type, behind what Robot puts before a message.
fn kind_of(message: &str) -> Option<String> {
    let cause = [
        "Setup failed:\n",
        "Teardown failed:\n",
        "Parent suite setup failed:\n",
    ]
    .into_iter()
    .find_map(|before| message.strip_prefix(before));
    exception_kind(cause.unwrap_or(message))
}

fn step_of(name: &[u8], mut attributes: Attributes<'_>, limits: &Limits) -> Step {
    let role = match attributes.take("type") {
        Some(kind) if kind.eq_ignore_ascii_case("teardown") => Role::Teardown,
        Some(kind) if name == b"branch" => {
            let condition = attributes.take("condition");
            let label =
                condition.map_or(kind.clone(), |condition| format!("{kind}    {condition}"));
            return Step::new(label, None, Role::Body, limits);
        }
        _ => Role::Body,
    };
    let mut flavor = None;
    let label = match name {
        b"kw" => attributes.take("name").unwrap_or_default(),
        b"variable" | b"var" => format!("VAR    {}", attributes.take("name").unwrap_or_default()),
        b"for" => {
            flavor = Some(attributes.take("flavor").unwrap_or_else(|| "IN".to_owned()));
            "FOR".to_owned()
        }
        b"while" => {
            let condition = attributes.take("condition").unwrap_or_default();
            format!("WHILE    {condition}")
        }
        b"group" => format!("GROUP    {}", attributes.take("name").unwrap_or_default()),
        b"iter" => "ITERATION".to_owned(),
        // They only hold branches, which say more.
        b"if" | b"try" => String::new(),
        other => String::from_utf8_lossy(other).to_uppercase(),
    };
    Step::new(label, flavor, role, limits)
}

/// Reads a status: Robot 7 writes a start and seconds, those before it a start and an end.
fn status_of(mut attributes: Attributes<'_>) -> Status {
    let word = attributes
        .take("status")
        .and_then(|word| match word.as_str() {
            "PASS" => Some(Word::Pass),
            "FAIL" => Some(Word::Fail),
            "SKIP" => Some(Word::Skip),
            "NOT RUN" | "NOT_RUN" => Some(Word::NotRun),
            _ => None,
        });
    let mut time = |name| attributes.take(name).and_then(|text| robot_time(&text));
    let started = time("start").or(time("starttime"));
    let ended = time("endtime");
    let seconds: Option<f64> = attributes
        .take("elapsed")
        .and_then(|text| text.trim().parse().ok());
    let between = |start: Timestamp, end: Timestamp| {
        u64::try_from(end.as_millisecond().saturating_sub(start.as_millisecond())).ok()
    };
    Status {
        word,
        started,
        duration_ms: seconds
            .and_then(|seconds| float_ms(seconds * 1000.0))
            .or_else(|| between(started?, ended?)),
    }
}

/// A time as Robot 7 writes it, or as those before did: `20261121 14:19:24.131`.
fn robot_time(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    match text.split_once(' ') {
        Some((date, time)) if date.len() == 8 && date.is_ascii() => {
            let (year, rest) = date.split_at(4);
            let (month, day) = rest.split_at(2);
            timestamp(&format!("{year}-{month}-{day}T{time}"))
        }
        _ => timestamp(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(
                robot_time(text).map(Timestamp::as_millisecond),
                expected,
                "{text}"
            );
        };
        check("2026-11-21T08:14:14.492000", Some(1_795_248_854_492));
        check("20261121 08:14:14.492", Some(1_795_248_854_492));
        check("N/A", None);
    }
}
