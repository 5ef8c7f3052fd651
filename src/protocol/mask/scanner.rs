//! Finds secrets in a stream that comes in pieces: the plain reading, and the others as they wake.
//!
//! What it finds depends on the stream alone, not on how it was cut: where the end of a piece leaves open whether a reading wakes, the rest
//! waits for the next piece.

use super::found::{Found, FoundList};
use super::glance::Glance;
use super::patterns::{BEGINNING, Patterns, StateID};
use super::reading::{PLANS, Reading};
use super::stage::{Unit, WRAPPED_LINE, is_of_base64};

/// How many bytes of the stream a form may be stretched over, as a multiple of its length: each of its characters in a colour of its own
/// (25 bytes a character). A reading that stretches further is given up, which bounds what is held back.
const MAX_STRETCH: usize = 32;

/// A search through one stream.
#[derive(Debug)]
pub(super) struct Scanner {
    plain: StateID,
    /// How many bytes of the stream were read.
    end: u64,
    /// Bytes after those, of which the first leaves open whether a reading wakes: fewer than a glance looks at.
    waiting: Vec<u8>,
    readings: Vec<Reading>,
    /// A bit for each reading that is awake.
    awake: u32,
    /// By reading: up to where it has read ahead without waking; an escape that begins before that is a part of another.
    read_ahead: [u64; PLANS.len()],
    /// How many characters of base64 the stream ends with, at most [`WRAPPED_LINE`].
    line_length: usize,
    /// The same without the carriage return that it ends with.
    line_length_before_return: usize,
    found: FoundList,
}

/// What became of the readings that may wake at a byte.
#[derive(Debug, PartialEq, Eq)]
enum Wake {
    /// All sleep on.
    None,
    /// Some are awake now.
    Some,
    /// The bytes that are there do not decide it.
    Unknown,
}

/// By byte: a bit for each reading that may wake at it.
static WAKES: [u32; 256] = wakes();

const fn wakes() -> [u32; 256] {
    let mut wakes = [0; 256];
    let mut plan = 0;
    while plan < PLANS.len() {
        let mut index = 0;
        while index < PLANS[plan].wakes_at.len() {
            wakes[PLANS[plan].wakes_at[index] as usize] |= 1 << plan;
            index += 1;
        }
        plan += 1;
    }
    wakes
}

impl Scanner {
    pub(super) fn new(patterns: &Patterns) -> Self {
        Self {
            plain: patterns.start(),
            end: 0,
            waiting: Vec::new(),
            readings: PLANS
                .iter()
                .map(|plan| Reading::new(plan, patterns))
                .collect(),
            awake: 0,
            read_ahead: [0; PLANS.len()],
            line_length: 0,
            line_length_before_return: 0,
            found: FoundList::default(),
        }
    }

    /// Reads the next piece of the stream.
    pub(super) fn scan(&mut self, piece: &[u8], patterns: &Patterns) {
        if self.waiting.is_empty() {
            let read = self.read(piece, false, patterns);
            self.waiting.extend_from_slice(&piece[read..]);
        } else {
            let mut piece = [self.waiting.as_slice(), piece].concat();
            let read = self.read(&piece, false, patterns);
            piece.drain(..read);
            self.waiting = piece;
        }
    }

    /// Ends the stream: reads what waits. Another may follow.
    pub(super) fn finish(&mut self, patterns: &Patterns) {
        let rest = std::mem::take(&mut self.waiting);
        self.read(&rest, true, patterns);
        for index in ones(self.awake) {
            self.readings[index].finish(patterns, &mut self.found);
        }
        self.awake = 0;
        self.plain = patterns.start();
        self.line_length = 0;
        self.line_length_before_return = 0;
    }

    /// Reads on as far as it is clear how, which `is_last` makes it everywhere; how many bytes that was.
    fn read(&mut self, piece: &[u8], is_last: bool, patterns: &Patterns) -> usize {
        let mut at = 0;
        while at < piece.len() {
            if self.awake == 0 {
                at = self.read_plainly(piece, at, patterns);
            }
            if at == piece.len() || self.wake(piece, at, is_last, patterns) == Wake::Unknown {
                break;
            }
            self.step(piece, at, patterns);
            at += 1;
        }
        self.line_length_before_return = match piece[..at].split_last() {
            Some((b'\r', before)) => self.line_length_after(before),
            Some(_) => 0,
            None => self.line_length_before_return,
        };
        self.line_length = self.line_length_after(&piece[..at]);
        at
    }

    /// Reads on while all other readings sleep; where one wakes or may. Most text is passed over without the automaton.
    fn read_plainly(&mut self, piece: &[u8], from: usize, patterns: &Patterns) -> usize {
        let begin = self.end - from as u64;
        let mut at = from;
        // The automaton looks at least at the beginning of what made it look.
        let mut look_until = from;
        while at < piece.len() {
            let depth = patterns.depth(self.plain);
            if depth < BEGINNING && at >= look_until && at - from >= depth {
                (at, look_until) = self.pass_over(piece, at - depth, at, patterns);
                self.end = begin + at as u64;
            }
            if WAKES[usize::from(piece[at])] != 0
                && self.wake(piece, at, false, patterns) != Wake::None
            {
                break;
            }
            self.plain = patterns.next(self.plain, piece[at]);
            at += 1;
            self.end += 1;
            self.add_match(patterns);
        }
        at
    }

    /// Passes over text in which no form begins and no reading wakes; where that ends, and up to where the automaton must look from there.
    /// No form that begins before `open` is open, and up to `at` it was seen already that no reading wakes. The plain reading's state is right
    /// again at the end.
    fn pass_over(
        &mut self,
        piece: &[u8],
        open: usize,
        at: usize,
        patterns: &Patterns,
    ) -> (usize, usize) {
        let mut place = open;
        let mut look = BEGINNING;
        for window in piece[open..].windows(BEGINNING + 1) {
            if patterns.may_begin([window[0], window[1], window[2], window[3]]) {
                break;
            }
            let may_wake = WAKES[usize::from(window[0])] != 0 && place >= at;
            if may_wake && (window[0] != b'\n' || self.is_after_long_line(piece, place)) {
                look = 1;
                break;
            }
            place += 1;
        }
        let place = place.max(at);
        // The bytes before may be the beginning of a form that goes on in another reading.
        self.plain = patterns.start();
        for &byte in &piece[open.max(place.saturating_sub(BEGINNING - 1))..place] {
            self.plain = patterns.next(self.plain, byte);
        }
        (place, place + look)
    }

    fn add_match(&mut self, patterns: &Patterns) {
        if let Some(matched) = patterns.longest_match(self.plain) {
            let start = self.end - matched.len as u64;
            self.found.add(Found::new(start, self.end, matched.secret));
        }
    }

    /// Reads one byte in all readings that are awake.
    fn step(&mut self, piece: &[u8], at: usize, patterns: &Patterns) {
        let unit = Unit {
            byte: piece[at],
            start: self.end,
            end: self.end + 1,
            is_literal: true,
            is_after_long_line: self.is_after_long_line(piece, at),
        };
        self.end += 1;
        self.plain = patterns.next(self.plain, unit.byte);
        self.add_match(patterns);
        let limit = (MAX_STRETCH * patterns.longest()) as u64;
        for index in ones(self.awake) {
            let reading = &mut self.readings[index];
            reading.feed(unit, patterns, &mut self.found);
            if reading.is_done(self.end, patterns)
                || self.end - reading.open_since(self.end, patterns) > limit
            {
                self.awake &= !(1 << index);
            }
        }
    }

    /// Wakes the readings that see something else at `at` than the plain one.
    fn wake(&mut self, piece: &[u8], at: usize, is_last: bool, patterns: &Patterns) -> Wake {
        let byte = piece[at];
        let is_after = self.is_after_long_line(piece, at);
        let mut wake = Wake::None;
        for index in ones(WAKES[usize::from(byte)] & !self.awake) {
            if self.end < self.read_ahead[index] {
                continue;
            }
            let plan = &PLANS[index];
            let outer = plan.goes_on_from;
            let outer = outer.filter(|outer| self.awake & (1 << outer) != 0);
            let state = outer.map_or(self.plain, |outer| self.readings[outer].state());
            match plan.glance(&piece[at..], is_after, state, patterns) {
                Glance::Sleep(read) => {
                    self.read_ahead[index] = self.end + read as u64;
                    continue;
                }
                Glance::Unknown if !is_last => return Wake::Unknown,
                Glance::Unknown | Glance::Wake => {}
            }
            if let Some(outer) = outer {
                let (before, rest) = self.readings.split_at_mut(index);
                rest[0].wake_from(&before[outer]);
            } else {
                self.readings[index].wake(self.plain, self.end);
            }
            self.awake |= 1 << index;
            wake = Wake::Some;
        }
        wake
    }

    /// Whether at `at` a line may end that is one of a wrapped text: by the stream alone, not by how it is read.
    fn is_after_long_line(&self, piece: &[u8], at: usize) -> bool {
        if !matches!(piece[at], b'\r' | b'\n' | b'\\') {
            return false;
        }
        let length = match piece[..at].split_last() {
            Some((b'\r', before)) => self.line_length_after(before),
            Some(_) => self.line_length_after(&piece[..at]),
            None => self.line_length.max(self.line_length_before_return),
        };
        length >= WRAPPED_LINE
    }

    /// How many characters of base64 the stream ends with after `piece`, at most [`WRAPPED_LINE`].
    fn line_length_after(&self, piece: &[u8]) -> usize {
        let last = piece.iter().rev().take(WRAPPED_LINE);
        let count = last.take_while(|byte| is_of_base64(**byte)).count();
        if count == piece.len() {
            WRAPPED_LINE.min(count + self.line_length)
        } else {
            count
        }
    }

    /// Where the first place is at which a secret may begin that was not found yet.
    pub(super) fn open_since(&self, patterns: &Patterns) -> u64 {
        let plain = self.end - patterns.depth(self.plain) as u64;
        let awake = ones(self.awake).map(|index| &self.readings[index]);
        awake
            .map(|reading| reading.open_since(self.end, patterns))
            .fold(plain, u64::min)
    }

    /// What was found and not taken yet, first to last.
    pub(super) fn found(&self) -> &[Found] {
        self.found.as_slice()
    }

    /// Forgets the first `count` of what was found.
    pub(super) fn forget_found(&mut self, count: usize) {
        self.found.remove_first(count);
    }
}

/// Places of the ones in `bits`.
fn ones(mut bits: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let index = bits.trailing_zeros() as usize;
        bits &= bits.wrapping_sub(1);
        (index < 32).then_some(index)
    })
}
