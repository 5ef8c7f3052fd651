//! The events of test2json, one a line, become rows: one a test, subtests are tests of their own.
//!
//! * A failing parent is a row as well, as go counts it; when only its subtests failed, its message says so.
//! * A package that failed while none of its tests did (build, `TestMain`, `os.Exit`, a race) is a row of its own that is an
//!   error: nothing that go calls failed looks green here.
//! * A test that began and never ended (panic, time limit, a file that was cut) is an error with what it had said.
//! * The same test again in one run of its package (`-count`) is another row of one attempt: the worst counts and nothing is
//!   flaky, because nobody retried. The same test after its package had ended was run again (gotestsum's `--rerun-fails`): that
//!   is another attempt.
//! * Lines that are no events (errors of the compiler before go 1.24) are kept as output of the run; a package that they call
//!   failed becomes a row.

use std::collections::{HashMap, HashSet};
use std::io::BufRead;

use super::event::Event;
use super::package::{Open, Output as Said, Package};
use crate::reports::parse::error::ParseError;
use crate::reports::parse::format::Format;
use crate::reports::parse::input::{
    Decoded, Fault, LONGEST_LINE, Lines, Piece, TextBuilder, record,
};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Outcome, ParsedCase, SuiteInfo, Summary};
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::read::Sink;
use crate::reports::parse::warnings::Repairs;

/// Bytes that names and output of open tests may hold together; beyond it output is left out.
const HELD_MOST: usize = 24 << 20;

/// Packages and import paths that are remembered.
const REMEMBERED: usize = 100_000;

/// Import paths whose build errors are kept.
const BUILDS: usize = 64;

/// Bytes of the build errors of one import path.
const BUILD_BYTES: usize = 64 << 10;

/// Reads a document into the sink.
pub(in crate::reports::parse) fn read<R: BufRead>(
    input: Decoded<R>,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut reader = GoTest {
        out: Output::new(Format::GoTest, limits, sink),
        repairs: Repairs::at_line(1),
        packages: HashMap::new(),
        ended: HashSet::new(),
        builds: HashMap::new(),
        building: None,
        rest: TextBuilder::new(limits.text_bytes),
        events: false,
        held: 0,
        line: 0,
    };
    reader.out.summary.reporter = Some("go test".to_owned());
    let mut lines = Lines::new(input, LONGEST_LINE);
    let end = reader.document(&mut lines);
    let line = lines.number().max(1);
    reader.out.finish(end, line, &reader.repairs)
}

struct GoTest<'a> {
    out: Output<'a>,
    repairs: Repairs,
    packages: HashMap<String, Package>,
    /// Hashes of packages that have ended.
    ended: HashSet<[u8; 16]>,
    /// What the compiler said, by import path.
    builds: HashMap<String, Said>,
    /// The import path that plain lines of the compiler are about.
    building: Option<String>,
    /// Everything else that is no event.
    rest: TextBuilder,
    /// There was an event.
    events: bool,
    held: usize,
    line: u64,
}

impl GoTest<'_> {
    fn document<R: std::io::Read>(&mut self, lines: &mut Lines<R>) -> Result<(), Halt> {
        let most = self.out.limits.attribute_bytes;
        while lines.advance()? {
            self.line = lines.number();
            self.repairs.line = self.line;
            if lines.cut() > 0 {
                let cut = lines.cut();
                self.out.warn(self.line, "long_line", "cut it off", || {
                    format!("a line is {cut} bytes longer than {LONGEST_LINE}")
                });
            }
            let line = lines.line().trim_ascii();
            let members = record(line, lines.cut() > 0, self.out.limits, &mut self.repairs);
            match members.map(|members| Event::of(members, most, &mut self.repairs)) {
                Some(event) if !event.action.is_empty() => {
                    self.events = true;
                    self.take(event)?;
                }
                None if line.starts_with(b"{\"") && !lines.ended() => {
                    self.out
                        .truncated(self.line, || "the last line breaks off".to_owned());
                }
                _ => self.plain(lines.line())?,
            }
        }
        self.finish()
    }

    fn take(&mut self, event: Event) -> Result<(), Halt> {
        if let Some(time) = event.time {
            self.out.summary.started_at.get_or_insert(time);
            self.out.summary.finished_at = Some(time);
        }
        match event.action.as_str() {
            "build-output" => self.build_output(&event),
            "build-fail" => {}
            _ if event.package.is_empty() && event.test.is_empty() => {
                // Events of the tool itself; their text is worth keeping.
                if let Some(output) = &event.output {
                    self.rest.push_str(output, Piece::Plain, &mut self.repairs);
                }
            }
            "pass" | "fail" | "skip" | "bench" => {
                let outcome = match event.action.as_str() {
                    "fail" => Outcome::Failed,
                    "skip" => Outcome::Skipped,
                    _ => Outcome::Passed,
                };
                if event.test.is_empty() {
                    return self.end_package(&event, outcome);
                }
                return self.end_test(&event, outcome);
            }
            _ => self.note(event),
        }
        Ok(())
    }

    /// `run`, `output`, `attr` and what else may come between the begin and the end of a test.
    fn note(&mut self, event: Event) {
        let room = self.held < HELD_MOST;
        let line = self.line;
        let Some(package) = self.package(&event) else {
            return;
        };
        if event.test.is_empty() {
            if let Some(output) = event.output {
                self.output(&event.package, None, &output, &event.output_type);
            }
            return;
        }
        if room && !package.tests.contains_key(&event.test) {
            package.begun += 1;
            let open = Open {
                number: package.begun,
                line,
                started_at: event.time,
                ..Open::default()
            };
            package.tests.insert(event.test.clone(), open);
            self.held += event.test.len() + size_of::<Open>();
        }
        let most = self.out.limits.properties;
        let Some(open) = self
            .packages
            .get_mut(&event.package)
            .and_then(|package| package.tests.get_mut(&event.test))
        else {
            self.lost();
            return;
        };
        match event.action.as_str() {
            "attr" if open.properties.len() < most => {
                self.held += event.key.len() + event.value.len();
                open.properties.push((event.key, event.value));
            }
            "artifacts" if open.attachments.len() < most => {
                self.held += event.path.len();
                open.attachments.push(event.path);
            }
            _ => {
                if let Some(output) = event.output {
                    self.output(
                        &event.package,
                        Some(&event.test),
                        &output,
                        &event.output_type,
                    );
                }
            }
        }
    }

    fn output(&mut self, package: &str, test: Option<&str>, piece: &str, kind: &str) {
        if self.held >= HELD_MOST {
            self.lost();
            return;
        }
        let Some(package) = self.packages.get_mut(package) else {
            return;
        };
        let output = match test {
            None => &mut package.output,
            Some(test) => {
                let Some(open) = package.tests.get_mut(test) else {
                    return;
                };
                if open.ending.is_none() {
                    open.ending = hidden_ending(piece, test);
                }
                &mut open.output
            }
        };
        let before = output.held;
        let marked = kind.starts_with("error");
        output.push(piece, marked, self.out.limits, &mut self.repairs);
        self.held += output.held - before;
    }

    fn lost(&mut self) {
        self.out.warn(
            self.line,
            "too_much_output",
            "left out the output of tests that are still open",
            || format!("open tests hold more than {HELD_MOST} bytes"),
        );
    }

    fn package(&mut self, event: &Event) -> Option<&mut Package> {
        if !self.packages.contains_key(&event.package) {
            if self.held >= HELD_MOST {
                self.lost();
                return None;
            }
            let again = self.ended.contains(&hash(&event.package));
            let package = Package::new(&event.package, self.line, again, event.time);
            self.held += event.package.len() * 2 + size_of::<Package>();
            self.packages.insert(event.package.clone(), package);
        }
        self.packages.get_mut(&event.package)
    }

    fn end_test(&mut self, event: &Event, outcome: Outcome) -> Result<(), Halt> {
        let line = self.line;
        let Some(package) = self.package(event) else {
            let mut package = Package::new(&event.package, line, false, None);
            let open = Open {
                line,
                ..Open::default()
            };
            let mut case = package.case(&event.test, open, outcome);
            case.duration_ms = event.elapsed_ms;
            return self.out.case(case);
        };
        let (open, freed) = match package.tests.remove(&event.test) {
            Some(open) => {
                let freed = freed(&event.test, &open);
                (open, freed)
            }
            None => {
                let open = Open {
                    line,
                    ..Open::default()
                };
                (open, 0)
            }
        };
        let mut case = package.case(&event.test, open, outcome);
        case.duration_ms = event.elapsed_ms;
        self.held = self.held.saturating_sub(freed);
        self.out.case(case)
    }

    fn end_package(&mut self, event: &Event, outcome: Outcome) -> Result<(), Halt> {
        if self.package(event).is_none() && outcome != Outcome::Failed {
            return Ok(());
        }
        let mut package = self
            .packages
            .remove(&event.package)
            .unwrap_or_else(|| Package::new(&event.package, self.line, false, None));
        self.held = self
            .held
            .saturating_sub(event.package.len() * 2 + size_of::<Package>() + package.output.held);
        self.end_open_tests(&mut package, outcome)?;
        if outcome == Outcome::Failed && package.failed == 0 {
            let failed_build = (!event.failed_build.is_empty()).then_some(&event.failed_build);
            let case = self.package_failure(&mut package, failed_build.map(String::as_str));
            self.out.case(case)?;
        }
        if self.ended.len() < REMEMBERED {
            self.ended.insert(hash(&event.package));
        }
        self.out.suite(SuiteInfo {
            name: package.name.clone(),
            timestamp: package.started_at,
            duration_ms: event.elapsed_ms,
            cases: package.rows,
            stdout: package.output.finish(),
            ..SuiteInfo::default()
        });
        Ok(())
    }

    /// Tests that never said how they ended.
    fn end_open_tests(&mut self, package: &mut Package, of_package: Outcome) -> Result<(), Halt> {
        let mut open: Vec<_> = std::mem::take(&mut package.tests).into_iter().collect();
        open.sort_by_key(|(_, open)| open.number);
        for (name, mut test) in open {
            self.held = self.held.saturating_sub(freed(&name, &test));
            // A benchmark that logs nothing has no line that ends it.
            let benchmark = name.starts_with("Benchmark") && of_package == Outcome::Passed;
            let ending = test.ending.take().or(benchmark.then_some(Outcome::Passed));
            let mut case = package.case(&name, test, ending.unwrap_or(Outcome::Error));
            if ending.is_none() && case.message.is_none() {
                case.message = Some("it began and never ended".to_owned());
            }
            self.out.case(case)?;
        }
        Ok(())
    }

    fn package_failure(&mut self, package: &mut Package, build: Option<&str>) -> ParsedCase {
        // Errors are told of `path` or of `path [path.test]`.
        let built = build.unwrap_or(&package.name);
        let of_path = self.builds.remove(built).or_else(|| {
            let path = built.split(' ').next().unwrap_or(built);
            self.builds.remove(path)
        });
        match of_path {
            Some(mut output) => {
                let message = output.said.message();
                package.failure(message, output.finish())
            }
            None => package.failure(None, None),
        }
    }

    fn build_output(&mut self, event: &Event) {
        if let Some(output) = &event.output {
            let path = event.import_path.clone();
            self.built(path, output);
        }
    }

    fn built(&mut self, path: String, text: &str) {
        if self.builds.len() >= BUILDS && !self.builds.contains_key(&path) {
            self.rest.push_str(text, Piece::Plain, &mut self.repairs);
            return;
        }
        let limits = Limits {
            text_bytes: BUILD_BYTES.min(self.out.limits.text_bytes),
            ..self.out.limits.clone()
        };
        let output = self.builds.entry(path).or_default();
        output.push(text, false, &limits, &mut self.repairs);
    }

    /// A line that is no event: of the compiler, of a program around, of anybody.
    fn plain(&mut self, raw: &[u8]) -> Result<(), Halt> {
        let mut line = TextBuilder::short(raw, Piece::Plain, BUILD_BYTES, &mut self.repairs);
        if let Some(rest) = line.strip_prefix("FAIL\t") {
            self.building = None;
            let (name, why) = rest.split_once(' ').unwrap_or((rest, ""));
            // `FAIL\tpackage\t0.1s` comes after its tests; only these two have no event of their own.
            if matches!(why, "[build failed]" | "[setup failed]") {
                let mut package = Package::new(name, self.line, false, None);
                package.output.said.line(why, false);
                let case = self.package_failure(&mut package, None);
                return self.out.case(case);
            }
        }
        if let Some(path) = line.strip_prefix("# ") {
            let path = path.split(' ').next().unwrap_or(path).to_owned();
            self.building = Some(path);
        }
        line.push('\n');
        match self.building.clone() {
            Some(path) => self.built(path, &line),
            None => self.rest.push_str(&line, Piece::Plain, &mut self.repairs),
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Halt> {
        if !self.events {
            return Err(Fault::Invalid("no event of `go test -json`".to_owned()).into());
        }
        let mut open: Vec<_> = std::mem::take(&mut self.packages).into_values().collect();
        open.sort_by_key(|package| package.line);
        for mut package in open {
            let line = self.line;
            self.out.truncated(line, || {
                format!("package `{}` began and never ended", package.name)
            });
            self.end_open_tests(&mut package, Outcome::Failed)?;
            if package.failed == 0 {
                let message = Some("it began and never ended".to_owned());
                let case = package.failure(message, None);
                self.out.case(case)?;
            }
        }
        let stdout = self.rest.finish();
        if !stdout.value.trim().is_empty() {
            self.out.suite(SuiteInfo {
                stdout: Some(stdout),
                ..SuiteInfo::default()
            });
        }
        Ok(())
    }
}

/// What a test holds of the bytes that open tests may hold.
fn freed(name: &str, open: &Open) -> usize {
    let properties = open
        .properties
        .iter()
        .map(|(key, value)| key.len() + value.len());
    let attachments = open.attachments.iter().map(String::len);
    name.len()
        + size_of::<Open>()
        + open.output.held
        + properties.sum::<usize>()
        + attachments.sum::<usize>()
}

/// `text without a line end--- PASS: TestX (0.00s)`: test2json before go 1.20 makes no event of it.
fn hidden_ending(line: &str, test: &str) -> Option<Outcome> {
    let (_, rest) = line.split_once("--- ")?;
    let (word, rest) = rest.split_once(": ")?;
    rest.strip_prefix(test)?.strip_prefix(" (")?;
    match word {
        "PASS" => Some(Outcome::Passed),
        "FAIL" => Some(Outcome::Failed),
        "SKIP" => Some(Outcome::Skipped),
        _ => None,
    }
}

fn hash(name: &str) -> [u8; 16] {
    blake3::hash(name.as_bytes()).as_bytes()[..16]
        .try_into()
        .expect("sixteen of thirty-two bytes")
}
