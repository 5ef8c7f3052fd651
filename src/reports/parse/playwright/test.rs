//! One test of a spec: its project and what was expected of it judge its results.

use std::io::BufRead;

use super::attempt::Attempt;
use super::read::Playwright;
use crate::reports::parse::document::{HELD_BYTES, weight};
use crate::reports::parse::input::Value;
use crate::reports::parse::model::{Outcome, ParsedCase, Repeat};
use crate::reports::parse::output::Halt;

/// What the test says of all its results.
#[derive(Default)]
struct Expectation {
    /// `expectedStatus`.
    status: Option<String>,
    /// `status`: expected, unexpected, flaky or skipped.
    verdict: Option<String>,
    /// Reasons of annotations such as `skip`, `fixme` and `fail`.
    reason: Option<String>,
}

impl<R: BufRead> Playwright<'_, R> {
    /// Reads one test; its results wait until it is complete. `spec` is what is known of its spec so far.
    pub(super) fn test(&mut self, spec: &ParsedCase) -> Result<(), Halt> {
        self.doc.json.peek()?;
        let line = self.doc.json.line();
        if !self.doc.enter_object("tests[]")? {
            return Ok(());
        }
        let mut shared = ParsedCase {
            report_line: line,
            attempt: 1,
            repeat: Repeat::Row,
            name: spec.name.clone(),
            classname: spec.classname.clone(),
            suite: spec.suite.clone(),
            file: spec.file.clone(),
            ..ParsedCase::default()
        };
        let mut expectation = Expectation::default();
        let mut attempts: Vec<Attempt> = Vec::new();
        let mut bytes = 0;
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "projectName" => {
                    // Two projects make two tests of one spec.
                    if let Some(project) = self.doc.text("projectName")? {
                        shared.properties.insert(0, ("project".to_owned(), project));
                    }
                }
                "expectedStatus" => expectation.status = self.doc.text(&key)?,
                "status" => expectation.verdict = self.doc.text(&key)?,
                "annotations" => {
                    let annotations = self.doc.value(&key)?;
                    expectation.reason = self.annotations(&mut shared, annotations);
                }
                "results" => {
                    if self.doc.enter_array("results")? {
                        while self.doc.json.next_item()? {
                            let attempt = self.attempt()?;
                            self.keep(&mut attempts, &mut bytes, attempt);
                        }
                    }
                }
                "projectId" => self.doc.json.skip_value()?,
                _ => {
                    let value = self.doc.value(&key)?;
                    self.doc.extra(&mut shared, &key, value);
                }
            }
        }
        self.settle(&shared, &expectation, attempts)
    }

    /// Adds a result to those of its test, without its output when they are too large together.
    fn keep(&mut self, attempts: &mut Vec<Attempt>, bytes: &mut usize, attempt: Option<Attempt>) {
        let Some(mut attempt) = attempt else { return };
        let line = attempt.case.report_line;
        if attempts.len() >= self.doc.out.limits.properties {
            self.doc
                .out
                .warn(line, "too_many_attempts", "left out the rest", || {
                    format!("more than {} results of one test", attempts.len())
                });
            return;
        }
        *bytes += weight(&attempt.case);
        if *bytes > HELD_BYTES {
            self.doc
                .out
                .warn(line, "too_much_detail", "left their output out", || {
                    "the results of one test are too large".to_owned()
                });
            *bytes -= weight(&attempt.case);
            let case = &mut attempt.case;
            (case.stdout, case.stderr, case.trace) = (None, None, None);
            case.extra.clear();
        }
        attempts.push(attempt);
    }

    /// Judges the results and completes their rows.
    fn settle(
        &mut self,
        shared: &ParsedCase,
        expectation: &Expectation,
        mut attempts: Vec<Attempt>,
    ) -> Result<(), Halt> {
        if attempts.is_empty() {
            // Never begun: what came before it broke, or the run was stopped.
            let case = ParsedCase {
                outcome: Outcome::NotRun,
                ..shared.clone()
            };
            self.doc.put(case)?;
        }
        attempts.sort_by_key(|attempt| attempt.retry);
        let room = self.doc.out.limits.properties;
        let expected = expectation.status.as_deref().unwrap_or("passed");
        let flaky = expectation.verdict.as_deref() == Some("flaky");
        let last = attempts.len().saturating_sub(1);
        for (number, attempt) in attempts.into_iter().enumerate() {
            let mut case = attempt.case;
            let (outcome, told) = judge(attempt.status.as_deref(), expected, &case);
            case.outcome = outcome;
            if let Some(told) = told {
                let reason = expectation.reason.as_deref();
                case.message = Some(
                    reason.map_or_else(|| told.to_owned(), |reason| format!("{told} ({reason})")),
                );
            }
            if outcome == Outcome::Skipped && case.message.is_none() {
                case.message.clone_from(&expectation.reason);
            }
            case.name.clone_from(&shared.name);
            case.classname.clone_from(&shared.classname);
            case.suite = shared.suite.clone();
            case.file.clone_from(&shared.file);
            case.flaky = flaky && outcome == Outcome::Passed;
            // `repeatEach` writes the same test again: each begins anew, and a pass of one takes nothing back of another.
            case.repeat = if number == 0 {
                Repeat::Row
            } else {
                Repeat::Attempt
            };
            case.attempt = attempt.retry.saturating_add(1);
            case.properties.extend(shared.properties.iter().cloned());
            case.properties.truncate(room);
            case.extra.extend(shared.extra.iter().cloned());
            case.extra.truncate(room);
            case.tickets.clone_from(&shared.tickets);
            if number == last {
                self.doc.put(case)?;
            } else {
                self.doc.put_uncounted(case)?;
            }
        }
        Ok(())
    }

    /// Keeps annotations: tickets, and everything else as a property. The answer is the reason they give.
    fn annotations(&mut self, case: &mut ParsedCase, annotations: Value) -> Option<String> {
        let mut reason = None;
        for annotation in annotations.into_items() {
            let text = |name: &str| {
                annotation
                    .get(name)
                    .filter(|value| !value.is_blank())
                    .map(|value| self.doc.short(value.clone()))
            };
            let (Some(kind), description) = (text("type"), text("description")) else {
                continue;
            };
            match (kind.as_str(), description) {
                ("issue" | "ticket" | "bug" | "jira", Some(ticket)) => {
                    if self.doc.has_room_for(&case.tickets) {
                        case.tickets.push(ticket);
                    }
                    continue;
                }
                ("skip" | "fixme" | "fail" | "slow", Some(why)) => reason = Some(why),
                _ => {}
            }
            if self.doc.has_room(&case.properties) {
                let said = text("description").unwrap_or_default();
                case.properties.push((kind, said));
            }
        }
        reason
    }
}

/// The outcome as Playwright judges it: a result is right when it has the expected status.
fn judge(
    status: Option<&str>,
    expected: &str,
    case: &ParsedCase,
) -> (Outcome, Option<&'static str>) {
    match (status.unwrap_or(""), expected) {
        ("passed", "failed") => (Outcome::Failed, Some("expected to fail, but passed")),
        ("passed", _) => (Outcome::Passed, None),
        ("failed", "failed") => (Outcome::KnownIssue, None),
        ("timedOut", "timedOut") => (Outcome::KnownIssue, None),
        ("failed" | "timedOut", _) => (Outcome::Failed, None),
        ("skipped", "skipped") => (Outcome::Skipped, None),
        // Not skipped on purpose: what came before it broke.
        ("skipped", _) => (Outcome::NotRun, None),
        ("interrupted", _) => (
            Outcome::Error,
            case.message.is_none().then_some("interrupted"),
        ),
        // A cut report: without a status nothing is known but that it began.
        (_, _) if case.message.is_some() => (Outcome::Failed, None),
        (_, _) => (Outcome::Error, Some("the report does not say how it ended")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn judgements() {
        let check = |status: &str, expected: &str, outcome: Outcome| {
            let (found, _) = judge(Some(status), expected, &ParsedCase::default());
            assert_eq!(found, outcome, "{status}, {expected} expected");
        };
        check("passed", "passed", Outcome::Passed);
        check("failed", "passed", Outcome::Failed);
        check("timedOut", "passed", Outcome::Failed);
        check("failed", "failed", Outcome::KnownIssue);
        check("passed", "failed", Outcome::Failed);
        check("timedOut", "failed", Outcome::Failed);
        check("skipped", "skipped", Outcome::Skipped);
        check("skipped", "passed", Outcome::NotRun);
        check("interrupted", "passed", Outcome::Error);
        check("", "passed", Outcome::Error);
    }
}
