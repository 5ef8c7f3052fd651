//! The list of builds, newest first. Below it, what there is to say of the selected one.

use testhide_protocol::api::{Build, BuildState};

use super::common::{first_row, mark_selected, nothing};
use crate::model::Model;
use crate::paint::{Canvas, Tone};
use crate::words;

/// Where the columns of the list begin.
struct Columns {
    job: u16,
    branch: u16,
    age: u16,
    took: u16,
    note: u16,
}

impl Columns {
    fn of(width: u16) -> Self {
        let job = 21;
        let branch = job + 14 + width.saturating_sub(80) / 4;
        let age = branch + 11 + width.saturating_sub(80) / 5;
        Self {
            job,
            branch,
            age,
            took: age + 5,
            note: age + 12,
        }
    }
}

/// Draws the list of builds.
pub(crate) fn builds(model: &Model, canvas: &mut Canvas<'_>) {
    let shown = model.builds.shown();
    let width = canvas.width();
    if !model.builds.filter.is_empty() {
        let known = words::counted(model.builds.known.len() as u64, "loaded build");
        let text = format!(
            "filter {} · {} of {known}",
            model.builds.filter,
            shown.len()
        );
        let height = canvas.height();
        canvas.text(1, height.saturating_sub(1), width, &text, Tone::Warning);
    }
    if shown.is_empty() {
        let empty = if !model.builds.filter.is_empty() {
            Some("No loaded build fits the filter. esc drops it.")
        } else if model.builds.loaded {
            Some("No builds yet. They appear here as soon as a job is triggered.")
        } else {
            None
        };
        return nothing(model, canvas, model.builds.error.as_deref(), empty);
    }
    let columns = Columns::of(width);
    let tone = Tone::Quiet;
    canvas.text(2, 0, 12, "STATE", tone);
    canvas.text_right(13, columns.job - 1, 0, "BUILD", tone);
    canvas.text(columns.job, 0, 14, "JOB", tone);
    canvas.text(columns.branch, 0, 10, "BRANCH", tone);
    canvas.text_right(columns.age, columns.took - 1, 0, "AGE", tone);
    canvas.text_right(columns.took, columns.note - 1, 0, "TOOK", tone);
    canvas.text(columns.note, 0, width, "NOTE", tone);
    let detail = if canvas.height() >= 10 { 3 } else { 0 };
    let filter = u16::from(!model.builds.filter.is_empty());
    let height = canvas.height().saturating_sub(1 + detail + filter);
    let cursor = model.builds.cursor(&shown);
    let first = first_row(cursor, shown.len(), height);
    let mut list = canvas.rows(1, height);
    for (y, (index, build)) in (0..height).zip(shown.iter().enumerate().skip(first)) {
        row(model, &mut list, y, &columns, build);
        if index == cursor {
            mark_selected(&mut list, y);
        }
    }
    if detail > 0 {
        about(&mut canvas.rows(1 + height, detail), shown[cursor]);
    }
}

fn row(model: &Model, canvas: &mut Canvas<'_>, y: u16, columns: &Columns, build: &Build) {
    let state = words::build_state(build.status);
    canvas.text(2, y, 2, state.sign, state.tone);
    canvas.text(4, y, 10, state.word, state.tone);
    canvas.text_right(
        13,
        columns.job - 1,
        y,
        &build.build_number.to_string(),
        Tone::Strong,
    );
    canvas.text(
        columns.job,
        y,
        columns.branch - columns.job - 1,
        &build.job_name,
        Tone::Plain,
    );
    canvas.text(
        columns.branch,
        y,
        columns.age - columns.branch - 1,
        &build.branch,
        Tone::Plain,
    );
    canvas.text_right(
        columns.age,
        columns.took - 1,
        y,
        &words::age(build.queued_at, model.now),
        Tone::Quiet,
    );
    let took = words::took(build, model.now);
    // What did not begin yet took no time: its reason may have that room.
    let note_at = if took.is_some() {
        columns.note
    } else {
        columns.took + 1
    };
    canvas.text_right(
        columns.took,
        columns.note - 1,
        y,
        &took.unwrap_or_default(),
        Tone::Plain,
    );
    let (note, tone) = note(build);
    // The state says `waiting` already.
    let note = note.strip_prefix("waits ").unwrap_or(&note);
    let width = canvas.width();
    canvas.text(note_at, y, width.saturating_sub(note_at), note, tone);
}

/// The most important thing to say of a build: whether its colour is to be believed, what failed, else why it ended or waits, else what passed.
fn note(build: &Build) -> (String, Tone) {
    let (note, tone) = note_of_results(build);
    match build.findings.as_slice() {
        [] => (note, tone),
        [finding, more @ ..] => {
            let kind = finding.kind.as_str();
            let more = if more.is_empty() {
                String::new()
            } else {
                format!(" +{}", more.len())
            };
            let tone = if tone == Tone::Bad {
                tone
            } else {
                Tone::Warning
            };
            (format!("! {kind}{more} {note}").trim_end().to_owned(), tone)
        }
    }
}

fn note_of_results(build: &Build) -> (String, Tone) {
    let tps = &build.tps;
    let mut parts = Vec::new();
    for (names, word) in [
        (&tps.new_failures, "new"),
        (&tps.flaky_tests, "flaky"),
        (&tps.known_failures, "known"),
        (&tps.fixed, "fixed"),
    ] {
        // What was fixed is news only where nothing fails.
        if !names.is_empty() && (word != "fixed" || parts.is_empty()) {
            parts.push(format!("{} {word}", names.len()));
        }
    }
    if build.tests.failed > 0
        && tps.new_failures.is_empty()
        && tps.known_failures.is_empty()
        && tps.flaky_tests.is_empty()
    {
        parts.insert(
            0,
            format!("{} failed", words::counted(build.tests.failed, "")),
        );
    }
    if !parts.is_empty() {
        let tone = if tps.new_failures.is_empty() {
            Tone::Warning
        } else {
            Tone::Bad
        };
        return (parts.join(" "), tone);
    }
    match (&build.reason, build.status) {
        (Some(reason), _) => (reason.clone(), Tone::Plain),
        (None, BuildState::Running) => {
            let agent = build.agent_name.as_deref();
            (
                agent.map(|name| format!("on {name}")).unwrap_or_default(),
                Tone::Quiet,
            )
        }
        (None, BuildState::Queued) => ("waits for an agent".to_owned(), Tone::Plain),
        (None, _) if build.tests.passed > 0 => {
            (words::counted(build.tests.passed, "test"), Tone::Quiet)
        }
        _ => (String::new(), Tone::Plain),
    }
}

/// Two lines about the selected build, below a rule.
fn about(canvas: &mut Canvas<'_>, build: &Build) {
    let width = canvas.width();
    super::common::heading(canvas, 0, &format!("build {}", build.build_number));
    let commit = build
        .commit
        .as_deref()
        .map(|commit| commit.chars().take(10).collect::<String>());
    let mut about = format!("{} on {}", build.job_name, build.branch);
    if let Some(commit) = commit {
        about += &format!(" at {commit}");
    }
    about += &format!(", by {}", build.triggered_by);
    if build.attempt > 1 {
        about += &format!(", attempt {}", build.attempt);
    }
    if let Some(agent) = &build.agent_name {
        about += &format!(", on {agent}");
    }
    canvas.text(1, 1, width.saturating_sub(2), &about, Tone::Plain);
    let (note, tone) = match (
        build.findings.first(),
        &build.tps.probable_cause,
        &build.reason,
    ) {
        (Some(finding), ..) => (
            format!("{}: {}", finding.kind.as_str(), finding.message),
            Tone::Warning,
        ),
        (None, Some(cause), _) => (format!("probable cause: {cause}"), Tone::Plain),
        (None, None, Some(reason)) => (reason.clone(), Tone::Plain),
        (None, None, None) => note(build),
    };
    canvas.text(1, 2, width.saturating_sub(2), &note, tone);
}
