//! JUnit XML: suites with their counts, and attempts as Surefire writes them.
//!
//! A test that passed in the end carries its failed attempts as `flakyFailure` and `flakyError`; one that did not carries its first
//! failure as such and the later ones as `rerunFailure` and `rerunError`. Known issues are skips, as pytest writes them. The dialect of
//! Testhide differs in a few places only ([`Dialect`]), so both formats are written here.

use super::attributes::{is_attribute, resolution_for, says_not_run};
use super::losses::Losses;
use super::xml::{XmlWriter, seconds};
use crate::reports::digest::{Digest, Row, RowAttempt, SuiteFacts, Test, ToldAttempt, ToldTest};
use std::collections::HashMap;
use std::io::{self, Write};
use std::sync::Arc;
use testhide_protocol::api::Outcome;

/// What is not the same in every dialect of JUnit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// That of Surefire.
    Junit,
    /// That of Testhide's reporters: resolutions and failure ids on every case, known issues as failures.
    Testhide,
}

/// Said of a hidden attempt.
const HIDDEN: &str = "repeated because it failed; the report it comes from shows it as passed";

/// Said of an attempt that is only counted.
const UNTOLD: &str =
    "repeated because it failed; the report it comes from says no more of this attempt";

/// Attempts of one test that are written although nothing is known of them; as many as readers take inside one case.
const MOST_UNTOLD: u32 = 32;

/// Properties by which a reader would take JUnit for Testhide's dialect.
const TESTHIDE_ONLY: [&str; 2] = ["testhide_schema_version", "ip_address"];

/// Writes JUnit XML.
pub(super) fn write(digest: &Digest, out: &mut dyn Write) -> io::Result<Losses> {
    write_as(digest, Dialect::Junit, out)
}

/// Writes a dialect of JUnit XML.
pub(super) fn write_as<'a>(
    digest: &'a Digest,
    dialect: Dialect,
    out: &'a mut dyn Write,
) -> io::Result<Losses> {
    let mut writer = Writer {
        digest,
        dialect,
        xml: XmlWriter::new(out)?,
        losses: Losses::default(),
    };
    writer.document()?;
    let mut losses = writer.losses;
    losses.add_many("characters that XML forbids", writer.xml.dropped);
    Ok(losses)
}

struct Writer<'a> {
    digest: &'a Digest,
    dialect: Dialect,
    xml: XmlWriter<&'a mut dyn Write>,
    losses: Losses,
}

/// What a suite declares.
#[derive(Default, Clone, Copy)]
struct Declared {
    tests: u64,
    failures: u64,
    errors: u64,
    skipped: u64,
    millis: u64,
}

impl Declared {
    fn add(&mut self, dialect: Dialect, outcome: Outcome) {
        self.tests += 1;
        match outcome {
            Outcome::Failed => self.failures += 1,
            Outcome::Error => self.errors += 1,
            Outcome::KnownIssue if dialect == Dialect::Testhide => self.failures += 1,
            Outcome::KnownIssue | Outcome::Skipped => self.skipped += 1,
            Outcome::Passed | Outcome::NotRun => {}
        }
    }

    fn sum(&mut self, other: Self) {
        self.tests += other.tests;
        self.failures += other.failures;
        self.errors += other.errors;
        self.skipped += other.skipped;
        self.millis += other.millis;
    }
}

impl Writer<'_> {
    fn document(&mut self) -> io::Result<()> {
        let suites = self.suites();
        let declared: Vec<Declared> = suites
            .iter()
            .map(|(_, tests)| self.declared(tests))
            .collect();
        let mut whole = Declared::default();
        declared.iter().for_each(|suite| whole.sum(*suite));
        self.xml.start("testsuites")?;
        if self.dialect == Dialect::Junit {
            self.counts(whole)?;
        }
        let digest = self.digest;
        let mut facts: HashMap<&str, &SuiteFacts> = HashMap::new();
        for suite in &digest.suites {
            // Of suites with one name the first speaks.
            facts.entry(&suite.name).or_insert(suite);
        }
        for ((name, tests), declared) in suites.iter().zip(declared) {
            self.suite(name, facts.get(&**name).copied(), tests, declared)?;
        }
        self.xml.end()
    }

    /// The suites in the order of their first tests, each with its tests; one without any is written for its output alone.
    fn suites(&self) -> Vec<(Arc<str>, Vec<u32>)> {
        let mut suites: Vec<(Arc<str>, Vec<u32>)> = Vec::new();
        let mut known: HashMap<Arc<str>, usize> = HashMap::new();
        let mut at = |suites: &mut Vec<(Arc<str>, Vec<u32>)>, name: &Arc<str>| {
            *known.entry(name.clone()).or_insert_with(|| {
                suites.push((name.clone(), Vec::new()));
                suites.len() - 1
            })
        };
        for (number, test) in (0..).zip(&self.digest.tests) {
            let at = at(&mut suites, &test.suite);
            suites[at].1.push(number);
        }
        for suite in &self.digest.suites {
            if suite.stdout.is_some() || suite.stderr.is_some() {
                at(&mut suites, &suite.name);
            }
        }
        suites
    }

    fn declared(&self, tests: &[u32]) -> Declared {
        let mut declared = Declared::default();
        for number in tests {
            let test = &self.digest.tests[*number as usize];
            declared.millis += test.duration_ms.unwrap_or(0);
            if self.as_rows(test) {
                for row in self.digest.rows_of(test) {
                    declared.add(self.dialect, self.digest.places[row as usize].outcome);
                }
                continue;
            }
            declared.add(self.dialect, test.outcome);
            for sibling in self.siblings(test) {
                declared.add(self.dialect, sibling);
            }
        }
        declared
    }

    /// Outcomes of the rows that stand beside the one that decides.
    fn siblings(&self, test: &Test) -> impl Iterator<Item = Outcome> {
        let attempt = self.digest.places[test.decisive as usize].attempt;
        let passed_ones = self.keeps_passed_siblings(test);
        self.digest
            .rows_of(test)
            .filter(move |row| *row != test.decisive)
            .map(|row| self.digest.places[row as usize])
            .filter(move |place| !place.copy && place.attempt == attempt)
            .map(|place| place.outcome)
            .filter(move |outcome| passed_ones || *outcome != Outcome::Passed)
    }

    /// In a suite called `pytest` an equal row after a pass means a hidden retry to whoever reads the file.
    fn keeps_passed_siblings(&self, test: &Test) -> bool {
        self.dialect == Dialect::Testhide || &*test.suite != "pytest"
    }

    /// Whether attempts are rows: where readers know them as such, and every attempt has its row.
    fn as_rows(&self, test: &Test) -> bool {
        if self.dialect == Dialect::Junit || test.attempts < 2 {
            return false;
        }
        let mut attempt = 0;
        let one_row_each = self.digest.rows_of(test).all(|row| {
            attempt += 1;
            self.digest.places[row as usize].attempt == attempt
        });
        one_row_each && attempt == test.attempts && self.digest.rows_are_attempts(test)
    }

    fn counts(&mut self, declared: Declared) -> io::Result<()> {
        self.xml.attribute("tests", &declared.tests.to_string())?;
        self.xml
            .attribute("failures", &declared.failures.to_string())?;
        self.xml.attribute("errors", &declared.errors.to_string())?;
        self.xml
            .attribute("skipped", &declared.skipped.to_string())?;
        self.xml.attribute("time", &seconds(declared.millis))
    }

    fn suite(
        &mut self,
        name: &str,
        facts: Option<&SuiteFacts>,
        tests: &[u32],
        declared: Declared,
    ) -> io::Result<()> {
        let digest = self.digest;
        self.xml.start("testsuite")?;
        self.xml.attribute("name", name)?;
        self.counts(declared)?;
        if let Some(facts) = facts {
            self.xml.optional("hostname", facts.hostname.as_deref())?;
            self.timestamp(facts, declared)?;
        }
        self.suite_properties(facts)?;
        for number in tests {
            self.test(&digest.tests[*number as usize])?;
        }
        if let Some(facts) = facts {
            self.xml.element("system-out", facts.stdout.as_deref())?;
            self.xml.element("system-err", facts.stderr.as_deref())?;
        }
        self.xml.end()
    }

    /// JUnit stamps the start of a suite, Testhide's reporters the end.
    fn timestamp(&mut self, facts: &SuiteFacts, declared: Declared) -> io::Result<()> {
        let Some(stamp) = facts.timestamp else {
            return Ok(());
        };
        let length = i64::try_from(declared.millis).unwrap_or(0);
        let wants_end = self.dialect == Dialect::Testhide;
        let stamp = match (facts.timestamp_is_end, wants_end) {
            (true, false) => stamp.plus_millis(-length),
            (false, true) => stamp.plus_millis(length),
            _ => stamp,
        };
        self.xml.attribute("timestamp", &stamp.to_string())
    }

    fn suite_properties(&mut self, facts: Option<&SuiteFacts>) -> io::Result<()> {
        let given: &[(String, String)] = facts.map_or(&[], |facts| &facts.properties);
        let is_testhide = self.dialect == Dialect::Testhide;
        let kept: Vec<_> = given
            .iter()
            .filter(|(name, _)| {
                !TESTHIDE_ONLY.contains(&name.as_str()) || (is_testhide && name != TESTHIDE_ONLY[0])
            })
            .collect();
        if kept.is_empty() && !is_testhide {
            return Ok(());
        }
        self.xml.start("properties")?;
        if is_testhide {
            self.xml.property(TESTHIDE_ONLY[0], "1")?;
        }
        for (name, value) in kept {
            self.xml.property(name, value)?;
        }
        self.xml.end()
    }

    fn test(&mut self, test: &Test) -> io::Result<()> {
        if self.as_rows(test) {
            for number in self.digest.rows_of(test) {
                let row = self.digest.row(number)?;
                let said = ToldAttempt::of_row(&row);
                self.case(&row, &said, row.outcome, &[], Nested::None)?;
            }
            return Ok(());
        }
        let told = self.digest.told(test)?;
        let (main, nested, how) = self.arrange(&told);
        // Whoever takes rows for attempts believes the last one, and it must be the one that decides.
        let decides_last = self.dialect == Dialect::Testhide
            && !told.siblings.is_empty()
            && self.digest.rows_are_attempts(test);
        if decides_last {
            self.losses
                .add("rows of one attempt that read as attempts of their own");
        } else {
            self.case(&told.row, &main, test.outcome, &nested, how)?;
        }
        for sibling in &told.siblings {
            if sibling.outcome == Outcome::Passed && !self.keeps_passed_siblings(test) {
                self.losses.add("passed rows of tests that have several");
                continue;
            }
            let said = ToldAttempt::of_row(sibling);
            self.case(sibling, &said, sibling.outcome, &[], Nested::None)?;
        }
        if decides_last {
            self.case(&told.row, &main, test.outcome, &nested, how)?;
        }
        Ok(())
    }

    /// The attempt that the case itself tells of, and those inside it.
    fn arrange(&mut self, told: &ToldTest<'_>) -> (ToldAttempt, Vec<ToldAttempt>, Nested) {
        let known = u32::try_from(told.earlier.len()).unwrap_or(u32::MAX);
        let untold = told.test.attempts.saturating_sub(1).saturating_sub(known);
        let mut failed = Vec::new();
        if told.test.flaky || told.last.outcome().is_failure() {
            let written = untold.min(MOST_UNTOLD);
            failed.resize(written as usize, ToldAttempt::untold(UNTOLD));
            let rest = u64::from(untold - written);
            self.losses
                .add_many("attempts of which only the number is known", rest);
        }
        for attempt in &told.earlier {
            if attempt.outcome().is_failure() {
                failed.push(attempt.clone());
            } else {
                self.losses.add("earlier attempts that did not fail");
            }
        }
        if told.last.outcome().is_failure() && !failed.is_empty() {
            let first = failed.remove(0);
            failed.push(told.last.clone());
            (first, failed, Nested::Rerun)
        } else {
            (told.last.clone(), failed, Nested::Flaky)
        }
    }

    fn case(
        &mut self,
        row: &Row,
        main: &ToldAttempt,
        outcome: Outcome,
        nested: &[ToldAttempt],
        how: Nested,
    ) -> io::Result<()> {
        let said = &main.said;
        let outcome = if how == Nested::Rerun {
            main.outcome()
        } else {
            outcome
        };
        self.xml.start("testcase")?;
        self.xml.attribute("classname", &row.classname)?;
        self.xml.attribute("name", &row.name)?;
        self.xml.optional("file", row.file.as_deref())?;
        let line = row.line.map(|line| line.to_string());
        self.xml.optional("line", line.as_deref())?;
        // Of the row that decides: what a test takes is what its last attempt took.
        let time = row.duration_ms.or(said.duration_ms).map(seconds);
        self.xml.optional("time", time.as_deref())?;
        let began = row.started_at.map(|time| time.to_string());
        self.xml.optional("timestamp", began.as_deref())?;
        if self.dialect == Dialect::Testhide {
            self.xml
                .attribute("fail_id", row.fail_id.as_deref().unwrap_or_default())?;
            let resolution = row.resolution.as_deref();
            self.xml
                .attribute("test_resolution", resolution_for(outcome, resolution))?;
        }
        if outcome == Outcome::NotRun {
            self.xml.attribute("status", "notrun")?;
        }
        let (attributes, others): (Vec<_>, Vec<_>) = row
            .extra
            .iter()
            .filter(|(name, value)| !says_not_run(name, value))
            .partition(|(name, value)| is_attribute(name, value));
        for (at, (name, value)) in attributes.iter().enumerate() {
            if attributes[..at].iter().all(|(before, _)| before != name) {
                self.xml.attribute(name, value)?;
            }
        }
        self.properties(row, said, &others)?;
        self.problem(said, outcome)?;
        for attempt in nested {
            self.nested(attempt, how)?;
        }
        self.xml.element("system-out", said.stdout.as_deref())?;
        self.xml.element("system-err", said.stderr.as_deref())?;
        self.xml.end()
    }

    fn properties(
        &mut self,
        row: &Row,
        said: &RowAttempt,
        others: &[&(String, String)],
    ) -> io::Result<()> {
        let in_output = |path: &str| {
            let mark = format!("[[ATTACHMENT|{path}]]");
            said.stdout
                .as_ref()
                .is_some_and(|text| text.contains(&mark))
        };
        let mut list: Vec<(&str, &str)> = Vec::new();
        list.extend(row.nodeid.as_deref().map(|id| ("nodeid", id)));
        list.extend(row.docstring.as_deref().map(|text| ("docstr", text)));
        list.extend(row.tickets.iter().map(|ticket| ("jira", ticket.as_str())));
        let attachments = row.attachments.iter().filter(|path| !in_output(path));
        list.extend(attachments.map(|path| ("attachment", path.as_str())));
        if self.dialect == Dialect::Junit {
            list.extend(row.fail_id.as_deref().map(|id| ("fail_id", id)));
            list.extend(row.resolution.as_deref().map(|text| ("resolution", text)));
        }
        let properties = row.properties.iter().chain(others.iter().copied());
        list.extend(properties.map(|(name, value)| (name.as_str(), value.as_str())));
        if self.dialect == Dialect::Junit {
            list.retain(|(name, _)| !TESTHIDE_ONLY.contains(name));
        }
        if list.is_empty() {
            return Ok(());
        }
        self.xml.start("properties")?;
        for (name, value) in list {
            self.xml.property(name, value)?;
        }
        self.xml.end()
    }

    fn problem(&mut self, said: &RowAttempt, outcome: Outcome) -> io::Result<()> {
        let name = match outcome {
            Outcome::Failed => "failure",
            Outcome::Error => "error",
            Outcome::Skipped => "skipped",
            Outcome::KnownIssue if self.dialect == Dialect::Testhide => "failure",
            Outcome::KnownIssue => {
                self.losses.add("known issues written as skipped");
                "skipped"
            }
            Outcome::Passed | Outcome::NotRun => {
                if said.message.is_some() || said.trace.is_some() {
                    self.losses
                        .add("messages of tests that passed or never ran");
                }
                return Ok(());
            }
        };
        self.xml.start(name)?;
        self.xml.optional("message", said.message.as_deref())?;
        self.xml.optional("type", said.kind.as_deref())?;
        if let Some(trace) = &said.trace {
            self.xml.text(trace)?;
        }
        self.xml.end()
    }

    fn nested(&mut self, attempt: &ToldAttempt, how: Nested) -> io::Result<()> {
        let is_error = attempt.outcome() == Outcome::Error;
        let name = match (how, is_error) {
            (Nested::Rerun, true) => "rerunError",
            (Nested::Rerun, false) => "rerunFailure",
            (_, true) => "flakyError",
            (_, false) => "flakyFailure",
        };
        let said = &attempt.said;
        let message = match &said.message {
            Some(message) => Some(message.as_str()),
            None => attempt.hidden_failure.then_some(HIDDEN),
        };
        self.xml.start(name)?;
        self.xml.optional("message", message)?;
        self.xml.optional("type", said.kind.as_deref())?;
        let time = said.duration_ms.map(seconds);
        self.xml.optional("time", time.as_deref())?;
        self.xml.element("stackTrace", said.trace.as_deref())?;
        self.xml.element("system-out", said.stdout.as_deref())?;
        self.xml.element("system-err", said.stderr.as_deref())?;
        self.xml.end()
    }
}

/// How attempts inside a case are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nested {
    None,
    Flaky,
    Rerun,
}
