//! One scenario, or a background that goes before the next one.

use std::io::BufRead;

use super::read::{Cucumber, place};
use super::step::{Phase, Steps};
use crate::reports::parse::document::headline;
use crate::reports::parse::input::{Value, timestamp};
use crate::reports::parse::model::{Outcome, ParsedCase};
use crate::reports::parse::output::Halt;
use crate::reports::parse::words::{exception_kind, first_line};

impl<R: BufRead> Cucumber<'_, R> {
    /// Reads one element; whether it was a scenario.
    pub(super) fn element(&mut self) -> Result<bool, Halt> {
        self.doc.json.peek()?;
        let report_line = self.doc.json.line();
        if !self.doc.enter_object("elements[]")? {
            return Ok(false);
        }
        let mut case = ParsedCase {
            report_line,
            attempt: 1,
            ..ParsedCase::default()
        };
        let mut steps = Steps::new(&self.doc);
        let (mut is_background, mut status) = (false, None);
        while let Some(key) = self.doc.json.next_key()? {
            match key.as_str() {
                "name" => case.name = self.doc.text("name")?.unwrap_or_default(),
                "line" => case.line = self.doc.value("line")?.whole(),
                "location" => {
                    self.behave = true;
                    let location = self.doc.text("location")?.unwrap_or_default();
                    let (file, line) = place(&location);
                    case.file = Some(file.to_owned());
                    case.line = line;
                }
                "type" => is_background = self.doc.text("type")?.as_deref() == Some("background"),
                "status" => status = self.doc.text("status")?,
                "start_timestamp" => {
                    case.started_at = self.doc.text(&key)?.and_then(|text| timestamp(&text));
                }
                "tags" => {
                    let tags = self.doc.value("tags")?;
                    self.doc.tags(&mut case, tags);
                }
                "steps" => self.steps(&mut steps, Phase::Body)?,
                "before" => self.steps(&mut steps, Phase::Before)?,
                "after" => self.steps(&mut steps, Phase::After)?,
                "description" => {
                    let text = self.doc.text(&key)?;
                    case.docstring = text.map(|text| text.trim().to_owned());
                }
                "keyword" => self.doc.json.skip_value()?,
                _ => {
                    let value: Value = self.doc.value(&key)?;
                    self.doc.extra(&mut case, &key, value);
                }
            }
        }
        if is_background {
            self.background = Some(steps).filter(Steps::began);
            return Ok(false);
        }
        let steps = match self.background.take() {
            Some(background) => background.then(steps, &mut self.doc.json.repairs),
            None => steps,
        };
        self.complete(&mut case, steps, status.as_deref());
        self.doc.put(case)?;
        Ok(true)
    }

    fn complete(&mut self, case: &mut ParsedCase, mut steps: Steps, status: Option<&str>) {
        case.outcome = match status {
            Some(status) => steps.outcome().max(outcome_of_behave(status)),
            None => steps.outcome(),
        };
        // The words of a step that was skipped only because another failed say nothing of the scenario.
        if case.outcome == Outcome::Passed && steps.outcome() == Outcome::Skipped {
            case.outcome = Outcome::Skipped;
        }
        case.duration_ms = steps.duration_ms(self.behave);
        if let Some(message) = steps.message.take() {
            let told = headline(&message);
            let told = if told.is_empty() { &message } else { told };
            case.message = Some(self.doc.shorten(told.to_owned()));
        } else if matches!(case.outcome, Outcome::Failed | Outcome::Error) {
            let status = status.unwrap_or("failed");
            case.message = Some(format!("the scenario ended as `{status}`"));
        }
        if matches!(case.outcome, Outcome::Failed | Outcome::Error) {
            case.kind = case
                .message
                .as_deref()
                .and_then(|message| exception_kind(first_line(message)));
        }
        if let Some(step) = steps.culprit.take() {
            case.extra.push(("failed step".to_owned(), step));
        }
        let (trace, stdout, listing) = steps.texts();
        case.trace = trace;
        case.stdout = stdout;
        if let Some(listing) = listing {
            case.extra
                .push(("steps".to_owned(), self.doc.shorten(listing.value)));
        }
        case.extra.append(&mut steps.extra);
        case.extra.truncate(self.doc.out.limits.properties);
    }
}

/// What behave says of a scenario as a whole.
fn outcome_of_behave(status: &str) -> Outcome {
    match status {
        "failed" => Outcome::Failed,
        "error" | "hook_error" | "cleanup_error" | "undefined" => Outcome::Error,
        "skipped" | "pending" | "pending_warn" => Outcome::Skipped,
        "xfailed" => Outcome::KnownIssue,
        "passed" | "xpassed" => Outcome::Passed,
        _ => Outcome::NotRun,
    }
}
