//! `*-container.json`: the fixtures around tests; and `*-globals.json`: what failed outside every test.

use std::fmt::Write as _;

use super::key::{Hash, hash};
use super::result::objects;
use crate::reports::parse::input::{Text, Value};
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat};
use crate::reports::parse::words::{exception_kind, first_line};

/// Bytes of one fixture's failure that are kept.
const FAILURE_BYTES: usize = 16 << 10;

/// A failure of something that is no test.
pub(super) struct Failure {
    /// `setup "database"`
    pub(super) what: String,
    pub(super) message: String,
    pub(super) trace: String,
}

/// Reads a container: hashes of the tests in it, and its fixtures that failed.
pub(super) fn failed_fixtures(
    members: Vec<(String, Value)>,
    most: usize,
) -> (Vec<Hash>, Vec<Failure>) {
    let (mut children, mut failures) = (Vec::new(), Vec::new());
    for (key, value) in members {
        match (key.as_str(), value) {
            ("children", Value::Array(uuids)) => children.extend(
                uuids
                    .into_iter()
                    .take(most)
                    .map(|uuid| hash(&uuid.into_text())),
            ),
            ("befores", value) => failures.extend(failures_of("setup", value, most)),
            ("afters", value) => failures.extend(failures_of("teardown", value, most)),
            _ => {}
        }
    }
    (children, failures)
}

/// Reads errors outside every test.
pub(super) fn global_errors(members: Vec<(String, Value)>, most: usize) -> Vec<Failure> {
    members
        .into_iter()
        .filter(|(key, _)| key == "errors")
        .flat_map(|(_, value)| objects(value, most).collect::<Vec<_>>())
        .map(|error| Failure {
            what: "(outside of tests)".to_owned(),
            message: text_of(&error, "message"),
            trace: text_of(&error, "trace"),
        })
        .collect()
}

fn failures_of(phase: &str, value: Value, most: usize) -> Vec<Failure> {
    objects(value, most)
        .filter(|fixture| matches!(text_of(fixture, "status").as_str(), "failed" | "broken"))
        .map(|fixture| {
            let details = fixture
                .iter()
                .find(|(key, _)| key == "statusDetails")
                .map(|(_, value)| value.clone());
            let details = match details {
                Some(Value::Object(members)) => members,
                _ => Vec::new(),
            };
            let name = text_of(&fixture, "name");
            Failure {
                what: format!("{phase} `{}`", first_line(&name)),
                message: text_of(&details, "message"),
                trace: text_of(&details, "trace"),
            }
        })
        .collect()
}

impl Failure {
    /// The failure as a text below a test's own.
    pub(super) fn told(&self) -> String {
        let mut told = format!("{} failed", self.what);
        for text in [&self.message, &self.trace] {
            let text = text.trim();
            if !text.is_empty() {
                // Writing to a text cannot fail.
                let _ = write!(told, "\n{text}");
            }
        }
        told
    }

    /// The failure as a row of its own.
    pub(super) fn into_case(self) -> ParsedCase {
        let message = first_line(&self.message);
        let message = if message.is_empty() {
            format!("{} failed", self.what)
        } else {
            self.message.trim().to_owned()
        };
        ParsedCase {
            report_line: 1,
            name: self.what,
            outcome: Outcome::Error,
            kind: exception_kind(&message),
            message: Some(message),
            trace: (!self.trace.is_empty()).then_some(Text {
                bytes: self.trace.len() as u64,
                cut: 0,
                value: self.trace,
            }),
            attempt: 1,
            repeat: Repeat::Row,
            ..ParsedCase::default()
        }
    }
}

fn text_of(members: &[(String, Value)], name: &str) -> String {
    let found = members.iter().find(|(key, _)| key == name);
    let mut text = match found {
        Some((_, Value::Null)) | None => String::new(),
        Some((_, value)) => value.clone().into_text(),
    };
    text.truncate(text.floor_char_boundary(FAILURE_BYTES));
    text
}
