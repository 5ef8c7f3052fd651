//! Attempts written inside a CTRF test, and attachments of both.

use std::io::BufRead;

use super::own;
use super::read::Ctrf;
use super::status::{is_status, outcome};
use crate::reports::parse::input::{Value, float_ms};
use crate::reports::parse::model::{ParsedCase, RetryAttempt};
use crate::reports::parse::words::exception_kind;

impl<R: BufRead> Ctrf<'_, R> {
    /// Reads `retryAttempts`. What an attempt says and has no field goes beside the fields of its test.
    pub(super) fn attempts(&mut self, value: Value, case: &mut ParsedCase) {
        let most = self.doc.out.limits.retries;
        for (item, number_in_list) in value.into_items().into_iter().take(most).zip(1..) {
            let Value::Object(members) = item else {
                continue;
            };
            let mut attempt = RetryAttempt {
                attempt: number_in_list,
                ..RetryAttempt::default()
            };
            let mut status = String::new();
            let mut exact = None;
            let mut others = Vec::new();
            for (key, value) in members {
                match key.as_str() {
                    _ if value == Value::Null => {}
                    "attempt" => {
                        attempt.attempt = value
                            .whole()
                            .filter(|&number| number > 0)
                            .unwrap_or(number_in_list);
                    }
                    "status" => status = self.doc.short(value),
                    "duration" => attempt.duration_ms = value.number().and_then(float_ms),
                    "message" => attempt.message = self.doc.filled(value),
                    "trace" => attempt.trace = self.doc.long(value),
                    "stdout" => attempt.stdout = self.doc.long(value),
                    "stderr" => attempt.stderr = self.doc.long(value),
                    "extra" => {
                        let (ours, rest) = own::split(value);
                        exact = own::outcome_in(&ours);
                        others.extend(rest.map(|rest| (key, rest)));
                    }
                    _ => others.push((key, value)),
                }
            }
            for (key, value) in others {
                let name = format!("retryAttempts[{}].{key}", attempt.attempt);
                if key == "attachments" {
                    self.attachments(&name, value, case);
                } else {
                    self.doc.extra(case, &name, value);
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

    /// Reads attachments: their paths, and beside them what else they say.
    pub(super) fn attachments(&mut self, name: &str, value: Value, case: &mut ParsedCase) {
        let described = matches!(&value, Value::Array(items) if items
            .iter()
            .any(|item| matches!(item, Value::Object(members) if members.len() > 1)));
        if described {
            self.doc.extra(case, name, value.clone());
        }
        for item in value.into_items() {
            let path = match item {
                Value::Object(members) => members
                    .into_iter()
                    .find(|(key, _)| key == "path" || key == "url")
                    .and_then(|(_, value)| self.doc.filled(value)),
                Value::Text(path) => self.doc.filled(Value::Text(path)),
                _ => None,
            };
            if self.doc.has_room_for(&case.attachments) {
                case.attachments.extend(path);
            }
        }
    }
}
