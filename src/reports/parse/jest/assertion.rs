//! One test of Jest or Vitest.
//!
//! Jest says how often it ran a test (`invocations`), Vitest leaves the failures of earlier attempts with a test that
//! passed in the end.

use std::io::BufRead;
use std::sync::Arc;

use super::read::Jest;
use crate::reports::parse::document::{headline, joined};
use crate::reports::parse::input::{Piece, Text, TextBuilder, Value, epoch_ms, float_ms};
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat, RetryAttempt};
use crate::reports::parse::words::exception_kind;

/// What a test says beside its plain fields.
#[derive(Default)]
struct Details {
    status: String,
    full_name: Option<String>,
    failures: Vec<String>,
    /// Why earlier attempts failed, where Jest was told to log it.
    reasons: Vec<String>,
    invocations: u32,
    /// `it.failing`: a failure is what was expected.
    failing: bool,
}

impl<R: BufRead> Jest<'_, R> {
    /// Reads one item of `assertionResults`.
    pub(super) fn assertion(&mut self, value: Value, line: u64) -> Option<ParsedCase> {
        let Value::Object(members) = value else {
            self.doc.out.warn(line, "wrong_type", "left it out", || {
                "`assertionResults[]` is no object".to_owned()
            });
            return None;
        };
        let mut case = ParsedCase {
            report_line: line,
            attempt: 1,
            repeat: Repeat::Row,
            ..ParsedCase::default()
        };
        let mut details = Details::default();
        for (key, value) in members {
            self.detail(&mut case, &mut details, &key, value);
        }
        if case.name.trim().is_empty() {
            case.name = details.full_name.take().unwrap_or_default();
        }
        case.suite = Arc::from(case.classname.as_str());
        case.outcome = self.outcome(&case, &details);
        self.attempts(&mut case, &mut details);
        if details.status == "todo" && case.message.is_none() {
            case.message = Some("todo".to_owned());
        }
        if let Some(first) = details.failures.first() {
            case.message = Some(self.doc.shorten(headline(first).to_owned()));
            case.kind = case.message.as_deref().and_then(exception_kind);
            case.trace = self.together(&details.failures);
        }
        Some(case)
    }

    fn detail(&mut self, case: &mut ParsedCase, details: &mut Details, key: &str, value: Value) {
        match key {
            _ if value == Value::Null => {}
            "ancestorTitles" => {
                let titles = self.texts(value);
                case.classname = self.doc.shorten(joined(titles.iter().map(String::as_str)));
            }
            "title" => case.name = self.doc.short(value),
            "fullName" => details.full_name = self.doc.filled(value),
            "status" => details.status = self.doc.short(value),
            "duration" => case.duration_ms = value.number().and_then(float_ms),
            "failureMessages" => details.failures = self.texts(value),
            "retryReasons" => details.reasons = self.texts(value),
            "retryMessages" if details.reasons.is_empty() => details.reasons = self.texts(value),
            "retryMessages" => {}
            "invocations" => details.invocations = value.whole().unwrap_or(1),
            "failing" => details.failing = value == Value::Bool(true),
            "startAt" => case.started_at = value.number().and_then(epoch_ms),
            "location" => {
                case.line = value.get("line").and_then(Value::whole);
                if let Some(column) = value.get("column") {
                    self.doc.extra(case, "column", column.clone());
                }
            }
            "meta" => self.doc.properties(case, key, value),
            "tags" => self.doc.tags(case, value),
            "numPassingAsserts" if value.number() == Some(0.0) => {}
            _ => self.doc.extra(case, key, value),
        }
    }

    fn outcome(&mut self, case: &ParsedCase, details: &Details) -> Outcome {
        match details.status.as_str() {
            "passed" | "focused" if details.failing => Outcome::KnownIssue,
            "passed" => Outcome::Passed,
            "focused" if details.failures.is_empty() => Outcome::Passed,
            "failed" | "focused" => Outcome::Failed,
            "skipped" | "pending" | "todo" => Outcome::Skipped,
            "disabled" => Outcome::NotRun,
            other => {
                self.doc.out.warn(
                    case.report_line,
                    "unknown_status",
                    "took it as not run or broken",
                    || format!("the status of a test is `{other}`"),
                );
                if details.failures.is_empty() {
                    Outcome::NotRun
                } else {
                    Outcome::Error
                }
            }
        }
    }

    /// Attempts before the last one, all of which failed.
    fn attempts(&mut self, case: &mut ParsedCase, details: &mut Details) {
        let mut reasons = std::mem::take(&mut details.reasons);
        if case.outcome == Outcome::Passed {
            reasons.append(&mut details.failures);
        }
        let told = u32::try_from(reasons.len()).unwrap_or(u32::MAX);
        let earlier = details.invocations.saturating_sub(1).max(told);
        case.attempt = earlier.saturating_add(1);
        case.flaky = earlier > 0 && case.outcome == Outcome::Passed;
        let most = u32::try_from(self.doc.out.limits.retries).unwrap_or(u32::MAX);
        let mut reasons = reasons.into_iter();
        for attempt in 1..=earlier.min(most) {
            let reason = reasons.next();
            let message = reason
                .as_deref()
                .map(|reason| self.doc.shorten(headline(reason).to_owned()));
            case.retries.push(RetryAttempt {
                attempt,
                outcome: Outcome::Failed,
                kind: message.as_deref().and_then(exception_kind),
                message,
                trace: reason.and_then(|reason| self.together(&[reason])),
                ..RetryAttempt::default()
            });
        }
    }

    fn together(&mut self, failures: &[String]) -> Option<Text> {
        let mut builder = TextBuilder::new(self.doc.out.limits.text_bytes);
        for failure in failures {
            if !builder.is_empty() {
                builder.push_str("\n\n", Piece::Plain, &mut self.doc.json.repairs);
            }
            builder.push_str(failure, Piece::Plain, &mut self.doc.json.repairs);
        }
        let text = builder.finish();
        (!text.value.is_empty()).then_some(text)
    }
}
