//! The suites of a JUnit document: their nesting, what they declare, and their properties.

use std::sync::Arc;

use jiff::Timestamp;

use crate::reports::parse::input::Tag;
use crate::reports::parse::input::{Piece, Text, TextBuilder};
use crate::reports::parse::input::{seconds_to_ms, timestamp};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Counts, ParsedCase, SuiteInfo};
use crate::reports::parse::read::Sink;
use crate::reports::parse::warnings::Repairs;

/// Between the names of nested suites.
const SEPARATOR: &str = " > ";

/// Bytes of a joined name; deeper suites keep the name of the one around them.
const LONGEST_NAME: usize = 4 << 10;

/// The suites that are open, and what the document says as a whole.
pub(in crate::reports::parse) struct Suites {
    open: Vec<SuiteInfo>,
    /// The name of cases outside every suite.
    nameless: Arc<str>,
    /// The file of Mocha's `Root Suite`: Cypress writes it there, and the suites of the file beside it.
    file_of_root_suite: Option<String>,
    root_declared: Option<Counts>,
    summed: Option<Counts>,
    /// There are cases outside every suite, which no suite declares.
    loose_cases: bool,
    whole: Whole,
    attribute_bytes: usize,
    property_limit: usize,
}

/// What is known of the whole document at its end.
#[derive(Default)]
pub(in crate::reports::parse) struct Whole {
    pub(in crate::reports::parse) declared: Option<Counts>,
    pub(in crate::reports::parse) properties: Vec<(String, String)>,
    pub(in crate::reports::parse) started_at: Option<Timestamp>,
    pub(in crate::reports::parse) finished_at: Option<Timestamp>,
    pub(in crate::reports::parse) first_name: Arc<str>,
}

/// The attributes that root and suites share.
#[derive(Default)]
struct Attributes {
    name: String,
    file: Option<String>,
    hostname: Option<String>,
    timestamp: Option<Timestamp>,
    duration_ms: Option<u64>,
    tests: Option<u64>,
    counts: Counts,
    others: Vec<(String, String)>,
}

impl Attributes {
    fn declared(&self) -> Option<Counts> {
        let total = self.tests?;
        let counted = self.counts.failed + self.counts.error + self.counts.skipped;
        Some(Counts {
            total,
            passed: total.saturating_sub(counted),
            ..self.counts
        })
    }
}

impl Suites {
    pub(in crate::reports::parse) fn new(limits: &Limits) -> Self {
        Self {
            open: Vec::new(),
            nameless: Arc::from(""),
            file_of_root_suite: None,
            root_declared: None,
            summed: None,
            loose_cases: false,
            whole: Whole {
                first_name: Arc::from(""),
                ..Whole::default()
            },
            attribute_bytes: limits.attribute_bytes,
            property_limit: limits.properties,
        }
    }

    /// Reads the attributes of `testsuites`.
    pub(in crate::reports::parse) fn root(&mut self, tag: &Tag<'_>, repairs: &mut Repairs) {
        let attributes = self.attributes(tag, repairs);
        self.root_declared = self.root_declared.or(attributes.declared());
        self.whole.started_at = self.whole.started_at.or(attributes.timestamp);
        if self.whole.first_name.is_empty() {
            self.whole.first_name = attributes.name.into();
        }
    }

    /// Opens a suite inside the innermost one.
    pub(in crate::reports::parse) fn open(
        &mut self,
        tag: &Tag<'_>,
        timestamp_is_end: bool,
        repairs: &mut Repairs,
    ) {
        let attributes = self.attributes(tag, repairs);
        let declared = attributes.declared();
        let name: Arc<str> = match self.open.last() {
            Some(outer)
                if attributes.name.is_empty()
                    || outer.name.len() + attributes.name.len() > LONGEST_NAME =>
            {
                outer.name.clone()
            }
            Some(outer) if !outer.name.is_empty() => {
                format!("{}{SEPARATOR}{}", outer.name, attributes.name).into()
            }
            _ => attributes.name.into(),
        };
        if self.open.is_empty()
            && let Some(declared) = declared
        {
            let sum = self.summed.get_or_insert_default();
            sum.total = sum.total.saturating_add(declared.total);
            sum.passed = sum.passed.saturating_add(declared.passed);
            sum.failed = sum.failed.saturating_add(declared.failed);
            sum.error = sum.error.saturating_add(declared.error);
            sum.skipped = sum.skipped.saturating_add(declared.skipped);
        }
        if self.whole.first_name.is_empty() {
            self.whole.first_name = name.clone();
        }
        if &*name == "Root Suite" {
            self.file_of_root_suite.clone_from(&attributes.file);
        }
        let around = match self.open.last() {
            Some(outer) => &outer.file,
            None => &self.file_of_root_suite,
        };
        self.open.push(SuiteInfo {
            file: attributes.file.or_else(|| around.clone()),
            name,
            hostname: attributes.hostname,
            timestamp: attributes.timestamp,
            timestamp_is_end,
            duration_ms: attributes.duration_ms,
            declared,
            properties: attributes.others,
            ..SuiteInfo::default()
        });
    }

    /// Closes the innermost suite and tells the sink.
    pub(in crate::reports::parse) fn close(&mut self, sink: &mut dyn Sink) {
        let Some(suite) = self.open.pop() else { return };
        let began = suite.started_at();
        self.whole.started_at = match (self.whole.started_at, began) {
            (Some(known), Some(began)) => Some(known.min(began)),
            (known, began) => known.or(began),
        };
        if suite.timestamp_is_end {
            self.whole.finished_at = self.whole.finished_at.max(suite.timestamp);
        }
        sink.suite(suite);
    }

    /// Closes what is still open and gives what is known of the whole.
    pub(in crate::reports::parse) fn finish(mut self, sink: &mut dyn Sink) -> Whole {
        while !self.open.is_empty() {
            self.close(sink);
        }
        self.whole.declared = self
            .root_declared
            .or(self.summed.filter(|_| !self.loose_cases));
        self.whole
    }

    /// The joined name of the innermost suite.
    pub(in crate::reports::parse) fn name(&self) -> &str {
        self.open.last().map_or("", |suite| &suite.name)
    }

    /// Gives a case its suite, and its suite's file if it has none; its project too where `hosts_are_projects`.
    pub(in crate::reports::parse) fn place(
        &mut self,
        case: &mut ParsedCase,
        hosts_are_projects: bool,
    ) {
        match self.open.last_mut() {
            Some(suite) => {
                suite.cases += 1;
                case.suite = suite.name.clone();
                if case.file.is_none() {
                    case.file.clone_from(&suite.file);
                }
                let in_script = *case.suite == case.classname && is_script(&case.suite);
                if case.file.is_none() && in_script {
                    case.file = Some(case.suite.to_string());
                }
                if in_script
                    && hosts_are_projects
                    && let Some(project) = &suite.hostname
                {
                    case.properties
                        .push(("project".to_owned(), project.clone()));
                }
            }
            None => {
                self.loose_cases = true;
                case.suite = self.nameless.clone();
            }
        }
    }

    /// Keeps a property of the innermost suite, or of the document.
    pub(in crate::reports::parse) fn property(&mut self, name: String, value: String) {
        let properties = match self.open.last_mut() {
            Some(suite) => &mut suite.properties,
            None => &mut self.whole.properties,
        };
        if properties.len() < self.property_limit {
            properties.push((name, value));
        }
    }

    /// Keeps the output of the innermost suite; the first one written.
    pub(in crate::reports::parse) fn stdout(&mut self, text: Text) {
        if let Some(suite) = self.open.last_mut()
            && !text.value.trim().is_empty()
        {
            suite.stdout.get_or_insert(text);
        }
    }

    /// Keeps the error output of the innermost suite; the first one written.
    pub(in crate::reports::parse) fn stderr(&mut self, text: Text) {
        if let Some(suite) = self.open.last_mut()
            && !text.value.trim().is_empty()
        {
            suite.stderr.get_or_insert(text);
        }
    }

    fn attributes(&self, tag: &Tag<'_>, repairs: &mut Repairs) -> Attributes {
        let mut read = Attributes::default();
        for (name, value) in tag.attributes() {
            let value = TextBuilder::short(value, Piece::Attribute, self.attribute_bytes, repairs);
            let number = || value.trim().parse::<u64>().ok();
            match name {
                b"name" => read.name = value,
                b"file" | b"filepath" if !value.is_empty() => read.file = Some(value),
                b"hostname" if !value.is_empty() => read.hostname = Some(value),
                b"timestamp" => read.timestamp = timestamp(&value),
                b"time" | b"duration" => read.duration_ms = seconds_to_ms(&value),
                b"tests" => read.tests = number(),
                b"failures" => read.counts.failed = number().unwrap_or(0),
                b"errors" => read.counts.error = number().unwrap_or(0),
                b"skipped" | b"skips" | b"disabled" | b"ignored" => {
                    read.counts.skipped = read.counts.skipped.saturating_add(number().unwrap_or(0));
                }
                _ if read.others.len() < self.property_limit
                    && !matches!(
                        name,
                        b"xmlns" | b"xsi" | b"schemaLocation" | b"noNamespaceSchemaLocation"
                    ) =>
                {
                    read.others
                        .push((String::from_utf8_lossy(name).into_owned(), value));
                }
                _ => {}
            }
        }
        // Sums of hostile numbers must not overflow.
        read.counts.failed = read.counts.failed.min(u64::from(u32::MAX));
        read.counts.error = read.counts.error.min(u64::from(u32::MAX));
        read.counts.skipped = read.counts.skipped.min(u64::from(u32::MAX));
        read
    }
}

/// Whether a name is that of a source file of JavaScript, as the suites of Vitest and Playwright have.
fn is_script(name: &str) -> bool {
    [".js", ".ts", ".jsx", ".tsx", ".mjs", ".cjs", ".mts", ".cts"]
        .iter()
        .any(|extension| name.ends_with(extension))
}
