//! The automaton that searches for all forms of all secrets at once, and what its states mean.
//!
//! The crate `aho-corasick` builds the automaton and steps through it. Its own searches report a match once it is complete; masking must know too
//! how much of the end of the text may still become one, so the states are walked here one byte at a time and each knows its depth.

use aho_corasick::automaton::Automaton;
use aho_corasick::nfa::contiguous::NFA;
use aho_corasick::{Anchored, MatchKind, PatternID};

pub(super) use aho_corasick::automaton::StateID;

/// States up to this many bytes from the start are tables of all bytes; ordinary text seldom leaves them. Measured: with 3 the
/// tables of 50 secrets no longer fit into a core's cache.
const DENSE_DEPTH: usize = 2;

/// How many first bytes of a form [`Patterns::may_begin`] looks at.
pub(super) const BEGINNING: usize = 3;

/// Bits of [`Patterns::beginnings`]: 8 KiB stay in the fastest cache. 50 secrets have some thousand forms, so that one in seventy
/// places of other text is looked at in vain.
const BEGINNING_BITS: usize = 1 << 16;

/// Forms of secrets as an automaton.
#[derive(Debug)]
pub(super) struct Patterns {
    nfa: NFA,
    /// By hash of the first [`BEGINNING`] bytes: whether a form may begin so.
    beginnings: Box<[u64; BEGINNING_BITS / 64]>,
    start: StateID,
    /// By state: how many bytes of the text's end are the beginning of a form, at most.
    depths: Vec<u32>,
    /// By pattern: whose form it is.
    secrets: Vec<u32>,
    longest: usize,
}

/// A form that ends here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) secret: u32,
    pub(super) len: usize,
}

impl Patterns {
    /// Builds the automaton of `forms`: each of at least [`BEGINNING`] bytes, with the number of
    /// its secret. The first of equal forms counts.
    pub(super) fn new(mut forms: Vec<(Vec<u8>, u32)>) -> Self {
        forms.sort();
        forms.dedup_by(|later, first| later.0 == first.0);
        let nfa = NFA::builder()
            .match_kind(MatchKind::Standard)
            .prefilter(false)
            .dense_depth(DENSE_DEPTH)
            .build(forms.iter().map(|(form, _)| form))
            .expect("limits of secrets keep the automaton far below its own");
        let start = nfa
            .start_state(Anchored::No)
            .expect("this kind of automaton can start anywhere");
        let mut beginnings = Box::new([0; BEGINNING_BITS / 64]);
        for (form, _) in &forms {
            let bit = hash([form[0], form[1], form[2], 0]);
            beginnings[bit / 64] |= 1 << (bit % 64);
        }
        let mut patterns = Self {
            nfa,
            beginnings,
            start,
            depths: Vec::new(),
            secrets: forms.iter().map(|(_, secret)| *secret).collect(),
            longest: forms.iter().map(|(form, _)| form.len()).max().unwrap_or(0),
        };
        for (form, _) in &forms {
            patterns.walk(form);
        }
        patterns
    }

    /// Notes the depth of each state on the way through a form: it is the longest beginning of a form there, namely all of it.
    fn walk(&mut self, form: &[u8]) {
        let mut state = self.start;
        for (depth, &byte) in (1..).zip(form) {
            state = self.next(state, byte);
            let index = state.as_usize();
            if self.depths.len() <= index {
                self.depths.resize(index + 1, 0);
            }
            self.depths[index] = depth;
        }
    }

    pub(super) fn start(&self) -> StateID {
        self.start
    }

    /// How long the longest form is.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// Whether a form may begin with the first [`BEGINNING`] bytes of `text`. Seldom true where none does, never false where one does.
    #[inline]
    pub(super) fn may_begin(&self, text: [u8; BEGINNING + 1]) -> bool {
        let bit = hash(text);
        self.beginnings[bit / 64] & (1 << (bit % 64)) != 0
    }

    #[inline]
    pub(super) fn next(&self, state: StateID, byte: u8) -> StateID {
        self.nfa.next_state(Anchored::No, state, byte)
    }

    #[inline]
    pub(super) fn is_match(&self, state: StateID) -> bool {
        self.nfa.is_match(state)
    }

    /// The longest form that ends at a state.
    pub(super) fn longest_match(&self, state: StateID) -> Option<Match> {
        // A state lists its own form first, then those of shorter and shorter ends of it.
        self.is_match(state).then(|| {
            let pattern: PatternID = self.nfa.match_pattern(state, 0);
            Match {
                secret: self.secrets[pattern.as_usize()],
                len: self.nfa.pattern_len(pattern),
            }
        })
    }

    /// How many bytes before a state are the beginning of a form.
    pub(super) fn depth(&self, state: StateID) -> usize {
        let depth = self.depths.get(state.as_usize());
        depth.map_or(0, |depth| *depth as usize)
    }

    /// Bytes of memory.
    pub(super) fn memory(&self) -> usize {
        self.nfa.memory_usage() + 4 * (self.depths.capacity() + self.secrets.capacity())
    }
}

/// Fibonacci hashing of the first three bytes.
#[inline]
fn hash(text: [u8; BEGINNING + 1]) -> usize {
    let number = u32::from_le_bytes(text) << 8;
    (number.wrapping_mul(0x9e37_79b1) >> 16) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn states_know_their_depth_and_the_longest_match(
            forms in proptest::collection::vec(proptest::collection::vec(b'a'..b'd', 3..6), 1..12),
            text in proptest::collection::vec(b'a'..b'd', 0..40),
        ) {
            let patterns = Patterns::new(forms.iter().cloned().zip(0..).collect());
            for form in &forms {
                prop_assert!(patterns.may_begin([form[0], form[1], form[2], 7]));
            }
            let mut state = patterns.start();
            for end in 0..=text.len() {
                let ends = |form: &&Vec<u8>| text[..end].ends_with(form);
                let longest = forms.iter().filter(ends).map(Vec::len).max();
                prop_assert_eq!(patterns.longest_match(state).map(|found| found.len), longest);
                if let Some(found) = patterns.longest_match(state) {
                    prop_assert!(ends(&&forms[found.secret as usize]));
                }
                let begins = |len: &usize| forms.iter().any(|form| form.starts_with(&text[end - len..end]));
                prop_assert_eq!(patterns.depth(state), (0..=end).rev().find(begins).unwrap_or(0));
                if let Some(&byte) = text.get(end) {
                    state = patterns.next(state, byte);
                }
            }
        }
    }
}
