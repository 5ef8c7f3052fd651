//! A glance ahead: whether a reading would see anything that the plain one does not, before it is woken.
//!
//! Most escapes in ordinary text stand in no secret. A few steps of the automaton show it: once all that may still become a form
//! lies behind the escape, the plain reading sees it too. Where the piece ends before that is clear, the scanner waits for more.

use super::escape::{Escaping, LONGEST_ESCAPE, Step};
use super::patterns::{Patterns, StateID};
use super::stage::Ansi;

/// How far a glance goes. Ordinary text is clear after three or four bytes.
pub(super) const FARTHEST: usize = 48;

/// What a glance shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Glance {
    /// The reading must be woken.
    Wake,
    /// What is there does not decide it.
    Unknown,
    /// The reading may sleep; it would have read this many bytes by then, and its next escape begins after them.
    Sleep(usize),
}

/// Glances at what `ahead` is with its escapes undone, coming from `state`. Stops before any of `inner`, at which readings go on from this one.
pub(super) fn at_escapes(
    escaping: Escaping,
    inner: &[u8],
    ahead: &[u8],
    mut state: StateID,
    patterns: &Patterns,
) -> Glance {
    let (mut read, mut literal) = (0, 0);
    loop {
        match first_step(escaping, &ahead[read..]) {
            Step::More => return Glance::Unknown,
            Step::Literal if read == 0 => return Glance::Sleep(1),
            Step::Literal if inner.contains(&ahead[read]) => return Glance::Wake,
            Step::Literal => {
                state = patterns.next(state, ahead[read]);
                read += 1;
                literal += 1;
            }
            Step::Escape { len, bytes } => {
                for &byte in bytes.as_slice() {
                    if read > 0 && inner.contains(&byte) {
                        return Glance::Wake;
                    }
                    state = patterns.next(state, byte);
                }
                read += len;
                literal = 0;
            }
        }
        if patterns.is_match(state) {
            return Glance::Wake;
        }
        if patterns.depth(state) <= literal {
            return Glance::Sleep(read);
        }
    }
}

/// Glances at the first escape only: a reading with two layers sees more than its first layer once the first says one of `bytes`.
pub(super) fn at_inner(escaping: Escaping, bytes: &[u8], ahead: &[u8]) -> Glance {
    match first_step(escaping, ahead) {
        Step::More => Glance::Unknown,
        Step::Literal => Glance::Sleep(1),
        Step::Escape { bytes: said, .. } if bytes.contains(&said.as_slice()[0]) => Glance::Wake,
        Step::Escape { len, .. } => Glance::Sleep(len),
    }
}

fn first_step(escaping: Escaping, ahead: &[u8]) -> Step {
    let window = &ahead[..ahead.len().min(LONGEST_ESCAPE)];
    if window.is_empty() {
        Step::More
    } else {
        escaping.read(window)
    }
}

/// Glances at what `ahead` is without what is not seen, and without those of `blanks` that stand before the first other byte.
/// Stops before any of `inner`, at which readings go on from this one.
pub(super) fn at_invisible(
    blanks: &[u8],
    inner: &[u8],
    ahead: &[u8],
    mut state: StateID,
    patterns: &Patterns,
) -> Glance {
    if patterns.depth(state) == 0 {
        return Glance::Sleep(1);
    }
    let mut ansi = Ansi::Text;
    let mut literal = 0;
    let mut is_at_begin = true;
    for (read, &byte) in ahead.iter().enumerate() {
        let is_blank = is_at_begin && blanks.contains(&byte);
        if !ansi.shows(byte) || matches!(byte, 0 | b'\r') || is_blank {
            literal = 0;
            continue;
        }
        is_at_begin = false;
        if inner.contains(&byte) {
            return Glance::Wake;
        }
        state = patterns.next(state, byte);
        literal += 1;
        if patterns.is_match(state) {
            return Glance::Wake;
        }
        if patterns.depth(state) <= literal {
            return Glance::Sleep(read + 1);
        }
    }
    Glance::Unknown
}
