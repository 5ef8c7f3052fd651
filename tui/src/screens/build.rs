//! One build: what it is, its steps, its counts, and its failures with the verdict first.

use testhide_protocol::api::{
    Build, BuildState, FailureVerdict, FindingKind, StepResult, StepState,
};

use super::common::{first_row, heading, mark_selected, nothing};
use crate::model::Model;
use crate::paint::{Canvas, Part, Tone};
use crate::words;

/// Steps listed while failures need the room.
const FEW_STEPS: usize = 5;

/// Findings listed: one of each kind.
const FEW_FINDINGS: usize = 6;

/// Lines that one of them may take.
const LINES_OF_FINDING: usize = 2;

/// Draws the build.
pub(crate) fn build(model: &Model, canvas: &mut Canvas<'_>) {
    let Some(build) = &model.build.build else {
        return nothing(model, canvas, model.build.error.as_deref(), None);
    };
    let mut y = header(model, canvas, build);
    let failures = model
        .build
        .verdicts
        .as_ref()
        .is_some_and(|verdicts| !verdicts.failures.is_empty());
    y = steps(canvas, y, build, failures);
    y = findings(canvas, y, build);
    y = counts(canvas, y, build);
    let height = canvas.height().saturating_sub(y);
    self::failures(model, &mut canvas.rows(y, height), build);
}

/// Three lines: how it stands, what it is, why.
fn header(model: &Model, canvas: &mut Canvas<'_>, build: &Build) -> u16 {
    let state = words::build_state(build.status);
    let mut first: Vec<Part> = vec![(format!("{} {}", state.sign, state.word), state.tone)];
    if let Some(took) = words::took(build, model.now) {
        let preposition = if build.status.is_final() {
            "after"
        } else {
            "for"
        };
        first.push((format!(" {preposition} {took}"), Tone::Plain));
    } else if build.status == BuildState::Queued {
        first.push((
            format!(" for {}", words::age(build.queued_at, model.now)),
            Tone::Plain,
        ));
    }
    first.push((
        format!(" · {} on {}", build.job_name, build.branch),
        Tone::Strong,
    ));
    if let Some(commit) = &build.commit {
        first.push((
            format!(" at {}", commit.chars().take(10).collect::<String>()),
            Tone::Plain,
        ));
    }
    canvas.parts(1, 0, &first);
    let mut second = format!(
        "by {} at {}",
        build.triggered_by,
        words::moment(build.queued_at)
    );
    if let Some(agent) = &build.agent_name {
        second += &format!(" · on {agent}");
    }
    if build.attempt > 1 {
        second += &format!(" · attempt {}", build.attempt);
    }
    canvas.text(1, 1, canvas.width().saturating_sub(1), &second, Tone::Quiet);
    let mut y = 2;
    let width = canvas.width().saturating_sub(2);
    if let Some(reason) = &build.reason {
        canvas.text(1, y, width, reason, Tone::Warning);
        y += 1;
    }
    for attempt in build
        .attempts
        .iter()
        .filter(|attempt| attempt.attempt != build.attempt)
        .rev()
        .take(2)
    {
        let state = words::build_state(attempt.status);
        let reason = attempt
            .reason
            .as_deref()
            .map(|reason| format!(": {reason}"))
            .unwrap_or_default();
        let text = format!(
            "attempt {} {} {}{reason}",
            attempt.attempt, state.sign, state.word
        );
        canvas.text(1, y, width, &text, Tone::Plain);
        y += 1;
    }
    if let Some(cause) = &build.tps.probable_cause {
        canvas.text(
            1,
            y,
            width,
            &format!("probable cause: {cause}"),
            Tone::Plain,
        );
        y += 1;
    }
    if let Some(gates) = &build.gates {
        let (sign, word, tone) = if gates.passed {
            ("✓", "passed", Tone::Good)
        } else {
            ("✗", "failed", Tone::Bad)
        };
        let text = format!("{sign} gate {word}: {}", gates.message);
        canvas.text(1, y, width, &text, tone);
        y += 1;
    }
    if !build.parameters.is_empty() {
        let all: Vec<_> = build
            .parameters
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        canvas.text(1, y, width, &all.join(" "), Tone::Quiet);
        y += 1;
    }
    y
}

fn steps(canvas: &mut Canvas<'_>, y: u16, build: &Build, is_short: bool) -> u16 {
    heading(canvas, y, "STEPS");
    let mut y = y + 1;
    if build.steps.is_empty() {
        let text = if build.status == BuildState::Queued {
            "no step has begun"
        } else {
            "no steps are known"
        };
        canvas.text(2, y, canvas.width(), text, Tone::Quiet);
        return y + 1;
    }
    let room = if is_short {
        FEW_STEPS
    } else {
        usize::from(canvas.height().saturating_sub(y + 4)).max(FEW_STEPS)
    };
    let listed = listed(&build.steps, room);
    for step in &listed {
        one_step(canvas, y, step);
        y += 1;
    }
    let left_out = build.steps.len() - listed.len();
    if left_out > 0 {
        let text = format!("… and {}", words::counted(left_out as u64, "more step"));
        canvas.text(2, y, canvas.width(), &text, Tone::Quiet);
        y += 1;
    }
    y
}

/// The steps to list: those that went wrong or run come before those that need no look; shown in order.
fn listed(steps: &[StepResult], room: usize) -> Vec<&StepResult> {
    let mut by_interest: Vec<_> = steps.iter().collect();
    by_interest.sort_by_key(|step| match step.status {
        StepState::Failed | StepState::TimedOut => 0,
        StepState::Running | StepState::Cancelled => 1,
        StepState::Passed => 2,
        StepState::Pending | StepState::Skipped => 3,
    });
    by_interest.truncate(room);
    by_interest.sort_by_key(|step| step.index);
    by_interest
}

fn one_step(canvas: &mut Canvas<'_>, y: u16, step: &StepResult) {
    let state = words::step_state(step.status);
    canvas.text(2, y, 2, state.sign, state.tone);
    canvas.text(4, y, 9, state.word, state.tone);
    if let Some(millis) = step.duration_ms {
        canvas.text_right(14, 20, y, &words::duration(millis), Tone::Plain);
    }
    let x = canvas.text(
        22,
        y,
        canvas.width().saturating_sub(22),
        &step.name,
        Tone::Strong,
    );
    // The message names the exit code where there is one.
    let room = canvas.width().saturating_sub(x + 3);
    match (&step.message, step.exit_code.filter(|code| *code != 0)) {
        (Some(message), Some(_)) => canvas.text(x + 2, y, room, message, Tone::Bad),
        (Some(message), None) => canvas.text(x + 2, y, room, message, Tone::Plain),
        (None, Some(code)) => canvas.text(x + 2, y, room, &format!("exit code {code}"), Tone::Bad),
        (None, None) => x,
    };
}

/// What does not fit together, before the counts that it speaks of. Nothing where all does.
fn findings(canvas: &mut Canvas<'_>, y: u16, build: &Build) -> u16 {
    if build.findings.is_empty() {
        return y;
    }
    heading(canvas, y, "FINDINGS");
    let mut y = y + 1;
    let width = canvas.width().saturating_sub(3);
    for finding in build.findings.iter().take(FEW_FINDINGS) {
        let tone = match finding.kind {
            FindingKind::InconsistentExit => Tone::Bad,
            _ => Tone::Warning,
        };
        let text = format!("! {}: {}", finding.kind.as_str(), finding.message);
        let text = crate::text::plain(&text);
        let lines = crate::text::wrap_words(&text, usize::from(width.saturating_sub(2)));
        for (number, line) in lines.iter().take(LINES_OF_FINDING).enumerate() {
            canvas.text(if number == 0 { 2 } else { 4 }, y, width, line, tone);
            y += 1;
        }
    }
    let left_out = build.findings.len().saturating_sub(FEW_FINDINGS);
    if left_out > 0 {
        let text = format!("… and {}", words::counted(left_out as u64, "more finding"));
        canvas.text(2, y, width, &text, Tone::Quiet);
        y += 1;
    }
    y
}

fn counts(canvas: &mut Canvas<'_>, y: u16, build: &Build) -> u16 {
    let tests = &build.tests;
    heading(canvas, y, "TESTS");
    if tests.passed + tests.failed + tests.skipped == 0 {
        canvas.text(
            2,
            y + 1,
            canvas.width(),
            "no report was stored",
            Tone::Quiet,
        );
        return y + 2;
    }
    let mut parts: Vec<Part> = Vec::new();
    for (count, sign, word, tone) in [
        (tests.failed, "✗", "failed", Tone::Bad),
        (tests.flaky, "~", "flaky", Tone::Warning),
        (tests.passed, "✓", "passed", Tone::Good),
        (tests.skipped, "-", "skipped", Tone::Quiet),
    ] {
        let tone = if count == 0 { Tone::Quiet } else { tone };
        parts.push((
            format!("{sign} {} {word}   ", words::counted(count, "")),
            tone,
        ));
    }
    if !build.tps.fixed.is_empty() {
        parts.push((format!("✓ {} fixed", build.tps.fixed.len()), Tone::Good));
    }
    canvas.parts(2, y + 1, &parts);
    y + 2
}

fn failures(model: &Model, canvas: &mut Canvas<'_>, build: &Build) {
    let shown = model.build.shown();
    let mut title = "FAILURES".to_owned();
    if let Some(verdicts) = model
        .build
        .verdicts
        .as_ref()
        .filter(|verdicts| !verdicts.failures.is_empty())
    {
        if !model.build.filter.is_empty() {
            title += &format!(
                " · filter {} · {} of {}",
                model.build.filter,
                shown.len(),
                verdicts.failures.len()
            );
        }
        if !verdicts.complete {
            title += " · analysis goes on";
        }
    }
    heading(canvas, 0, &title);
    let width = canvas.width();
    if shown.is_empty() {
        let (text, tone) = no_failures(model, build);
        canvas.text(2, 1, width.saturating_sub(3), &text, tone);
        return;
    }
    let height = canvas.height().saturating_sub(1);
    let cursor = model.build.cursor(&shown);
    let first = first_row(cursor, shown.len(), height);
    let name_width = longest_name(&shown).min(width.saturating_sub(12) / 2);
    let mut list = canvas.rows(1, height);
    for (y, (index, failure)) in (0..height).zip(shown.iter().enumerate().skip(first)) {
        let verdict = words::verdict(failure.verdict.kind);
        list.text(2, y, 2, verdict.sign, verdict.tone);
        list.text(4, y, 6, verdict.word, verdict.tone);
        let message_at = 11 + name_width.max(20) + 1;
        list.text(
            10,
            y,
            message_at.saturating_sub(11),
            &failure.display_name,
            Tone::Strong,
        );
        let message = failure.message.lines().next().unwrap_or_default();
        list.text(
            message_at,
            y,
            width.saturating_sub(message_at),
            message,
            Tone::Plain,
        );
        if index == cursor {
            mark_selected(&mut list, y);
        }
    }
}

fn longest_name(shown: &[&FailureVerdict]) -> u16 {
    let longest = shown
        .iter()
        .map(|failure| crate::text::width(&crate::text::plain(&failure.display_name)))
        .max();
    u16::try_from(longest.unwrap_or(0)).unwrap_or(u16::MAX)
}

/// Why the list is empty, which is not always good news.
fn no_failures(model: &Model, build: &Build) -> (String, Tone) {
    if !model.build.filter.is_empty() {
        return (
            "no failure fits the filter; esc drops it".to_owned(),
            Tone::Plain,
        );
    }
    if let Some(error) = &model.build.verdicts_error {
        return (
            format!("! the verdicts could not be loaded: {error}"),
            Tone::Bad,
        );
    }
    let Some(verdicts) = &model.build.verdicts else {
        return ("… asking the server".to_owned(), Tone::Quiet);
    };
    let text = match (verdicts.complete, build.tests.failed, build.status) {
        (false, ..) => "the analysis of this build goes on",
        (true, 1.., _) => "the failed tests have no verdict",
        (true, 0, BuildState::Queued | BuildState::Running) => "none so far",
        (true, 0, BuildState::Failed) => "no test failed: the log (l) says why the build did",
        (true, 0, _) => "none",
    };
    (text.to_owned(), Tone::Plain)
}
