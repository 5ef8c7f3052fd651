//! A test point becomes a row, with the comments and the diagnostic block that follow it.

use std::sync::Arc;

use super::line::{Directive, Point};
use super::yaml::Yaml;
use crate::reports::parse::input::{Text, float_ms, seconds_to_ms};
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat};
use crate::reports::parse::words::{exception_kind, first_line};

/// What is known of a point when the next one begins.
pub(super) struct Told {
    pub(super) point: Point,
    pub(super) line: u64,
    /// Names of the subtests around it.
    pub(super) suite: Arc<str>,
    /// Its place in the plan, where it has no number.
    pub(super) place: u64,
    pub(super) block: Option<Text>,
    pub(super) output: Option<Text>,
    /// Rows below it, and how many of them failed.
    pub(super) below: Option<(u64, u64)>,
}

impl Told {
    /// The row, unless it only sums up the rows below it.
    pub(super) fn into_case(self) -> Option<ParsedCase> {
        let yaml = Yaml::new(self.block.as_ref().map_or("", |text| &text.value));
        let failure = yaml.first(&["failureType"]);
        let outcome = match (&self.point.directive, self.point.ok) {
            (Some(Directive::Skip(_)), _) => Outcome::Skipped,
            (_, true) => Outcome::Passed,
            (Some(Directive::Todo(_)), false) => Outcome::KnownIssue,
            (None, false) => match failure {
                Some("hookFailed" | "cancelledByParent" | "uncaughtException") => Outcome::Error,
                _ => Outcome::Failed,
            },
        };
        if let Some((rows, failed)) = self.below
            && rows > 0
        {
            let red = matches!(outcome, Outcome::Failed | Outcome::Error);
            let own = match failure {
                Some(failure) => failure != "subtestsFailed",
                None => failed == 0,
            };
            if !(red && own) {
                return None;
            }
        }
        let mut case = ParsedCase {
            report_line: self.line,
            classname: self.suite.to_string(),
            suite: self.suite,
            outcome,
            attempt: 1,
            repeat: Repeat::Row,
            ..ParsedCase::default()
        };
        case.name = self.point.description;
        if case.name.is_empty() {
            case.name = format!("test {}", self.point.number.unwrap_or(self.place));
        }
        if case.name.contains(".py::") && case.classname.is_empty() {
            case.nodeid = Some(case.name.clone());
        }
        case.duration_ms = yaml
            .first(&["duration_ms"])
            .and_then(|text| float_ms(text.parse().ok()?))
            .or_else(|| seconds_to_ms(yaml.first(&["duration", "time"])?))
            .or(self.point.time_ms);
        match self.point.directive {
            Some(Directive::Skip(reason)) => case.message = given(&reason),
            Some(Directive::Todo(reason)) => {
                let reason = if reason.is_empty() { "todo" } else { &reason };
                case.properties.push(("todo".to_owned(), reason.to_owned()));
            }
            None => {}
        }
        if let Some(severity) = yaml.first(&["severity"]) {
            case.properties
                .push(("severity".to_owned(), severity.to_owned()));
        }
        // The place is told by failures only: as the file it would make another test of them.
        if let Some(place) = place(&yaml) {
            case.properties.push(("location".to_owned(), place));
        }
        case.extra.extend(
            ["operator", "expected", "actual", "wanted", "found", "code"]
                .iter()
                .filter_map(|name| Some(((*name).to_owned(), yaml.first(&[name])?.to_owned()))),
        );
        let red = !matches!(outcome, Outcome::Passed | Outcome::Skipped);
        if red {
            let said = self.output.as_ref().map_or("", |text| &text.value);
            case.message = yaml
                .first(&["message", "error", "reason"])
                .map(str::to_owned)
                .or_else(|| compared(&yaml))
                .or_else(|| worth_showing(said));
            let named = yaml.first(&["name"]).and_then(exception_kind);
            case.kind = named.or_else(|| case.message.as_deref().and_then(exception_kind));
        }
        (case.trace, case.stdout) = match (self.block, self.output) {
            (Some(block), output) if red => (Some(block), output),
            (None, Some(output)) if red => (Some(output), None),
            (_, output) => (None, output),
        };
        Some(case)
    }
}

fn given(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn place(yaml: &Yaml) -> Option<String> {
    if let Some(file) = yaml.below("at", &["fileName", "file"]) {
        let line = yaml.below("at", &["lineNumber", "line"]);
        return Some(line.map_or(file.clone(), |line| format!("{file}:{line}")));
    }
    if let Some(place) = yaml.first(&["location", "at"]) {
        // `Test.<anonymous> (file.js:2:63)`
        let inner = place.rsplit_once('(').map(|(_, rest)| rest);
        let inner = inner.map(|rest| rest.trim_end_matches(')'));
        return Some(inner.unwrap_or(place).to_owned());
    }
    let file = yaml.first(&["file"])?;
    Some(match yaml.first(&["line"]) {
        Some(line) => format!("{file}:{line}"),
        None => file.to_owned(),
    })
}

/// `expected 3, found 2`, where both are short.
fn compared(yaml: &Yaml) -> Option<String> {
    let expected = yaml.first(&["expected", "wanted", "want"])?;
    let found = yaml.first(&["actual", "found", "got"])?;
    Some(format!(
        "expected {}, found {}",
        first_line(expected),
        first_line(found)
    ))
}

/// The line of a failure's comments that says most: an exception, else the first.
fn worth_showing(said: &str) -> Option<String> {
    let lines = || {
        said.lines()
            .map(|line| line.strip_prefix("E ").unwrap_or(line).trim())
            .filter(|line| !line.is_empty())
    };
    lines()
        .find(|line| exception_kind(line).is_some())
        .or_else(|| lines().next())
        .map(|line| first_line(line).to_owned())
}
