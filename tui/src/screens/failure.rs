//! One failure: the verdict with its reason and evidence, the cause, what looks alike, the message and the trace.

use testhide_protocol::api::{FailureVerdict, RunRef};

use super::common::nothing;
use crate::event::Failure;
use crate::model::Model;
use crate::paint::{Canvas, Part, Tone};
use crate::text::{plain, wrap_words};
use crate::words;

/// Similar failures listed: those that a digit can open.
const MAX_SIMILAR: usize = 9;
/// Lines shown of one captured text; the rest is in the report.
const MAX_LINES: usize = 2_000;

/// Draws the failure.
pub(crate) fn failure(model: &Model, canvas: &mut Canvas<'_>) {
    let Some(failure) = &model.failure.failure else {
        return nothing(model, canvas, model.failure.error.as_deref(), None);
    };
    let rows = document(failure, model, canvas.width());
    let top = model
        .failure
        .top
        .min(rows.len().saturating_sub(usize::from(canvas.height())));
    for (y, row) in (0..canvas.height()).zip(rows.iter().skip(top)) {
        canvas.parts(1, y, row);
    }
    if rows.len() > usize::from(canvas.height()) {
        let end = (top + usize::from(canvas.height())).min(rows.len());
        let (width, place) = (canvas.width(), format!(" {end}/{}", rows.len()));
        canvas.text_right(0, width, 0, &place, Tone::Quiet);
    }
}

/// Rows that the failure takes at this width; none while it is not there.
pub(crate) fn failure_rows(model: &Model, width: u16) -> usize {
    model
        .failure
        .failure
        .as_ref()
        .map_or(0, |failure| document(failure, model, width).len())
}

/// A document being written: rows of parts.
struct Document {
    rows: Vec<Vec<Part>>,
    columns: usize,
}

impl Document {
    fn row(&mut self, parts: Vec<Part>) {
        self.rows.push(parts);
    }

    /// A text from outside, its lines wrapped and indented.
    fn text(&mut self, indent: usize, text: &str, tone: Tone) {
        let mut lines = text.lines();
        for line in lines.by_ref().take(MAX_LINES) {
            for row in wrap_words(&plain(line), self.columns.saturating_sub(indent)) {
                self.row(vec![(format!("{}{row}", " ".repeat(indent)), tone)]);
            }
        }
        let left_out = lines.count() as u64;
        if left_out > 0 {
            let note = format!(
                "{}… {} not shown",
                " ".repeat(indent),
                words::counted(left_out, "more line")
            );
            self.row(vec![(note, Tone::Quiet)]);
        }
    }

    fn heading(&mut self, text: &str) {
        self.row(Vec::new());
        let rule = "─".repeat(self.columns.saturating_sub(text.chars().count() + 1));
        self.row(vec![
            (text.to_owned(), Tone::Strong),
            (format!(" {rule}"), Tone::Quiet),
        ]);
    }
}

fn document(failure: &Failure, model: &Model, width: u16) -> Vec<Vec<Part>> {
    let mut document = Document {
        rows: Vec::new(),
        columns: usize::from(width.saturating_sub(2)).max(1),
    };
    let Failure {
        verdict, result, ..
    } = failure;
    let kind = words::verdict(verdict.verdict.kind);
    document.row(vec![
        (format!("{} {}", kind.sign, kind.word), kind.tone),
        (format!("  {}", verdict.display_name), Tone::Strong),
    ]);
    document.text(0, &verdict.verdict.reason, Tone::Plain);
    let mut about = result.outcome.as_str().replace('_', " ");
    if let Some(millis) = result.duration_ms {
        about += &format!(" after {}", words::duration(millis));
    }
    if let Some(file) = &result.file {
        about += &format!(" · {file}");
        about += &result
            .line
            .map(|line| format!(":{line}"))
            .unwrap_or_default();
    }
    if result.attempts > 1 {
        about += &format!(" · {} attempts in the report", result.attempts);
    }
    document.text(0, &about, Tone::Quiet);
    evidence(&mut document, verdict);
    document.heading("ROOT CAUSE");
    document.text(1, &words::root_cause(&verdict.root_cause), Tone::Plain);
    document.text(1, &verdict.root_cause.reason, Tone::Quiet);
    document.heading("MESSAGE");
    let message = result.message.as_deref().unwrap_or(&verdict.message);
    if let Some(kind) = result
        .kind
        .as_deref()
        .filter(|kind| !message.starts_with(*kind))
    {
        document.text(1, kind, Tone::Bad);
    }
    match message {
        "" => document.text(1, "the report has no message", Tone::Quiet),
        message => document.text(1, message, Tone::Plain),
    }
    document.heading("SIMILAR FAILURES");
    similar(&mut document, verdict, model);
    document.heading("STACK TRACE");
    match result.trace.as_deref() {
        None | Some("") => document.text(1, "the report has none", Tone::Quiet),
        Some(trace) => document.text(1, trace, Tone::Plain),
    }
    for (name, text) in [
        ("STANDARD OUTPUT", &result.stdout),
        ("STANDARD ERROR", &result.stderr),
    ] {
        if let Some(text) = text.as_deref().filter(|text| !text.trim().is_empty()) {
            document.heading(name);
            document.text(1, text, Tone::Plain);
        }
    }
    document.rows
}

fn evidence(document: &mut Document, failure: &FailureVerdict) {
    let verdict = &failure.verdict;
    document.heading("EVIDENCE");
    if let Some(known) = &verdict.known_since {
        let times = words::counted(known.times, "failing run");
        document.text(
            1,
            &format!(
                "known since {}, {times} with this signature",
                run(&known.first)
            ),
            Tone::Plain,
        );
    }
    for pair in &verdict.flaky_pairs {
        let commit: String = pair.commit.chars().take(10).collect();
        let place = if commit.is_empty() {
            "in one report".to_owned()
        } else {
            format!("commit {commit}")
        };
        document.text(
            1,
            &format!("{place}: failed in {}", run(&pair.failed)),
            Tone::Plain,
        );
        document.text(
            1,
            &format!(
                "{}  passed in {}",
                " ".repeat(place.chars().count()),
                run(&pair.passed)
            ),
            Tone::Plain,
        );
    }
    if verdict.known_since.is_none() && verdict.flaky_pairs.is_empty() {
        document.text(1, "the verdict names no other run", Tone::Quiet);
    }
    document.text(1, &format!("said by {}", verdict.method), Tone::Quiet);
}

/// A run in words.
fn run(run: &RunRef) -> String {
    let build = match (run.build_number, run.attempt) {
        (Some(number), Some(attempt)) if attempt > 1 => {
            format!("build {number}, attempt {attempt}")
        }
        (Some(number), _) => format!("build {number}"),
        (None, _) => "a report without build".to_owned(),
    };
    format!("{build} ({})", words::moment(run.time))
}

fn similar(document: &mut Document, verdict: &FailureVerdict, model: &Model) {
    if verdict.similar.is_empty() {
        document.text(1, "none is like it", Tone::Quiet);
    }
    for (digit, other) in (1..).zip(verdict.similar.iter().take(MAX_SIMILAR)) {
        let alike = format!("{:>3.0} %", other.similarity.clamp(0.0, 1.0) * 100.0);
        let build = other
            .run
            .build_number
            .map(|number| format!(" · build {number}"))
            .unwrap_or_default();
        let label = other
            .label
            .as_deref()
            .map(|label| format!(" · {label}"))
            .unwrap_or_default();
        let age = words::age(other.run.time, model.now);
        document.row(vec![
            (format!(" {digit} "), Tone::Accent),
            (format!("{alike}  "), Tone::Plain),
            (other.display_name.clone(), Tone::Strong),
            (format!("{build} · {age}{label}"), Tone::Quiet),
        ]);
        let message = other.message.lines().next().unwrap_or_default();
        document.row(vec![(format!("          {message}"), Tone::Plain)]);
    }
    let left_out = verdict.similar.len().saturating_sub(MAX_SIMILAR) as u64;
    if left_out > 0 {
        document.text(
            1,
            &format!(
                "… and {}",
                words::counted(left_out, "more like it").trim_end_matches('s')
            ),
            Tone::Quiet,
        );
    }
}
