//! What is said of the run as a whole: its times, what it counts, and errors that belong to no test.

use std::sync::Arc;

use super::outcome::{is_failure_of_run, outcome_of};
use super::read::At;
use crate::reports::parse::fill::{OF_SUITE, append, row};
use crate::reports::parse::input::{Tag, Text, timestamp};
use crate::reports::parse::model::{Counts, Outcome, ParsedCase, SuiteInfo};
use crate::reports::parse::output::{Halt, Output};
use crate::reports::parse::words::first_line;

/// The run.
#[derive(Default)]
pub(super) struct Run {
    line: u64,
    name: String,
    hostname: Option<String>,
    outcome: String,
    pub(super) stdout: Option<Text>,
    pub(super) stderr: Option<Text>,
    /// Outcome of the message about the run that is being read.
    info: Option<String>,
    /// What the run says went wrong with it.
    errors: Option<Text>,
    /// The document has an end: what is not in it did not happen.
    pub(super) whole: bool,
    /// Results that only hold others.
    pub(super) parents: u64,
    /// Results that failed.
    pub(super) bad_rows: u64,
}

impl Run {
    pub(super) fn open(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) {
        let mut attributes = at.attributes(tag);
        self.line = at.line;
        self.name = attributes.take("name").unwrap_or_default();
        for (name, value) in attributes.rest() {
            at.keep_of_run(&name, value);
        }
    }

    pub(super) fn times(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) {
        let mut attributes = at.attributes(tag);
        let mut time = |name: &str| attributes.take(name).and_then(|text| timestamp(&text));
        let (start, finish) = (time("start"), time("finish"));
        let summary = &mut at.out.summary;
        summary.started_at = start.or(summary.started_at);
        summary.finished_at = finish.or(summary.finished_at);
    }

    pub(super) fn summary(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) {
        let mut attributes = at.attributes(tag);
        self.outcome = attributes.take("outcome").unwrap_or_default();
        if !self.outcome.is_empty() {
            at.keep_of_run("outcome", self.outcome.clone());
        }
    }

    /// The first result tells the host.
    pub(super) fn note_host(&mut self, extra: &[(String, String)]) {
        if self.hostname.is_none()
            && let Some((_, host)) = extra.iter().find(|(name, _)| name == "computerName")
        {
            self.hostname = Some(host.clone());
        }
    }

    pub(super) fn counters(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) {
        let (mut counts, mut executed) = (Counts::default(), None);
        let mut total = None;
        for (name, value) in at.attributes(tag).rest() {
            // Sums of hostile numbers must not overflow.
            let Some(count) = value.trim().parse::<u64>().ok().map(|n| n.min(1 << 40)) else {
                continue;
            };
            match (name.as_str(), outcome_of(&name)) {
                ("total", _) => total = Some(count),
                ("executed", _) => executed = Some(count),
                (_, Some(Outcome::Passed)) => counts.passed += count,
                (_, Some(Outcome::Failed)) => counts.failed += count,
                (_, Some(Outcome::Error)) => counts.error += count,
                (_, Some(Outcome::Skipped)) => counts.skipped += count,
                (_, Some(_)) => counts.not_run += count,
                _ => {}
            }
        }
        let Some(total) = total else { return };
        counts.total = total;
        // The test platform leaves skipped tests out of `notExecuted`.
        if let Some(executed) = executed {
            let left = total.saturating_sub(executed);
            counts.skipped = counts.skipped.max(left.saturating_sub(counts.not_run));
        }
        at.out.summary.declared = Some(counts);
    }

    pub(super) fn open_info(&mut self, at: &mut At<'_, '_>, tag: &Tag<'_>) {
        let outcome = at.attributes(tag).take("outcome");
        self.info = Some(outcome.unwrap_or_else(|| "Error".to_owned()));
    }

    pub(super) fn info_text(&mut self, at: &mut At<'_, '_>, text: Text) {
        let outcome = self.info.as_deref().unwrap_or("Error");
        let shown = first_line(&text.value).to_owned();
        at.keep_of_run(&format!("RunInfo {outcome}"), shown);
        if is_failure_of_run(outcome) {
            append(&mut self.errors, text, at.out.limits.text_bytes);
        }
    }

    pub(super) fn close_info(&mut self) {
        self.info = None;
    }

    /// Tells of the run, and makes a row for its own failure when no test shows any.
    pub(super) fn end(&mut self, out: &mut Output<'_>, assembly: &Arc<str>) -> Result<(), Halt> {
        out.summary.reporter = Some("vstest".to_owned());
        self.settle_counts(out);
        let failed = self.whole && is_failure_of_run(&self.outcome);
        let made = if self.bad_rows == 0 && (failed || self.errors.is_some()) {
            let trace = self.errors.take();
            let message = match &trace {
                Some(text) => first_line(&text.value).to_owned(),
                None => format!("the run ended as `{}`, and no test says why", self.outcome),
            };
            out.case_of_suite(ParsedCase {
                suite: assembly.clone(),
                classname: assembly.to_string(),
                name: OF_SUITE.to_owned(),
                outcome: Outcome::Error,
                message: Some(message),
                trace: trace.filter(|text| text.value.trim().contains('\n')),
                ..row(self.line.max(1))
            })
        } else {
            Ok(())
        };
        let length = out.summary.started_at.zip(out.summary.finished_at);
        out.suite(SuiteInfo {
            name: std::mem::take(&mut self.name).into(),
            hostname: self.hostname.take(),
            timestamp: out.summary.started_at,
            duration_ms: length.and_then(|(start, finish)| {
                let length = finish.as_millisecond() - start.as_millisecond();
                length.try_into().ok()
            }),
            declared: out.summary.declared,
            cases: out.summary.counts.total,
            stdout: self.stdout.take(),
            stderr: self.stderr.take(),
            ..SuiteInfo::default()
        });
        made
    }

    /// Some writers count a test of several data rows once more, beside its rows.
    fn settle_counts(&self, out: &mut Output<'_>) {
        let rows = out.summary.counts.total;
        if let Some(declared) = out.summary.declared
            && declared.total == rows.saturating_add(self.parents)
        {
            out.uncounted -= i64::try_from(self.parents).unwrap_or(0);
        }
    }
}
