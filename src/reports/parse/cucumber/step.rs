//! Steps and hooks: their worst status is that of the scenario, the first bad one tells why.

use std::io::{BufRead, Read};

use super::read::{Cucumber, place};
use crate::reports::parse::document::Document;
use crate::reports::parse::input::{Piece, Text, TextBuilder, Value, float_ms, from_base64};
use crate::reports::parse::model::Outcome;
use crate::reports::parse::output::Halt;
use crate::reports::parse::warnings::Repairs;

/// Where a step stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// A hook before the scenario.
    Before,
    /// A step of the scenario, or a hook among the steps.
    Body,
    /// A hook after the scenario.
    After,
}

/// What the steps of a scenario come to.
pub(super) struct Steps {
    outcome: Option<Outcome>,
    /// In the unit of the tool.
    duration: f64,
    /// What the first bad step says.
    pub(super) message: Option<String>,
    /// That step.
    pub(super) culprit: Option<String>,
    trace: TextBuilder,
    stdout: TextBuilder,
    listing: TextBuilder,
    pub(super) extra: Vec<(String, String)>,
}

impl Steps {
    pub(super) fn new<R: Read>(doc: &Document<'_, R>) -> Self {
        Self {
            outcome: None,
            duration: 0.0,
            message: None,
            culprit: None,
            trace: TextBuilder::new(doc.out.limits.text_bytes),
            stdout: TextBuilder::new(doc.out.limits.text_bytes),
            listing: TextBuilder::new(doc.out.limits.attribute_bytes),
            extra: Vec::new(),
        }
    }

    /// Failed before broken before skipped before passed; a scenario of which nothing ran did not run.
    pub(super) fn outcome(&self) -> Outcome {
        self.outcome.unwrap_or(Outcome::NotRun)
    }

    /// Whether any of them began; behave lists the steps of a background without results.
    pub(super) fn began(&self) -> bool {
        !matches!(self.outcome, None | Some(Outcome::NotRun))
    }

    /// Cucumber counts nanoseconds, behave seconds.
    pub(super) fn duration_ms(&self, seconds: bool) -> Option<u64> {
        let ms = if seconds {
            self.duration * 1e3
        } else {
            self.duration / 1e6
        };
        self.outcome.and_then(|_| float_ms(ms))
    }

    /// Trace, output and the list of all steps.
    pub(super) fn texts(&mut self) -> (Option<Text>, Option<Text>, Option<Text>) {
        let text = |builder: &mut TextBuilder| {
            Some(builder.finish()).filter(|text| !text.value.trim().is_empty())
        };
        (
            text(&mut self.trace),
            text(&mut self.stdout),
            text(&mut self.listing),
        )
    }

    /// These steps, and then those.
    pub(super) fn then(mut self, mut next: Self, repairs: &mut Repairs) -> Self {
        self.add(next.outcome);
        self.duration += next.duration;
        self.message = self.message.or(next.message.take());
        self.culprit = self.culprit.or(next.culprit.take());
        for (builder, other) in [
            (&mut self.trace, &mut next.trace),
            (&mut self.stdout, &mut next.stdout),
            (&mut self.listing, &mut next.listing),
        ] {
            append(builder, &other.finish().value, repairs);
        }
        self.extra.append(&mut next.extra);
        self
    }

    fn add(&mut self, outcome: Option<Outcome>) {
        let rank = |outcome: &Outcome| match outcome {
            Outcome::Passed => 0,
            Outcome::NotRun => 1,
            Outcome::KnownIssue => 2,
            Outcome::Skipped => 3,
            Outcome::Error => 4,
            Outcome::Failed => 5,
        };
        self.outcome = self.outcome.into_iter().chain(outcome).max_by_key(rank);
    }
}

/// What a status means; unknown ones are told by the caller.
fn outcome_of(status: &str, phase: Phase, hidden: bool) -> Option<Outcome> {
    Some(match status {
        "passed" | "xpassed" => Outcome::Passed,
        // A hook is around the test, not the test.
        "failed" if phase != Phase::Body || hidden => Outcome::Error,
        "failed" => Outcome::Failed,
        "undefined" | "ambiguous" | "error" | "hook_error" | "cleanup_error" | "unknown" => {
            Outcome::Error
        }
        "pending" | "pending_warn" | "skipped" => Outcome::Skipped,
        "xfailed" => Outcome::KnownIssue,
        "untested" | "untested_pending" | "untested_undefined" | "unused" => Outcome::NotRun,
        _ => return None,
    })
}

impl<R: BufRead> Cucumber<'_, R> {
    /// Reads a list of steps or hooks.
    pub(super) fn steps(&mut self, steps: &mut Steps, phase: Phase) -> Result<(), Halt> {
        if !self.doc.enter_array("steps")? {
            return Ok(());
        }
        while self.doc.json.next_item()? {
            let line = self.doc.json.line();
            let step = self.doc.value("steps")?;
            self.step(steps, &step, phase, line);
        }
        Ok(())
    }

    fn step(&mut self, steps: &mut Steps, step: &Value, phase: Phase, line: u64) {
        let text = |value: Option<&Value>| {
            value
                .filter(|value| !value.is_blank())
                .map(|value| value.clone().into_text())
                .unwrap_or_default()
        };
        if step.get("location").is_some() {
            self.behave = true;
        }
        let hidden = step.get("hidden") == Some(&Value::Bool(true));
        let keyword = text(step.get("keyword"));
        let (keyword, name) = (keyword.trim(), text(step.get("name")));
        let hook = match phase {
            Phase::Before => "Before",
            Phase::After => "After",
            Phase::Body => "",
        };
        let title = [hook, keyword, name.as_str()]
            .into_iter()
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        let result = step.get("result");
        let status = text(result.and_then(|result| result.get("status"))).to_ascii_lowercase();
        if let Some(duration) = result
            .and_then(|result| result.get("duration"))
            .and_then(Value::number)
            .filter(|duration| duration.is_finite())
        {
            steps.duration += duration;
        }
        let outcome = outcome_of(&status, phase, hidden);
        if outcome.is_none() && !status.is_empty() {
            self.doc
                .out
                .warn(line, "unknown_status", "took it as broken", || {
                    format!("the status of a step is `{status}`")
                });
        }
        let outcome = match outcome {
            None if status.is_empty() => Some(Outcome::NotRun),
            None => Some(Outcome::Error),
            known => known,
        };
        steps.add(outcome);
        let shown = if status.is_empty() {
            "untested"
        } else {
            &status
        };
        append(
            &mut steps.listing,
            &format!("{title}: {shown}{}", arguments(step)),
            &mut self.doc.json.repairs,
        );
        self.told(steps, result, &title, &status, outcome);
        self.output(steps, step);
        // Step hooks of cucumber-jvm.
        for (name, phase) in [("before", Phase::Before), ("after", Phase::After)] {
            for hook in step
                .get(name)
                .cloned()
                .into_iter()
                .flat_map(Value::into_items)
            {
                if hook.get("before").is_none() && hook.get("after").is_none() {
                    self.step(steps, &hook, phase, line);
                }
            }
        }
    }

    /// Keeps what a bad step says.
    fn told(
        &mut self,
        steps: &mut Steps,
        result: Option<&Value>,
        title: &str,
        status: &str,
        outcome: Option<Outcome>,
    ) {
        let error = result
            .and_then(|result| result.get("error_message"))
            .filter(|error| !error.is_blank())
            .cloned()
            .and_then(|error| self.doc.long(error));
        let bad = matches!(outcome, Some(Outcome::Failed | Outcome::Error));
        let says = bad || status == "pending" || (status == "skipped" && error.is_some());
        if says && (steps.culprit.is_none() || (bad && steps.message.is_none())) {
            let fallback = || format!("{status}: {title}");
            steps.message = Some(
                error
                    .as_ref()
                    .map_or_else(fallback, |text| text.value.clone()),
            );
            if bad {
                steps.culprit = Some(self.doc.shorten(title.to_owned()));
            }
        }
        if let Some(error) = error {
            let told = format!("{title}\n{}", error.value);
            append(&mut steps.trace, &told, &mut self.doc.json.repairs);
        }
    }

    /// Keeps output and embeddings: logs and texts as output, what else there is by its name and size.
    fn output(&mut self, steps: &mut Steps, step: &Value) {
        for line in step
            .get("output")
            .cloned()
            .into_iter()
            .flat_map(Value::into_items)
        {
            append(
                &mut steps.stdout,
                &line.into_text(),
                &mut self.doc.json.repairs,
            );
        }
        for embedding in step
            .get("embeddings")
            .cloned()
            .into_iter()
            .flat_map(Value::into_items)
        {
            let text = |name: &str| embedding.get(name).and_then(Value::as_str);
            let data = text("data").unwrap_or_default();
            let kind = text("mime_type")
                .or_else(|| {
                    let media = embedding.get("media")?;
                    media.get("type").and_then(Value::as_str)
                })
                .unwrap_or("unknown type");
            if kind.starts_with("text/") {
                // Older versions write texts as they are, newer ones in base64.
                let decoded = from_base64(data)
                    .filter(|_| data.len() % 4 == 0)
                    .and_then(|bytes| String::from_utf8(bytes).ok());
                let kept = decoded.as_deref().unwrap_or(data);
                append(&mut steps.stdout, kept, &mut self.doc.json.repairs);
            } else if self.doc.has_room(&steps.extra) {
                let name = text("name").unwrap_or("embedding");
                let kept = self
                    .doc
                    .shorten(format!("{kind}, {} bytes of base64", data.len()));
                steps.extra.push((format!("embedding: {name}"), kept));
            }
        }
    }
}

/// Doc strings and tables of a step.
fn arguments(step: &Value) -> String {
    let mut told = String::new();
    for name in ["doc_string", "rows", "arguments", "text", "table"] {
        if let Some(value) = step.get(name).filter(|value| !value.is_blank()) {
            told.push_str(&format!(" {}", value.clone().into_text()));
        }
    }
    if let Some(location) = step
        .get("match")
        .and_then(|found| found.get("location"))
        .and_then(Value::as_str)
        .filter(|location| !place(location).0.is_empty())
    {
        told.push_str(&format!("  # {location}"));
    }
    told
}

fn append(builder: &mut TextBuilder, text: &str, repairs: &mut Repairs) {
    if text.is_empty() {
        return;
    }
    if !builder.is_empty() {
        builder.push_str("\n", Piece::Plain, repairs);
    }
    builder.push_str(text, Piece::Plain, repairs);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses() {
        let check = |status: &str, phase: Phase, expected: Option<Outcome>| {
            assert_eq!(outcome_of(status, phase, false), expected, "{status}");
        };
        check("passed", Phase::Body, Some(Outcome::Passed));
        check("failed", Phase::Body, Some(Outcome::Failed));
        check("failed", Phase::After, Some(Outcome::Error));
        check("undefined", Phase::Body, Some(Outcome::Error));
        check("ambiguous", Phase::Body, Some(Outcome::Error));
        check("pending", Phase::Body, Some(Outcome::Skipped));
        check("untested", Phase::Body, Some(Outcome::NotRun));
        check("odd", Phase::Body, None);
    }
}
