//! States as sign, word and colour: never by colour alone. Pure.

use super::table::Cell;
use super::theme::{Colour, Theme};
use testhide_protocol::api::{BuildState, Outcome, StepState, VerdictKind};

/// Sign and word of a build's state.
pub(in crate::cli) fn state_sign(theme: &Theme, state: BuildState) -> Cell {
    let (sign, ascii, colour) = match state {
        BuildState::Queued => ("○", "o", Colour::Dim),
        BuildState::Running => ("●", "*", Colour::Blue),
        BuildState::Passed => ("✔", "+", Colour::Green),
        BuildState::Failed => ("✖", "x", Colour::Red),
        BuildState::Cancelled => ("⊘", "-", Colour::Yellow),
        BuildState::TimedOut => ("⧖", "t", Colour::Red),
        BuildState::InfraLost => ("⚡", "!", Colour::Yellow),
    };
    cell(theme, (sign, ascii), state.as_str(), colour)
}

/// Sign and word of a step's state.
pub(in crate::cli) fn step_sign(theme: &Theme, state: StepState) -> Cell {
    let (sign, ascii, colour) = match state {
        StepState::Pending => ("○", "o", Colour::Dim),
        StepState::Running => ("●", "*", Colour::Blue),
        StepState::Passed => ("✔", "+", Colour::Green),
        StepState::Failed => ("✖", "x", Colour::Red),
        StepState::TimedOut => ("⧖", "t", Colour::Red),
        StepState::Cancelled => ("⊘", "-", Colour::Yellow),
        StepState::Skipped => ("↷", ".", Colour::Dim),
    };
    cell(theme, (sign, ascii), state.as_str(), colour)
}

/// Sign and word of a test's outcome.
pub(in crate::cli) fn outcome_sign(theme: &Theme, outcome: Outcome) -> Cell {
    let (sign, ascii, colour) = match outcome {
        Outcome::Passed => ("✔", "+", Colour::Green),
        Outcome::Failed | Outcome::Error => ("✖", "x", Colour::Red),
        Outcome::Skipped => ("↷", ".", Colour::Dim),
        Outcome::KnownIssue => ("◆", "k", Colour::Yellow),
        Outcome::NotRun => ("○", "o", Colour::Dim),
    };
    cell(theme, (sign, ascii), outcome.as_str(), colour)
}

/// Sign and word of a gate, or of one of its rules.
pub(in crate::cli) fn gate_sign(theme: &Theme, passed: bool) -> Cell {
    if passed {
        cell(theme, ("✔", "+"), "passed", Colour::Green)
    } else {
        cell(theme, ("✖", "x"), "failed", Colour::Red)
    }
}

/// The verdict's word, loud.
pub(in crate::cli) fn verdict_sign(theme: &Theme, kind: VerdictKind) -> Cell {
    let (sign, ascii, colour) = match kind {
        VerdictKind::New => ("✖", "x", Colour::Red),
        VerdictKind::Flaky => ("≈", "~", Colour::Yellow),
        VerdictKind::Known => ("◆", "k", Colour::Blue),
        VerdictKind::Fixed => ("✔", "+", Colour::Green),
    };
    cell(theme, (sign, ascii), &kind.as_str().to_uppercase(), colour)
}

fn cell(theme: &Theme, (sign, ascii): (&str, &str), word: &str, colour: Colour) -> Cell {
    let sign = if theme.unicode { sign } else { ascii };
    Cell::new(&format!("{sign} {word}")).colour(colour)
}
