//! States as a sign, a word and a tone: each of the first two is enough alone.

use testhide_protocol::api::{AgentMode, BuildState, RootCause, StepState, VerdictKind};

use crate::paint::Tone;

/// How a state looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) sign: &'static str,
    pub(crate) word: &'static str,
    pub(crate) tone: Tone,
}

const fn word(sign: &'static str, word: &'static str, tone: Tone) -> Word {
    Word { sign, word, tone }
}

/// The state of a build or an attempt.
pub(crate) fn build_state(state: BuildState) -> Word {
    match state {
        BuildState::Queued => word("·", "waiting", Tone::Warning),
        BuildState::Running => word("»", "running", Tone::Busy),
        BuildState::Passed => word("✓", "passed", Tone::Good),
        BuildState::Failed => word("✗", "failed", Tone::Bad),
        BuildState::Cancelled => word("-", "cancelled", Tone::Quiet),
        BuildState::TimedOut => word("!", "timed out", Tone::Bad),
        BuildState::InfraLost => word("?", "agent lost", Tone::Warning),
    }
}

/// The state of a step.
pub(crate) fn step_state(state: StepState) -> Word {
    match state {
        StepState::Pending => word("·", "to come", Tone::Quiet),
        StepState::Running => word("»", "running", Tone::Busy),
        StepState::Passed => word("✓", "passed", Tone::Good),
        StepState::Failed => word("✗", "failed", Tone::Bad),
        StepState::TimedOut => word("!", "timed out", Tone::Bad),
        StepState::Cancelled => word("-", "cancelled", Tone::Quiet),
        StepState::Skipped => word("~", "not begun", Tone::Quiet),
    }
}

/// The kind of a verdict.
pub(crate) fn verdict(kind: VerdictKind) -> Word {
    match kind {
        VerdictKind::New => word("✗", "NEW", Tone::Bad),
        VerdictKind::Flaky => word("~", "flaky", Tone::Warning),
        VerdictKind::Known => word("=", "known", Tone::Plain),
        VerdictKind::Fixed => word("✓", "fixed", Tone::Good),
    }
}

/// The state of an agent; words this program does not know are shown as `unknown`.
pub(crate) fn agent_state(state: &str, mode: AgentMode) -> Word {
    match (state, mode) {
        (_, AgentMode::Draining) => return word("~", "draining", Tone::Warning),
        (_, AgentMode::Disabled) => return word("x", "disabled", Tone::Bad),
        (_, AgentMode::Ready) => {}
    }
    match state {
        "online" => word("✓", "online", Tone::Good),
        "suspect" => word("!", "silent", Tone::Warning),
        "offline" => word("-", "offline", Tone::Bad),
        _ => word("?", "unknown", Tone::Warning),
    }
}

/// A root cause in one line.
pub(crate) fn root_cause(cause: &RootCause) -> String {
    let Some(category) = &cause.category else {
        return "not decided".to_owned();
    };
    let sure = cause
        .confidence
        .map(|share| format!(", {} sure", percent(share)))
        .unwrap_or_default();
    match cause.source.as_str() {
        "label" => format!("{category} (said by a person)"),
        "model" => format!("{category} (said by the model{sure})"),
        _ => category.clone(),
    }
}

fn percent(share: f32) -> String {
    format!("{:.0} %", share.clamp(0.0, 1.0) * 100.0)
}

/// `1 failure`, `2 failures`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let digits = count.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let ending = if count == 1 || noun.is_empty() {
        ""
    } else {
        "s"
    };
    format!("{grouped} {noun}{ending}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn counts_are_grouped_and_nouns_agree() {
        let check = |count, noun, expected: &str| assert_eq!(counted(count, noun), expected);
        check(1, "line", "1 line");
        check(0, "line", "0 lines");
        check(999, "line", "999 lines");
        check(1_234_567, "line", "1,234,567 lines");
        check(1_000, "", "1,000");
    }
}
