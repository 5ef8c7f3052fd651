//! Readings: ways to read the stream with something undone, each walking through the automaton beside the plain reading.
//!
//! A reading that has nothing to undo sees nothing that the plain one does not, so it sleeps. It wakes at an escape, from the plain
//! reading's state, and sleeps again once all that may still become a form lies behind the escape. So ordinary text costs the same,
//! whatever the number of readings, and a form may be plain at its beginning and escaped at its end.

use super::escape::Escaping;
use super::found::{Found, FoundList};
use super::glance::{self, Glance};
use super::patterns::{Patterns, StateID};
use super::stage::{Ansi, Stage, Unit, Unwrap};
use std::collections::VecDeque;

/// What a reading does with the bytes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Undo {
    /// See [`Stage::Invisible`].
    Invisible,
    /// See [`Stage::Unwrap`].
    Wraps,
    /// See [`Stage::Unescape`].
    Escapes(Escaping),
}

/// A reading: what it undoes, first to last, and where it wakes.
#[derive(Debug)]
pub(super) struct Plan {
    undo: &'static [Undo],
    /// Bytes that may wake it.
    pub(super) wakes_at: &'static [u8],
    /// Number of the reading that undoes the first part of the same, and from whose state it wakes if that is awake.
    pub(super) goes_on_from: Option<usize>,
    /// Of a reading with two layers: what the first must say for the second to have something to undo.
    needs: &'static [u8],
    /// What readings need that go on from this one.
    inner: &'static [u8],
}

/// A reading that others may go on from when it reads one of `inner`.
const fn outer(undo: &'static [Undo], wakes_at: &'static [u8], inner: &'static [u8]) -> Plan {
    Plan {
        undo,
        wakes_at,
        goes_on_from: None,
        needs: b"",
        inner,
    }
}

/// A reading with two layers of which the first is the reading `outer`. While the second has nothing to undo, both are the same.
const fn inner(
    undo: &'static [Undo],
    wakes_at: &'static [u8],
    outer: usize,
    needs: &'static [u8],
) -> Plan {
    Plan {
        undo,
        wakes_at,
        goes_on_from: Some(outer),
        needs,
        inner: b"",
    }
}

/// Places in [`PLANS`] of readings that others go on from.
const INVISIBLE: usize = 0;
const PERCENT: usize = 2;
const FORM: usize = 3;
const BACKSLASH: usize = 4;

/// Bytes at which something begins that is not seen.
const UNSEEN: &[u8] = b"\x1b\0\r";

const BY_PERCENT: Undo = Undo::Escapes(Escaping::Percent);
const BY_FORM: Undo = Undo::Escapes(Escaping::Form);
const BY_BACKSLASH: Undo = Undo::Escapes(Escaping::Backslash);

/// All readings beside the plain one. Those with two layers are what logs are full of: coloured JSON, JSON that holds coloured or
/// wrapped text, JSON within JSON, and URLs within URLs.
pub(super) const PLANS: &[Plan] = &[
    outer(&[Undo::Invisible], UNSEEN, b"\\"),
    outer(&[Undo::Wraps], b"\r\n", b""),
    outer(&[BY_PERCENT], b"%", b"%"),
    outer(&[BY_FORM], b"%+", b"\\"),
    outer(&[BY_BACKSLASH], b"\\", b"\x1b\0\r\n\\"),
    outer(&[Undo::Escapes(Escaping::ShellQuote)], b"'", b""),
    outer(&[Undo::Escapes(Escaping::DoubledSingleQuote)], b"'", b""),
    outer(&[Undo::Escapes(Escaping::DoubledDoubleQuote)], b"\"", b""),
    outer(&[Undo::Escapes(Escaping::Entity)], b"&", b""),
    inner(&[Undo::Invisible, BY_BACKSLASH], b"\\", INVISIBLE, b""),
    inner(&[BY_BACKSLASH, Undo::Invisible], b"\\", BACKSLASH, UNSEEN),
    inner(&[BY_BACKSLASH, Undo::Wraps], b"\\", BACKSLASH, b"\r\n"),
    inner(&[BY_BACKSLASH, BY_BACKSLASH], b"\\", BACKSLASH, b"\\"),
    inner(&[BY_FORM, BY_BACKSLASH], b"%", FORM, b"\\"),
    inner(&[BY_PERCENT, BY_PERCENT], b"%", PERCENT, b"%"),
];

impl Plan {
    /// Whether the reading sees something at the beginning of `ahead` that the plain one, which comes there in `state`, doesn't.
    pub(super) fn glance(
        &self,
        ahead: &[u8],
        is_after_long_line: bool,
        state: StateID,
        patterns: &Patterns,
    ) -> Glance {
        let mut can_tell_more = ahead.len() < glance::FARTHEST;
        let mut ahead = &ahead[..ahead.len().min(glance::FARTHEST)];
        if let [Undo::Invisible, _] = self.undo
            && let Some(unseen) = ahead.iter().position(|byte| UNSEEN.contains(byte))
        {
            // From the first byte on that the first layer leaves out, only the reading itself knows.
            ahead = &ahead[..unseen];
            can_tell_more = false;
        }
        let glance = match *self.undo {
            [Undo::Invisible] => glance::at_invisible(b"", self.inner, ahead, state, patterns),
            [Undo::Wraps] if !is_after_long_line => Glance::Sleep(1),
            [Undo::Wraps] => glance::at_invisible(b"\r\n \t", b"", ahead, state, patterns),
            [Undo::Escapes(escaping)] | [Undo::Invisible, Undo::Escapes(escaping)] => {
                glance::at_escapes(escaping, self.inner, ahead, state, patterns)
            }
            [Undo::Escapes(escaping), _] => glance::at_inner(escaping, self.needs, ahead),
            _ => Glance::Wake,
        };
        match glance {
            Glance::Unknown if !can_tell_more => Glance::Wake,
            glance => glance,
        }
    }
}

/// The state of one reading.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    undo: &'static [Undo],
    stages: Vec<Stage>,
    state: StateID,
    /// Where it woke: before that, it had read the stream's own bytes.
    woke_at: u64,
    /// Where the bytes were read from that it read since, as far back as the state's depth.
    starts: VecDeque<u64>,
    /// Since where all bytes that it read are the stream's own, one after the other.
    literal_since: u64,
    /// End of what it read.
    read_to: u64,
    /// What a stage says, kept for its memory only.
    units: [Vec<Unit>; 2],
}

impl Reading {
    pub(super) fn new(plan: &Plan, patterns: &Patterns) -> Self {
        Self {
            undo: plan.undo,
            stages: Vec::new(),
            state: patterns.start(),
            woke_at: 0,
            starts: VecDeque::new(),
            literal_since: 0,
            read_to: 0,
            units: [Vec::new(), Vec::new()],
        }
    }

    /// Begins at `at`, where the plain reading is in `state`.
    pub(super) fn wake(&mut self, state: StateID, at: u64) {
        self.stages.clear();
        self.stages
            .extend(self.undo.iter().map(|undo| stage(*undo)));
        self.state = state;
        self.woke_at = at;
        self.starts.clear();
        self.literal_since = 0;
        self.read_to = at;
    }

    /// Goes on from another reading that undoes the first part of the same.
    pub(super) fn wake_from(&mut self, other: &Self) {
        self.stages.clone_from(&other.stages);
        let rest = &self.undo[other.undo.len()..];
        self.stages.extend(rest.iter().map(|undo| stage(*undo)));
        self.state = other.state;
        self.woke_at = other.woke_at;
        self.starts.clone_from(&other.starts);
        self.literal_since = other.literal_since;
        self.read_to = other.read_to;
    }

    pub(super) fn state(&self) -> StateID {
        self.state
    }

    /// Reads the next byte of the stream.
    pub(super) fn feed(&mut self, unit: Unit, patterns: &Patterns, found: &mut FoundList) {
        let [mut fed, mut said] = std::mem::take(&mut self.units);
        fed.clear();
        fed.push(unit);
        for stage in &mut self.stages {
            said.clear();
            for unit in &fed {
                stage.feed(*unit, &mut said);
            }
            std::mem::swap(&mut fed, &mut said);
        }
        for unit in &fed {
            self.read(*unit, patterns, found);
        }
        self.units = [fed, said];
    }

    /// Reads what its stages kept back; nothing follows.
    pub(super) fn finish(&mut self, patterns: &Patterns, found: &mut FoundList) {
        let [mut fed, mut said] = std::mem::take(&mut self.units);
        fed.clear();
        for stage in &mut self.stages {
            said.clear();
            for unit in &fed {
                stage.feed(*unit, &mut said);
            }
            stage.finish(&mut said);
            std::mem::swap(&mut fed, &mut said);
        }
        for unit in &fed {
            self.read(*unit, patterns, found);
        }
    }

    fn read(&mut self, unit: Unit, patterns: &Patterns, found: &mut FoundList) {
        if !unit.is_literal {
            self.literal_since = unit.end;
        } else if unit.start != self.read_to {
            self.literal_since = unit.start;
        }
        self.read_to = unit.end;
        self.starts.push_back(unit.start);
        self.state = patterns.next(self.state, unit.byte);
        if let Some(matched) = patterns.longest_match(self.state) {
            let start = self.start_of_last(matched.len);
            found.add(Found::new(start, unit.end, matched.secret));
        }
        let depth = patterns.depth(self.state);
        if depth <= self.starts.len() {
            self.starts.drain(..self.starts.len() - depth);
        }
    }

    /// Where the last `count` bytes that it read begin in the stream. They're part of a form that it is in, or was a byte ago.
    fn start_of_last(&self, count: usize) -> u64 {
        match self.starts.len().checked_sub(count) {
            Some(index) => self.starts.get(index).copied().unwrap_or(self.read_to),
            None => self.woke_at - (count - self.starts.len()) as u64,
        }
    }

    /// Where the first place is at which a secret may begin that it has not found yet; `end` is how far the stream was read.
    pub(super) fn open_since(&self, end: u64, patterns: &Patterns) -> u64 {
        let pending = self.stages.iter().filter_map(Stage::pending_start).min();
        let open = match patterns.depth(self.state) {
            0 => end,
            depth => self.start_of_last(depth),
        };
        open.min(pending.unwrap_or(end))
    }

    /// Whether it may sleep: all that may still become a form are the stream's own bytes, so that the plain reading sees it too.
    pub(super) fn is_done(&self, end: u64, patterns: &Patterns) -> bool {
        let depth = patterns.depth(self.state) as u64;
        let is_literal = self.read_to == end && end - self.literal_since >= depth;
        (depth == 0 || is_literal) && self.stages.iter().all(Stage::is_at_rest)
    }
}

fn stage(undo: Undo) -> Stage {
    match undo {
        Undo::Invisible => Stage::Invisible(Ansi::Text),
        Undo::Wraps => Stage::Unwrap(Unwrap::new()),
        Undo::Escapes(escaping) => Stage::unescape(escaping),
    }
}
