//! A `*-result.json` becomes a row.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;

use crate::reports::parse::input::{Piece, Text, TextBuilder, Value, epoch_ms};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat};
use crate::reports::parse::warnings::Repairs;
use crate::reports::parse::words::{exception_kind, first_line};

/// Bytes of the text that steps are told in.
const STEPS_BYTES: usize = 32 << 10;

/// Levels of steps that are told.
const STEPS_DEPTH: usize = 8;

/// A row, and what the report as a whole learns from it.
pub(super) struct Row {
    pub(super) case: ParsedCase,
    /// Label `framework`.
    pub(super) framework: Option<String>,
    pub(super) stopped_at: Option<Timestamp>,
    /// The status is none that Allure knows.
    pub(super) odd_status: Option<String>,
}

/// Reads the members of a result.
pub(super) fn row(members: Vec<(String, Value)>, limits: &Limits, repairs: &mut Repairs) -> Row {
    let mut reader = Reader {
        limits,
        repairs,
        case: ParsedCase {
            report_line: 1,
            attempt: 1,
            repeat: Repeat::Row,
            ..ParsedCase::default()
        },
        labels: Vec::new(),
        parameters: Vec::new(),
        full_name: String::new(),
        status: String::new(),
        known: false,
        steps: String::new(),
        stop: None,
    };
    for (key, value) in members {
        if value != Value::Null {
            reader.member(&key, value);
        }
    }
    reader.finish()
}

struct Reader<'a> {
    limits: &'a Limits,
    repairs: &'a mut Repairs,
    case: ParsedCase,
    labels: Vec<(String, String)>,
    /// Values that tell variants apart.
    parameters: Vec<String>,
    full_name: String,
    status: String,
    known: bool,
    steps: String,
    stop: Option<Timestamp>,
}

impl Reader<'_> {
    fn member(&mut self, key: &str, value: Value) {
        match key {
            "name" => self.case.name = self.short(value),
            "fullName" => self.full_name = self.short(value),
            "status" => self.status = self.short(value),
            "statusDetails" => self.details(value),
            "start" => self.case.started_at = instant(&value),
            "stop" => self.stop = instant(&value),
            "labels" => {
                for label in objects(value, self.limits.properties) {
                    let name = self.text_of(&label, "name");
                    let text = self.text_of(&label, "value");
                    self.labels.push((name, text));
                }
            }
            "links" => {
                for link in objects(value, self.limits.properties) {
                    self.link(&link);
                }
            }
            "parameters" => {
                for parameter in objects(value, self.limits.properties) {
                    self.parameter(&parameter);
                }
            }
            "steps" => self.steps(value, 0),
            "attachments" => self.attachments(value),
            "description" => self.case.docstring = given(self.short(value)),
            "descriptionHtml" if self.case.docstring.is_none() => {
                self.case.docstring = given(self.short(value));
            }
            "uuid" | "historyId" | "testCaseId" | "testCaseName" | "stage" | "titlePath" => {
                let text = self.short(value);
                self.case.extra.push((key.to_owned(), text));
            }
            _ if self.case.extra.len() < self.limits.properties => {
                let text = self.short(value);
                self.case.extra.push((key.to_owned(), text));
            }
            _ => {}
        }
    }

    fn details(&mut self, value: Value) {
        let Value::Object(members) = value else {
            return;
        };
        for (key, value) in members {
            match key.as_str() {
                _ if value == Value::Null => {}
                "message" => self.case.message = given(self.short(value)),
                "trace" => {
                    self.case.trace =
                        Some(text(value)).filter(|text| !text.value.trim().is_empty());
                }
                "known" => self.known = value == Value::Bool(true),
                "flaky" => self.case.flaky = value == Value::Bool(true),
                "muted"
                    if value == Value::Bool(true)
                        && self.case.properties.len() < self.limits.properties =>
                {
                    self.case.properties.push((key, "true".to_owned()));
                }
                "muted" => {}
                _ => {
                    let text = self.short(value);
                    self.case.extra.push((key, text));
                }
            }
        }
    }

    fn link(&mut self, link: &[(String, Value)]) {
        let name = self.text_of(link, "name");
        let url = self.text_of(link, "url");
        let shown = if name.is_empty() { url.clone() } else { name };
        match self.text_of(link, "type").as_str() {
            _ if shown.is_empty() => {}
            "issue" | "tms" => {
                if self.case.tickets.len() < self.limits.properties {
                    self.case.tickets.push(shown);
                }
            }
            _ if self.case.extra.len() >= self.limits.properties => {}
            _ => {
                let target = if url.is_empty() { shown } else { url };
                self.case.extra.push(("link".to_owned(), target));
            }
        }
    }

    fn parameter(&mut self, parameter: &[(String, Value)]) {
        let name = self.text_of(parameter, "name");
        let mut value = self.text_of(parameter, "value");
        let excluded = parameter
            .iter()
            .any(|(key, value)| key == "excluded" && *value == Value::Bool(true));
        match self.text_of(parameter, "mode").as_str() {
            "hidden" => return,
            "masked" => "******".clone_into(&mut value),
            _ => {}
        }
        if !excluded {
            self.parameters.push(value.clone());
        }
        if self.case.properties.len() < self.limits.properties {
            self.case.properties.push((name, value));
        }
    }

    fn attachments(&mut self, value: Value) {
        for attachment in objects(value, self.limits.properties) {
            let source = self.text_of(&attachment, "source");
            if source.is_empty() || self.case.attachments.len() >= self.limits.properties {
                continue;
            }
            let name = self.text_of(&attachment, "name");
            if !name.is_empty() && self.case.extra.len() < self.limits.properties {
                let told = format!("{name}: {source}");
                self.case.extra.push(("attachment".to_owned(), told));
            }
            self.case.attachments.push(source);
        }
    }

    /// Steps as an indented list; what is attached to them is attached to the test.
    fn steps(&mut self, value: Value, depth: usize) {
        for step in objects(value, self.limits.json_values) {
            let name = self.text_of(&step, "name");
            let status = self.text_of(&step, "status");
            let took = step_ms(&step).map_or_else(String::new, |ms| format!(" ({ms} ms)"));
            if self.steps.len() < STEPS_BYTES {
                let indent = "  ".repeat(depth);
                // Writing to a text cannot fail.
                let _ = writeln!(
                    self.steps,
                    "{indent}- {} [{status}]{took}",
                    first_line(&name)
                );
            }
            for (key, value) in step {
                match key.as_str() {
                    "steps" if depth < STEPS_DEPTH => self.steps(value, depth + 1),
                    "attachments" => self.attachments(value),
                    _ => {}
                }
            }
        }
    }

    fn is_pending(&self) -> bool {
        let mut stages = self.case.extra.iter().filter(|(key, _)| key == "stage");
        stages.any(|(_, stage)| matches!(stage.as_str(), "pending" | "scheduled"))
    }

    fn finish(mut self) -> Row {
        let status = std::mem::take(&mut self.status).to_ascii_lowercase();
        let message = self.case.message.as_deref().unwrap_or("");
        self.case.outcome = match status.as_str() {
            "passed" => Outcome::Passed,
            "failed" | "broken" if self.known => Outcome::KnownIssue,
            "failed" => Outcome::Failed,
            // allure-pytest writes expected failures as skipped.
            "skipped" if message.starts_with("XFAIL") => Outcome::KnownIssue,
            "skipped" => Outcome::Skipped,
            // Planned and never begun: allure-vitest writes a `todo` so.
            "" if self.is_pending() => Outcome::NotRun,
            // `broken`, and whatever does not say how it ended: it must not look green.
            _ => Outcome::Error,
        };
        let known = ["passed", "failed", "broken", "skipped"].contains(&status.as_str())
            || self.case.outcome == Outcome::NotRun;
        if !known && self.case.message.is_none() {
            self.case.message = Some(format!(
                "its status is `{}`",
                if status.is_empty() {
                    "missing"
                } else {
                    first_line(&status)
                }
            ));
        }
        self.names();
        if !self.steps.is_empty() {
            let steps = std::mem::take(&mut self.steps);
            self.case.extra.push(("steps".to_owned(), steps));
        }
        let case = &mut self.case;
        if !matches!(case.outcome, Outcome::Passed | Outcome::Skipped) {
            let trace = case.trace.as_ref().map_or("", |text| &text.value);
            if case.message.is_none() {
                case.message = given(first_line(trace).to_owned());
            }
            let of_message = case.message.as_deref().and_then(exception_kind);
            case.kind = of_message.or_else(|| exception_kind(first_line(trace)));
        }
        if let (Some(start), Some(stop)) = (case.started_at, self.stop) {
            case.duration_ms = u64::try_from(stop.as_millisecond() - start.as_millisecond()).ok();
        }
        Row {
            framework: label(&self.labels, "framework").map(str::to_owned),
            stopped_at: self.stop,
            odd_status: (!known && status != "unknown").then_some(status),
            case: self.case,
        }
    }

    /// Suite, class and name out of labels, `fullName` and parameters.
    fn names(&mut self) {
        let suites: Vec<&str> = ["parentSuite", "suite", "subSuite"]
            .iter()
            .filter_map(|name| label(&self.labels, name))
            .collect();
        let suite: Arc<str> = suites.join(" > ").into();
        let before_hash = self
            .full_name
            .split_once('#')
            .map(|(class, _)| class)
            .filter(|class| !class.is_empty() && !class.contains('/'));
        let class = label(&self.labels, "testClass")
            .or(before_hash)
            .map(str::to_owned);
        self.case.classname = class.unwrap_or_else(|| {
            let package = label(&self.labels, "package").into_iter();
            let parts: Vec<&str> = package.chain(suites).collect();
            parts.join(" > ")
        });
        self.case.suite = suite;
        if self.case.name.trim().is_empty() {
            self.case.name = match self.full_name.trim() {
                "" => "(unnamed)".to_owned(),
                full_name => full_name.to_owned(),
            };
        }
        // Python and JavaScript write the parameters into the name themselves.
        if !self.parameters.is_empty() && !self.case.name.ends_with([']', ')']) {
            let parameters = self.parameters.join(", ");
            let told: String = parameters.chars().take(300).collect();
            self.case.name = format!("{}[{told}]", self.case.name);
        }
        let consumed = ["parentSuite", "suite", "subSuite", "testClass"];
        let room = self
            .limits
            .properties
            .saturating_sub(self.case.properties.len());
        let labels = self.labels.iter().filter(|(name, value)| {
            !name.starts_with('_') && !value.is_empty() && !consumed.contains(&name.as_str())
        });
        self.case.properties.extend(labels.take(room).cloned());
        if !self.full_name.is_empty() {
            let full_name = std::mem::take(&mut self.full_name);
            self.case.extra.push(("fullName".to_owned(), full_name));
        }
    }

    fn text_of(&mut self, members: &[(String, Value)], name: &str) -> String {
        match members.iter().find(|(key, _)| key == name) {
            Some((_, Value::Null)) | None => String::new(),
            Some((_, value)) => self.short(value.clone()),
        }
    }

    fn short(&mut self, value: Value) -> String {
        let text = value.into_text();
        if text.len() <= self.limits.attribute_bytes {
            return text;
        }
        let most = self.limits.attribute_bytes;
        TextBuilder::short(text.as_bytes(), Piece::Plain, most, self.repairs)
    }
}

fn given(text: String) -> Option<String> {
    (!text.trim().is_empty()).then_some(text)
}

pub(super) fn text(value: Value) -> Text {
    match value {
        Value::Text(text) => text,
        other => {
            let value = other.into_text();
            Text {
                bytes: value.len() as u64,
                cut: 0,
                value,
            }
        }
    }
}

fn label<'a>(labels: &'a [(String, String)], name: &str) -> Option<&'a str> {
    labels
        .iter()
        .find(|(known, value)| known == name && !value.is_empty())
        .map(|(_, value)| value.as_str())
}

pub(super) fn objects(value: Value, most: usize) -> impl Iterator<Item = Vec<(String, Value)>> {
    let items = match value {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    items.into_iter().take(most).filter_map(|item| match item {
        Value::Object(members) => Some(members),
        _ => None,
    })
}

fn step_ms(step: &[(String, Value)]) -> Option<u64> {
    let of = |name: &str| {
        let (_, value) = step.iter().find(|(key, _)| key == name)?;
        instant(value)
    };
    let (start, stop) = (of("start")?, of("stop")?);
    u64::try_from(stop.as_millisecond() - start.as_millisecond()).ok()
}

/// Milliseconds since the epoch.
pub(super) fn instant(value: &Value) -> Option<Timestamp> {
    match value {
        Value::Number(number) => epoch_ms(*number),
        _ => None,
    }
}
