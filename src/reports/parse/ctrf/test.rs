//! One test of a CTRF report: its members, in any order, become a case.

use std::io::BufRead;

use super::own;
use super::read::Ctrf;
use crate::reports::parse::input::Value;
use crate::reports::parse::input::{Piece, Text, TextBuilder};
use crate::reports::parse::input::{epoch_ms, float_ms, timestamp};
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat, RetryAttempt};
use crate::reports::parse::warnings::Repairs;
use crate::reports::parse::words::{exception_kind, first_line};

impl<R: BufRead> Ctrf<'_, R> {
    /// Reads `tests[index]`.
    pub(in crate::reports::parse) fn case(
        &mut self,
        members: Vec<(String, Value)>,
        line: u64,
        index: u64,
    ) -> ParsedCase {
        let mut case = ParsedCase {
            report_line: line,
            attempt: 1,
            repeat: Repeat::Row,
            ..ParsedCase::default()
        };
        let (mut status, mut raw_status, mut retries) = (None, None, 0_u32);
        let mut stop = None;
        let mut own = Vec::new();
        for (key, value) in members {
            match key.as_str() {
                _ if value == Value::Null => {}
                "name" => case.name = self.short(value),
                "status" => status = Some(self.short(value)),
                "rawStatus" => raw_status = Some(self.short(value)),
                "duration" => {
                    case.duration_ms = number(&value).and_then(float_ms);
                    if case.duration_ms.is_none() {
                        self.out.warnings.add(
                            line,
                            "bad_duration",
                            "left the duration out",
                            || format!("`tests[{index}].duration` is no duration"),
                        );
                    }
                }
                "start" => case.started_at = instant(&value),
                "stop" => stop = instant(&value),
                "suite" => case.classname = self.suite_name(value),
                "message" => case.message = Some(self.short(value)).filter(|text| !text.is_empty()),
                "trace" => case.trace = self.long(value),
                "line" => case.line = whole(&value),
                "filePath" | "file" => {
                    case.file = Some(self.short(value)).filter(|text| !text.is_empty());
                }
                "retries" | "retry" => retries = whole(&value).unwrap_or(0),
                "flaky" => case.flaky = matches!(value, Value::Bool(true)),
                "stdout" => case.stdout = self.long(value),
                "stderr" => case.stderr = self.long(value),
                "tags" => self.tags(value, &mut case),
                "labels" | "parameters" => self.flatten(&key, value, &mut case),
                "attachments" => self.attachments(value, &mut case),
                "retryAttempts" => self.attempts(value, &mut case),
                "extra" => {
                    let (ours, rest) = own::split(value);
                    own = ours;
                    case.extra.extend(rest.map(|rest| (key, self.short(rest))));
                }
                "browser" | "device" | "type" => case.properties.push((key, value.into_text())),
                _ => case.extra.push((key, self.short(value))),
            }
        }
        if case.name.trim().is_empty() {
            self.out
                .warnings
                .add(line, "unnamed_case", "called it `(unnamed)`", || {
                    format!("`tests[{index}].name` is missing or empty")
                });
            "(unnamed)".clone_into(&mut case.name);
        }
        case.outcome =
            match status.as_deref() {
                Some(status) if is_status(status) => outcome(
                    status,
                    raw_status.as_deref(),
                    case.message.is_some() || case.trace.is_some(),
                ),
                other => {
                    self.out.warnings.add(
                        line,
                        "ctrf_status",
                        "took it as not run or broken",
                        || match other {
                            Some(other) => {
                                format!("`tests[{index}].status` is `{}`", first_line(other))
                            }
                            None => format!("`tests[{index}].status` is missing"),
                        },
                    );
                    outcome("other", other, case.message.is_some())
                }
            };
        if let Some(raw_status) = raw_status {
            case.extra.push(("rawStatus".to_owned(), raw_status));
        }
        // Some tools list the final attempt among the retries too.
        if case.retries.len() as u64 == u64::from(retries) + 1 && retries > 0 {
            case.retries.pop();
        }
        case.attempt = retries
            .max(u32::try_from(case.retries.len()).unwrap_or(u32::MAX))
            .saturating_add(1);
        if case.duration_ms.is_none()
            && let (Some(start), Some(stop)) = (case.started_at, stop)
        {
            case.duration_ms = u64::try_from(stop.as_millisecond() - start.as_millisecond()).ok();
        }
        if matches!(case.outcome, Outcome::Failed | Outcome::Error) {
            if case.message.is_none() {
                case.message = case
                    .trace
                    .as_ref()
                    .map(|trace| first_line(&trace.value).to_owned());
            }
            case.kind = case.message.as_deref().and_then(exception_kind);
        }
        if *self.suite != *case.classname {
            self.suite = case.classname.as_str().into();
        }
        case.suite = self.suite.clone();
        own::apply(own, &mut case);
        case
    }

    fn suite_name(&mut self, value: Value) -> String {
        let joined = match value {
            Value::Array(parts) => parts
                .into_iter()
                .map(Value::into_text)
                .collect::<Vec<_>>()
                .join(" > "),
            other => other.into_text(),
        };
        self.shorten(&joined)
    }

    fn tags(&mut self, value: Value, case: &mut ParsedCase) {
        match value {
            Value::Array(tags) => case.properties.extend(
                tags.into_iter()
                    .take(self.out.limits.properties)
                    .map(|tag| ("tag".to_owned(), tag.into_text())),
            ),
            other => case.properties.push(("tag".to_owned(), other.into_text())),
        }
    }

    fn flatten(&mut self, key: &str, value: Value, case: &mut ParsedCase) {
        match value {
            Value::Object(members) => case.properties.extend(
                members
                    .into_iter()
                    .take(self.out.limits.properties)
                    .map(|(name, value)| (name, value.into_text())),
            ),
            other => case.extra.push((key.to_owned(), other.into_text())),
        }
    }

    fn attachments(&mut self, value: Value, case: &mut ParsedCase) {
        let Value::Array(items) = value else { return };
        for item in items.into_iter().take(self.out.limits.properties) {
            let path = match item {
                Value::Object(members) => members
                    .into_iter()
                    .find(|(key, _)| key == "path" || key == "url")
                    .map(|(_, value)| value.into_text()),
                Value::Text(path) => Some(path.value),
                _ => None,
            };
            case.attachments
                .extend(path.filter(|path| !path.is_empty()));
        }
    }

    fn attempts(&mut self, value: Value, case: &mut ParsedCase) {
        let Value::Array(items) = value else { return };
        for (item, number_in_list) in items.into_iter().take(self.out.limits.retries).zip(1..) {
            let Value::Object(members) = item else {
                continue;
            };
            let mut attempt = RetryAttempt {
                attempt: number_in_list,
                ..RetryAttempt::default()
            };
            let mut status = String::new();
            let mut exact = None;
            for (key, value) in members {
                match key.as_str() {
                    _ if value == Value::Null => {}
                    "attempt" => {
                        attempt.attempt = whole(&value)
                            .filter(|&number| number > 0)
                            .unwrap_or(number_in_list);
                    }
                    "status" => status = self.short(value),
                    "duration" => attempt.duration_ms = number(&value).and_then(float_ms),
                    "message" => attempt.message = Some(self.short(value)),
                    "trace" => attempt.trace = self.long(value),
                    "stdout" => attempt.stdout = self.long(value),
                    "stderr" => attempt.stderr = self.long(value),
                    "extra" => exact = own::outcome_in(&own::split(value).0),
                    _ => {}
                }
            }
            attempt.outcome = exact.unwrap_or_else(|| {
                outcome(
                    if is_status(&status) { &status } else { "other" },
                    Some(&status),
                    attempt.message.is_some(),
                )
            });
            attempt.kind = attempt.message.as_deref().and_then(exception_kind);
            case.retries.push(attempt);
        }
    }

    fn short(&mut self, value: Value) -> String {
        let text = value.into_text();
        self.shorten(&text)
    }

    fn shorten(&mut self, text: &str) -> String {
        if text.len() <= self.out.limits.attribute_bytes {
            return text.to_owned();
        }
        TextBuilder::short(
            text.as_bytes(),
            Piece::Plain,
            self.out.limits.attribute_bytes,
            &mut Repairs::default(),
        )
    }

    /// A long text: as it is, or the lines of a list.
    fn long(&mut self, value: Value) -> Option<Text> {
        let text = match value {
            Value::Text(text) => text,
            Value::Array(lines) => {
                let mut builder = TextBuilder::new(self.out.limits.text_bytes);
                for line in lines {
                    if !builder.is_empty() {
                        builder.push_str("\n", Piece::Plain, &mut self.json.repairs);
                    }
                    builder.push_str(&line.into_text(), Piece::Plain, &mut self.json.repairs);
                }
                builder.finish()
            }
            other => {
                let value = other.into_text();
                Text {
                    bytes: value.len() as u64,
                    cut: 0,
                    value,
                }
            }
        };
        (!text.value.trim().is_empty()).then_some(text)
    }
}

fn is_status(text: &str) -> bool {
    matches!(text, "passed" | "failed" | "skipped" | "pending" | "other")
}

/// `other` is whatever the tool could not express; what it had itself said, or a message, tells broken from not run.
fn outcome(status: &str, raw: Option<&str>, has_message: bool) -> Outcome {
    match status {
        "passed" => Outcome::Passed,
        "failed" => Outcome::Failed,
        "skipped" | "pending" => Outcome::Skipped,
        _ => {
            let raw = raw.unwrap_or("").to_ascii_lowercase();
            let says = |words: &[&str]| words.iter().any(|word| raw.contains(word));
            if says(&["todo", "disabled", "skip", "ignored"]) {
                Outcome::Skipped
            } else if has_message
                || says(&["time", "interrupt", "broken", "error", "crash", "fail"])
            {
                Outcome::Error
            } else {
                Outcome::NotRun
            }
        }
    }
}

pub(in crate::reports::parse) fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => Some(*number),
        Value::Text(text) => text.value.trim().parse().ok(),
        _ => None,
    }
}

fn whole(value: &Value) -> Option<u32> {
    let number = number(value)?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the range was checked"
    )]
    (0.0..=f64::from(u32::MAX))
        .contains(&number)
        .then_some(number as u32)
}

pub(in crate::reports::parse) fn instant(value: &Value) -> Option<jiff::Timestamp> {
    match value {
        Value::Text(text) => {
            timestamp(&text.value).or_else(|| epoch_ms(text.value.trim().parse().ok()?))
        }
        other => epoch_ms(number(other)?),
    }
}
