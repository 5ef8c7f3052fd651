//! The events of libtest, one a line, become rows.
//!
//! A file holds one suite after another, and nextest's lie within each other: it begins the suite of a binary anew when it has
//! written what is finished so far. Who a suite is, nextest says in a `nextest` object and in the names; of `cargo test` only
//! the lines say it that cargo writes between (`Running tests/it.rs (…/it-0123abcd)`), where they are in the file.
//!
//! What began and did not end is an error: a test with what it is called, a suite of which no test is open with what it still
//! owed. nextest writes the last attempt of a test only, with its number.

use std::collections::HashMap;
use std::io::BufRead;
use std::sync::Arc;

use super::name::Name;
use super::words::failure;
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{
    Decoded, Fault, LONGEST_LINE, Lines, Piece, Text, TextBuilder, Value, float_ms, record,
};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Counts, Outcome, ParsedCase, Repeat, SuiteInfo, Summary};
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::read::Sink;
use crate::reports::parse::warnings::Repairs;

/// Bytes of the names of open tests that are remembered together.
const HELD_MOST: usize = 16 << 20;

/// Suites of nextest that may be open together.
const OPEN_SUITES: usize = 1_000;

/// Bytes of a binary's name.
const BINARY_BYTES: usize = 1 << 10;

/// Name of the row made for a suite that never ended.
const OF_SUITE: &str = "(suite)";

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    input: Decoded<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut reader = Libtest {
        out: Output::new(Format::Libtest, limits, sink),
        repairs: Repairs::at_line(1),
        open: HashMap::new(),
        begun: 0,
        held: 0,
        suites: Vec::new(),
        binary: Arc::from(""),
        stray: TextBuilder::new(limits.text_bytes),
        events: false,
        nextest: false,
        line: 0,
    };
    reader.out.summary.reporter = Some("libtest".to_owned());
    let mut lines = Lines::new(input, LONGEST_LINE);
    let end = reader.document(&mut lines);
    let line = lines.number().max(1);
    reader.out.finish(end, line, &reader.repairs)
}

struct Libtest<'a> {
    out: Output<'a>,
    repairs: Repairs,
    /// Tests that began, by name as written, with their number and line.
    open: HashMap<String, (u64, u64, Arc<str>)>,
    begun: u64,
    held: usize,
    suites: Vec<Suite>,
    /// What cargo said last of the binary that runs.
    binary: Arc<str>,
    stray: TextBuilder,
    /// There was an event.
    events: bool,
    /// Names are as nextest writes them.
    nextest: bool,
    line: u64,
}

/// A suite that began.
struct Suite {
    name: Arc<str>,
    line: u64,
    owed: u64,
    rows: u64,
}

/// What an event says.
#[derive(Default)]
struct Event {
    kind: String,
    event: String,
    name: String,
    seconds: Option<f64>,
    stdout: Option<Text>,
    message: Option<String>,
    numbers: Vec<(String, f64)>,
    binary: Option<String>,
}

impl Event {
    fn number(&self, key: &str) -> u64 {
        let found = self.numbers.iter().find(|(name, _)| name == key);
        found.and_then(|(_, number)| float_ms(*number)).unwrap_or(0)
    }
}

impl Libtest<'_> {
    fn document<R: std::io::Read>(&mut self, lines: &mut Lines<R>) -> Result<(), Halt> {
        while lines.advance()? {
            self.line = lines.number();
            self.repairs.line = self.line;
            let cut = lines.cut();
            if cut > 0 {
                self.out.warn(self.line, "long_line", "cut it off", || {
                    format!("a line is {cut} bytes longer than {LONGEST_LINE}")
                });
            }
            let line = lines.line().trim_ascii();
            // A test that prints without a line end stands before the event.
            let at = record_start(line).unwrap_or(line.len());
            let (before, line) = line.split_at(at);
            let members = record(line, cut > 0, self.out.limits, &mut self.repairs);
            match members.map(|members| self.event(members)) {
                Some(event) if !event.kind.is_empty() => {
                    self.events = true;
                    self.noise(before);
                    self.take(event)?;
                }
                None if line.starts_with(b"{") && !lines.ended() => {
                    self.out
                        .truncated(self.line, || "the last line breaks off".to_owned());
                }
                _ => self.noise(lines.line()),
            }
        }
        self.finish()
    }

    fn event(&mut self, members: Vec<(String, Value)>) -> Event {
        let most = self.out.limits.attribute_bytes;
        let mut event = Event::default();
        for (key, value) in members {
            match (key.as_str(), value) {
                ("exec_time", Value::Number(seconds)) => event.seconds = Some(seconds),
                ("stdout", Value::Text(text)) => {
                    event.stdout = Some(text).filter(|text| !text.value.trim().is_empty());
                }
                ("nextest", Value::Object(members)) => {
                    let said = |name: &str| {
                        let found = members.iter().find(|(key, _)| key == name);
                        found.map(|(_, value)| value.clone().into_text())
                    };
                    if let Some((package, binary)) = said("crate").zip(said("test_binary")) {
                        event.binary = Some(TextBuilder::short(
                            format!("{package}::{binary}").as_bytes(),
                            Piece::Plain,
                            BINARY_BYTES,
                            &mut self.repairs,
                        ));
                    }
                }
                (_, Value::Number(number)) => event.numbers.push((key, number)),
                (_, Value::Text(text)) => {
                    let text = TextBuilder::short(
                        text.value.as_bytes(),
                        Piece::Plain,
                        most,
                        &mut self.repairs,
                    );
                    match key.as_str() {
                        "type" => event.kind = text,
                        "event" => event.event = text,
                        "name" => event.name = text,
                        "message" | "reason" if !text.trim().is_empty() => {
                            event.message = Some(text);
                        }
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        event
    }

    fn take(&mut self, event: Event) -> Result<(), Halt> {
        match (event.kind.as_str(), event.event.as_str()) {
            ("suite", "started") => self.begin_suite(&event),
            ("suite", _) => self.end_suite(&event),
            ("test", "started") => self.begin_test(event),
            ("test", "timeout") => {
                // libtest warns of slow tests; the end comes later, or never.
                let line = self.line;
                self.out.warn(line, "slow_test", "went on", || {
                    format!("`{}` ran over its time", event.name)
                });
            }
            ("test", "ok") => return self.end_test(event, Outcome::Passed),
            ("test", "failed") => return self.end_test(event, Outcome::Failed),
            ("test", "ignored") => return self.end_test(event, Outcome::Skipped),
            ("test", "allowed_failure") => return self.end_test(event, Outcome::KnownIssue),
            ("bench", _) if !event.name.is_empty() => {
                return self.end_test(event, Outcome::Passed);
            }
            ("test", other) => {
                let other = other.to_owned();
                self.out
                    .warn(self.line, "unknown_event", "left it out", || {
                        format!("a test has the event `{other}`")
                    });
            }
            _ => {}
        }
        Ok(())
    }

    fn begin_suite(&mut self, event: &Event) {
        let name = match &event.binary {
            Some(name) => Arc::from(name.as_str()),
            None => Arc::clone(&self.binary),
        };
        if self.suites.len() < OPEN_SUITES {
            self.suites.push(Suite {
                name,
                line: self.line,
                owed: event.number("test_count"),
                rows: 0,
            });
        }
    }

    fn end_suite(&mut self, event: &Event) {
        let at = match &event.binary {
            Some(name) => self.suites.iter().rposition(|suite| *suite.name == **name),
            None => self.suites.len().checked_sub(1),
        };
        let suite = at.map(|at| self.suites.remove(at));
        let mut declared = Counts {
            passed: event.number("passed") + event.number("measured"),
            failed: event.number("failed"),
            skipped: event.number("ignored"),
            ..Counts::default()
        };
        declared.total = declared.passed + declared.failed + declared.skipped;
        let all = self.out.summary.declared.get_or_insert_default();
        all.total += declared.total;
        all.passed += declared.passed;
        all.failed += declared.failed;
        all.skipped += declared.skipped;
        self.out.suite(SuiteInfo {
            name: suite
                .as_ref()
                .map_or_else(|| Arc::clone(&self.binary), |suite| Arc::clone(&suite.name)),
            duration_ms: event.seconds.and_then(|seconds| float_ms(seconds * 1000.0)),
            declared: Some(declared),
            cases: suite.map_or(0, |suite| suite.rows),
            ..SuiteInfo::default()
        });
    }

    fn begin_test(&mut self, event: Event) {
        if self.held >= HELD_MOST {
            return;
        }
        self.held += event.name.len() + 128;
        self.begun += 1;
        let suite = self.suites.last();
        let binary =
            suite.map_or_else(|| Arc::clone(&self.binary), |suite| Arc::clone(&suite.name));
        self.open
            .insert(event.name, (self.begun, self.line, binary));
    }

    fn end_test(&mut self, event: Event, outcome: Outcome) -> Result<(), Halt> {
        let name = Name::new(&event.name);
        self.nextest |= name.binary.is_some();
        // nextest begins `test` and ends `test#2`.
        let begun = self.open.remove_entry(event.name.as_str()).or_else(|| {
            let (without, _) = event.name.rsplit_once('#')?;
            self.open.remove_entry(without)
        });
        if let Some((name, _)) = &begun {
            self.held = self.held.saturating_sub(name.len() + 128);
        }
        let of_suite = self.suites.last().map(|suite| Arc::clone(&suite.name));
        let binary = begun
            .map(|(_, (.., binary))| binary)
            .or(of_suite)
            .unwrap_or_else(|| Arc::clone(&self.binary));
        let mut case = self.row(&name, &binary, outcome);
        case.duration_ms = event.seconds.and_then(|seconds| float_ms(seconds * 1000.0));
        if event.kind == "bench" {
            let said = ["median", "deviation", "mib_per_second"];
            let numbers = event.numbers.iter();
            case.properties.extend(
                numbers
                    .filter(|(key, _)| said.contains(&key.as_str()))
                    .map(|(key, number)| (key.clone(), number.to_string())),
            );
        }
        match outcome {
            Outcome::Failed => {
                let output = event.stdout.as_ref().map_or("", |text| &text.value);
                let mut found = failure(match &event.message {
                    Some(message) if output.is_empty() => message,
                    _ => output,
                });
                if let Some((file, line)) = found.place.take()
                    && name.place.is_none()
                {
                    (case.file, case.line) = (Some(file), Some(line));
                }
                case.kind = found.kind.map(str::to_owned);
                case.message = event
                    .message
                    .or(found.message)
                    .or_else(|| Some("it failed without a word".to_owned()));
                case.trace = event.stdout;
            }
            _ => {
                case.message = event.message;
                case.stdout = event.stdout;
            }
        }
        self.give(case)
    }

    fn row(&self, name: &Name<'_>, binary: &Arc<str>, outcome: Outcome) -> ParsedCase {
        let binary = match name.binary {
            Some(written) if **binary != *written => Arc::from(written),
            _ => Arc::clone(binary),
        };
        let mut case = ParsedCase {
            report_line: self.line,
            classname: binary.to_string(),
            name: name.test.to_owned(),
            outcome,
            attempt: name.attempt.unwrap_or(1).max(1),
            repeat: Repeat::Row,
            ..ParsedCase::default()
        };
        if case.name.trim().is_empty() {
            "(unnamed)".clone_into(&mut case.name);
        }
        match name.place {
            Some((file, line)) => (case.file, case.line) = (Some(file.to_owned()), Some(line)),
            // The file is told by failures only, and must not make another test of them.
            None if binary.is_empty() => case.nodeid = Some(case.name.clone()),
            None => case.nodeid = Some(format!("{binary}::{}", case.name)),
        }
        case.flaky = outcome == Outcome::Passed && case.attempt > 1;
        case.extra
            .extend(name.stress.map(|run| ("stress".to_owned(), run.to_owned())));
        case.suite = binary;
        case
    }

    fn give(&mut self, mut case: ParsedCase) -> Result<(), Halt> {
        let suite = self.suites.iter_mut().rev();
        if let Some(suite) = suite.into_iter().find(|suite| suite.name == case.suite) {
            suite.rows += 1;
        }
        if case.stdout.is_none() && !self.stray.is_empty() {
            case.stdout = Some(self.stray.finish()).filter(|text| !text.value.trim().is_empty());
        }
        self.out.case(case)
    }

    /// What stands between the events: cargo's own lines, and what tests print past libtest.
    fn noise(&mut self, raw: &[u8]) {
        if raw.is_empty() {
            return;
        }
        let most = self.out.limits.attribute_bytes;
        let line = TextBuilder::short(raw, Piece::Plain, most, &mut self.repairs);
        if let Some(binary) = running(line.trim()) {
            self.binary = Arc::from(binary);
            return;
        }
        self.stray.push_str(&line, Piece::Plain, &mut self.repairs);
        self.stray.push_str("\n", Piece::Plain, &mut self.repairs);
    }

    fn finish(&mut self) -> Result<(), Halt> {
        if !self.events {
            return Err(Fault::Invalid("no event of libtest".to_owned()).into());
        }
        if self.nextest {
            self.out.summary.reporter = Some("nextest".to_owned());
            // It counts skipped tests again whenever it begins a suite anew.
            self.out.summary.declared = None;
        }
        let mut open: Vec<_> = std::mem::take(&mut self.open).into_iter().collect();
        open.sort_by_key(|(_, (number, ..))| *number);
        let unfinished = !open.is_empty();
        if unfinished || !self.suites.is_empty() {
            self.out.truncated(self.line, || {
                format!(
                    "{} tests and {} suites began and never ended",
                    open.len(),
                    self.suites.len()
                )
            });
        }
        let stray = self.stray.finish();
        let stray = (!stray.value.trim().is_empty()).then_some(stray);
        for (name, (_, line, binary)) in open {
            let mut case = self.row(&Name::new(&name), &binary, Outcome::Error);
            case.report_line = line;
            case.message = Some("it began and never ended".to_owned());
            case.stdout.clone_from(&stray);
            self.give(case)?;
        }
        for suite in std::mem::take(&mut self.suites) {
            if !unfinished {
                let name = Name {
                    test: OF_SUITE,
                    ..Name::default()
                };
                let mut case = self.row(&name, &suite.name, Outcome::Error);
                case.report_line = suite.line;
                case.message = Some(format!(
                    "the suite of {} tests ended after {}",
                    suite.owed, suite.rows
                ));
                case.stdout.clone_from(&stray);
                self.out.case(case)?;
            }
        }
        Ok(())
    }
}

/// Where an event begins in a line.
fn record_start(line: &[u8]) -> Option<usize> {
    if line.starts_with(b"{") {
        return Some(0);
    }
    [&b"{ \"type\": \""[..], b"{\"type\":\""]
        .iter()
        .find_map(|start| {
            line.windows(start.len())
                .position(|window| window == *start)
        })
}

/// `Running tests/it.rs (target/debug/deps/it-0123abcd)`, `Doc-tests demo`.
fn running(line: &str) -> Option<String> {
    if let Some(package) = line.strip_prefix("Doc-tests ") {
        return Some(format!("{package} (doc)"));
    }
    let path = line
        .strip_prefix("Running ")?
        .strip_suffix(')')?
        .rsplit_once('(')?
        .1;
    let file = path.rsplit(['/', '\\']).next()?;
    let file = file.strip_suffix(".exe").unwrap_or(file);
    let (name, hash) = file.rsplit_once('-')?;
    (hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| name.to_owned())
}
