//! One test of a CTRF report: its members, in any order, become a case.

use std::io::BufRead;

use super::own;
use super::read::Ctrf;
use super::status::{is_status, outcome};
use crate::reports::parse::document::joined;
use crate::reports::parse::input::{Value, float_ms};
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat};
use crate::reports::parse::words::{exception_kind, first_line};

impl<R: BufRead> Ctrf<'_, R> {
    /// Reads `tests[index]`.
    pub(super) fn case(
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
                "name" => case.name = self.doc.short(value),
                "status" => status = Some(self.doc.short(value)),
                "rawStatus" => raw_status = Some(self.doc.short(value)),
                "duration" => {
                    case.duration_ms = value.number().and_then(float_ms);
                    if case.duration_ms.is_none() {
                        self.doc
                            .out
                            .warn(line, "bad_duration", "left the duration out", || {
                                format!("`tests[{index}].duration` is no duration")
                            });
                    }
                }
                "start" => case.started_at = value.instant(),
                "stop" => stop = value.instant(),
                "suite" => case.classname = self.suite_name(value),
                "message" => case.message = self.doc.filled(value),
                "trace" => case.trace = self.doc.long(value),
                "line" => case.line = value.whole(),
                "filePath" | "file" => case.file = self.doc.filled(value),
                "retries" | "retry" => retries = value.whole().unwrap_or(0),
                "flaky" => case.flaky = matches!(value, Value::Bool(true)),
                "stdout" => case.stdout = self.doc.long(value),
                "stderr" => case.stderr = self.doc.long(value),
                "tags" => self.doc.tags(&mut case, value),
                "labels" | "parameters" => self.doc.properties(&mut case, &key, value),
                "attachments" => self.attachments("attachments", value, &mut case),
                "retryAttempts" => self.attempts(value, &mut case),
                "extra" => {
                    let (ours, rest) = own::split(value);
                    own = ours;
                    if let Some(rest) = rest {
                        self.doc.extra(&mut case, &key, rest);
                    }
                }
                "browser" | "device" | "type" => {
                    if let Some(value) = self.doc.filled(value) {
                        case.properties.push((key, value));
                    }
                }
                _ => self.doc.extra(&mut case, &key, value),
            }
        }
        case.outcome = self.outcome(&case, status.as_deref(), raw_status.as_deref(), index);
        if let Some(raw_status) = raw_status {
            case.extra.push(("rawStatus".to_owned(), raw_status));
        }
        number_attempts(&mut case, retries);
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

    fn outcome(
        &mut self,
        case: &ParsedCase,
        status: Option<&str>,
        raw_status: Option<&str>,
        index: u64,
    ) -> Outcome {
        if let Some(status) = status.filter(|status| is_status(status)) {
            let told = case.message.is_some() || case.trace.is_some();
            return outcome(status, raw_status, told);
        }
        self.doc.out.warn(
            case.report_line,
            "ctrf_status",
            "took it as not run or broken",
            || match status {
                Some(other) => format!("`tests[{index}].status` is `{}`", first_line(other)),
                None => format!("`tests[{index}].status` is missing"),
            },
        );
        outcome("other", status, case.message.is_some())
    }

    fn suite_name(&mut self, value: Value) -> String {
        match value {
            Value::Array(parts) => {
                let parts: Vec<String> = parts.into_iter().map(Value::into_text).collect();
                self.doc.shorten(joined(parts.iter().map(String::as_str)))
            }
            other => self.doc.short(other),
        }
    }
}

/// Some tools list the final attempt among the retries too.
fn number_attempts(case: &mut ParsedCase, retries: u32) {
    if case.retries.len() as u64 == u64::from(retries) + 1 && retries > 0 {
        case.retries.pop();
    }
    case.attempt = retries
        .max(u32::try_from(case.retries.len()).unwrap_or(u32::MAX))
        .saturating_add(1);
}
