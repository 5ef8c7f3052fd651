//! What an agent may say of an attempt, judged by what it said before. Pure.
//!
//! An agent is believed about the work that it has, not about the impossible: a step that is not there, an end before the beginning, two
//! ends. Its clocks may be wrong by hours, so no time of day is refused; only a duration that cannot be is not believed.

use super::model::StepRecord;
use std::time::Duration;
use testhide_protocol::Timestamp;
use testhide_protocol::api::StepState;
use testhide_protocol::wire::{AttemptEnd, RecordBody};

/// Longest text that is kept of what an agent says in words, in bytes.
const MAX_WORDS: usize = 2000;

/// Most files that are kept of one attempt.
pub(super) const MAX_FILES: u32 = 100_000;

/// By how much a step may have lasted longer than the server has known its lease: the server's own clock may have been set back.
const CLOCK_PATIENCE: Duration = Duration::from_secs(10 * 60);

/// What is wrong with a journal record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It does not follow the one before.
    Order,
    /// What it says cannot have happened then.
    State,
    /// A value that cannot be one.
    Value,
    /// It does not fit the log.
    Log,
}

/// Whether `body` may come after what the steps have seen.
///
/// # Errors
/// What is wrong, in kind and in words.
pub(super) fn check(body: &RecordBody, steps: &[StepRecord]) -> Result<(), (Fault, String)> {
    let state = |what: String| Err((Fault::State, what));
    match body {
        RecordBody::SourceResolved { commit } => {
            let is_hash = (1..=64).contains(&commit.len())
                && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
            if is_hash {
                Ok(())
            } else {
                Err((Fault::Value, "the commit is not a hash".to_owned()))
            }
        }
        RecordBody::StepStarted { step, .. } => {
            let own = known(*step, steps)?;
            if is_over(own) || own.started_at.is_some() {
                return state(format!("step {step} began already"));
            }
            match steps.iter().position(is_running) {
                Some(other) => state(format!("step {step} begins while step {other} runs")),
                None => Ok(()),
            }
        }
        RecordBody::StepFinished { step, status, .. } => {
            let own = known(*step, steps)?;
            if matches!(status, StepState::Pending | StepState::Running) {
                return state(format!("step {step} cannot end as {}", status.as_str()));
            }
            if is_over(own) {
                return state(format!("step {step} ended already"));
            }
            let never_ran = matches!(status, StepState::Skipped | StepState::Cancelled);
            if own.started_at.is_none() && !never_ran {
                return state(format!("step {step} ends before it began"));
            }
            Ok(())
        }
        RecordBody::FailuresPrinted { step, .. } | RecordBody::File { step, .. } => {
            known(*step, steps).map(drop)
        }
        RecordBody::Ended { end, .. } => match steps.iter().position(|step| !is_over(step)) {
            Some(open) if *end == AttemptEnd::Passed => {
                state(format!("it passed although step {open} has not ended"))
            }
            _ => Ok(()),
        },
        RecordBody::Unknown => Ok(()),
    }
}

/// The step of that number.
///
/// # Errors
/// When there is none.
pub(super) fn known(step: u32, steps: &[StepRecord]) -> Result<&StepRecord, (Fault, String)> {
    let found = steps.get(step as usize);
    found.ok_or_else(|| (Fault::Value, format!("there is no step {step}")))
}

/// Whether a chunk of the log may belong to step `step`; what is said before the first step counts as step 0.
pub(super) fn is_step_of_log(step: u32, steps: &[StepRecord]) -> bool {
    step == 0 || (step as usize) < steps.len()
}

fn is_over(step: &StepRecord) -> bool {
    step.duration_ms.is_some()
}

fn is_running(step: &StepRecord) -> bool {
    step.started_at.is_some() && !is_over(step)
}

/// The duration of a step as it is kept, and why it is not the one that was said, if it is not: nothing lasts longer than the server has
/// known of the attempt.
pub(super) fn believed_duration(
    said: u64,
    claimed_at: Timestamp,
    now: Timestamp,
) -> (u64, Option<String>) {
    let known_for = now.millis_since(claimed_at).max(0).unsigned_abs();
    let patience = u64::try_from(CLOCK_PATIENCE.as_millis()).unwrap_or(u64::MAX);
    if said <= known_for.saturating_add(patience) {
        return (said, None);
    }
    let doubt = format!("a step of {said} ms in an attempt that began {known_for} ms ago");
    (known_for, Some(doubt))
}

/// An agent's words as they are kept: not too long, one line, and nothing in them that a terminal would obey.
pub fn words(text: &str) -> String {
    let mut kept = String::new();
    for c in text.chars() {
        let c = if c == '\n' || c == '\t' { ' ' } else { c };
        if kept.len() + c.len_utf8() > MAX_WORDS {
            break;
        }
        if !(c.is_control() || turns_text(c)) {
            kept.push(c);
        }
    }
    kept
}

/// Characters that are not seen and change how those around them are shown.
fn turns_text(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn steps(count: usize) -> Vec<StepRecord> {
        let pending = |number: usize| StepRecord {
            name: number.to_string(),
            state: StepState::Pending,
            exit_code: None,
            message: None,
            duration_ms: None,
            started_at: None,
        };
        (0..count).map(pending).collect()
    }

    fn started(step: u32) -> RecordBody {
        let time = Timestamp(0);
        RecordBody::StepStarted { step, time }
    }

    fn finished(step: u32, status: StepState) -> RecordBody {
        RecordBody::StepFinished {
            step,
            status,
            exit_code: None,
            message: None,
            duration_ms: 1,
        }
    }

    fn ended(end: AttemptEnd) -> RecordBody {
        RecordBody::Ended {
            end,
            message: None,
            log_bytes: 0,
        }
    }

    fn obey(body: &RecordBody, steps: &mut [StepRecord]) {
        match body {
            RecordBody::StepStarted { step, time } => {
                steps[*step as usize].started_at = Some(*time);
            }
            RecordBody::StepFinished { step, .. } => steps[*step as usize].duration_ms = Some(1),
            _ => {}
        }
    }

    #[test]
    fn what_follows_what() {
        use StepState::{Cancelled, Failed, Passed, Pending, Running, Skipped};
        let check = |before: &[RecordBody], next: &RecordBody, expected: Result<(), Fault>| {
            let mut steps = steps(3);
            for body in before {
                assert_eq!(check(body, &steps), Ok(()), "{body:?}");
                obey(body, &mut steps);
            }
            let answer = check(next, &steps).map_err(|(fault, _)| fault);
            assert_eq!(answer, expected, "{before:?} {next:?}");
        };
        let one = [started(0), finished(0, Passed)];
        check(&[], &started(0), Ok(()));
        check(&[], &started(2), Ok(()));
        check(&[], &started(3), Err(Fault::Value));
        check(&[], &finished(u32::MAX, Passed), Err(Fault::Value));
        check(&[started(0)], &started(0), Err(Fault::State));
        check(&[started(0)], &started(1), Err(Fault::State));
        check(&one, &started(0), Err(Fault::State));
        check(&one, &finished(0, Failed), Err(Fault::State));
        check(&one, &started(1), Ok(()));
        check(&[], &finished(0, Passed), Err(Fault::State));
        check(&[], &finished(0, Skipped), Ok(()));
        check(&[], &finished(0, Cancelled), Ok(()));
        check(&[started(0)], &finished(0, Running), Err(Fault::State));
        check(&[started(0)], &finished(0, Pending), Err(Fault::State));
        check(&one, &ended(AttemptEnd::Passed), Err(Fault::State));
        check(&one, &ended(AttemptEnd::Interrupted), Ok(()));
        check(&[started(0)], &ended(AttemptEnd::Cancelled), Ok(()));
        for commit in ["", "main", "4f2c\u{1b}[2J", &"a".repeat(65)] {
            let body = RecordBody::SourceResolved {
                commit: commit.to_owned(),
            };
            check(&[], &body, Err(Fault::Value));
        }
        let printed = RecordBody::FailuresPrinted {
            step: 9,
            failures: Vec::new(),
            more: 0,
        };
        check(&[], &printed, Err(Fault::Value));
    }

    #[test]
    fn a_duration_is_believed_within_what_the_server_knows() {
        let check = |said: u64, known_for: i64, expected| {
            let (kept, doubt) = believed_duration(said, Timestamp(5), Timestamp(5 + known_for));
            assert_eq!((kept, doubt.is_none()), expected, "{said} {known_for}");
        };
        check(0, 0, (0, true));
        check(600_000, 0, (600_000, true));
        check(600_001, 0, (0, false));
        check(600_001, 1, (600_001, true));
        check(u64::MAX, 7, (7, false));
        // A clock that was set back by a day.
        check(1, -86_400_000, (1, true));
    }

    proptest! {
        #[test]
        fn kept_words_are_short_and_plain(text in "(\\PC|[\\x00-\\x1f\u{202e}\u{9b}]){0,3000}") {
            let kept = words(&text);
            prop_assert!(kept.len() <= MAX_WORDS);
            prop_assert!(!kept.chars().any(|c| c.is_control() || turns_text(c)));
        }

        #[test]
        fn no_sequence_begins_or_ends_a_step_twice(moves in proptest::collection::vec((0u32..4, 0u8..6), 0..60)) {
            let all = [StepState::Passed, StepState::Failed, StepState::Skipped, StepState::Running, StepState::TimedOut];
            let mut steps = steps(3);
            let (mut begun, mut over) = ([0; 3], [0; 3]);
            for (step, what) in moves {
                let body = match what {
                    0 => started(step),
                    what => finished(step, all[usize::from(what) - 1]),
                };
                if check(&body, &steps).is_err() {
                    continue;
                }
                obey(&body, &mut steps);
                let counts = if what == 0 { &mut begun } else { &mut over };
                counts[step as usize] += 1;
                prop_assert!(steps.iter().filter(|step| is_running(step)).count() <= 1);
            }
            prop_assert!(begun.iter().chain(&over).all(|count| *count <= 1));
        }
    }
}
