//! The set of terms of one block; pure.
//!
//! A log repeats itself, so most words of a block are there already. Finding that out here, in one table that is
//! reused from block to block, costs less than handing each word to the index.

use std::hash::{BuildHasher, RandomState};
use std::ops::Range;

use super::ansi::Stripped;
use super::tokenizer::{cut_run, fold, is_joinable, is_short, is_word, part_starts};

/// Stands for "this block holds a run that was cut". No text gives this term: it is no run.
pub(super) const LONG_RUN_TERM: &str = "\u{1}long";

/// Separates terms in [`TermSet::fill`]'s answer; no term contains it.
pub(super) const SEPARATOR: char = '\n';

/// Which bytes are ASCII letters and digits.
const ASCII_WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut byte = 0;
    while byte < 128 {
        word[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    word
};

const FREE: u32 = u32::MAX;
const SMALLEST_TABLE: usize = 1 << 10;
const LARGEST_FIRST_TABLE: usize = 1 << 16;
/// Places of the short memory for runs: few enough to stay in the processor's cache.
const SEEN: usize = 1 << 12;

/// Collects the terms of one block after the other.
pub struct TermSet {
    /// The terms found so far, each followed by [`SEPARATOR`].
    arena: Vec<u8>,
    entries: Vec<Entry>,
    /// Open addressing; a power of two long, at most half full.
    slots: Vec<u32>,
    /// Where in the text a run was last seen, by its hash. It spares most runs their folding and their parts.
    seen: Vec<Range<usize>>,
    /// Unknown to whoever writes a log, so that nobody can choose words that collide.
    seed: u64,
}

#[derive(Clone, Copy)]
struct Entry {
    start: usize,
    length: u32,
    hash: u32,
}

impl Default for TermSet {
    fn default() -> TermSet {
        TermSet::new()
    }
}

impl TermSet {
    /// An empty set.
    pub fn new() -> TermSet {
        let seed = RandomState::new().hash_one(0u8);
        TermSet {
            arena: Vec::new(),
            entries: Vec::new(),
            slots: Vec::new(),
            seen: Vec::new(),
            seed,
        }
    }

    /// Forgets the last block and collects the terms of `text`: each once, in order of appearance, each followed
    /// by a line feed.
    pub fn fill(&mut self, text: &str) -> &str {
        self.clear(text.len());
        self.collect(Stripped::new(text).text());
        std::str::from_utf8(&self.arena).expect("terms are whole pieces of a `str`")
    }

    fn clear(&mut self, text_length: usize) {
        self.arena.clear();
        self.entries.clear();
        self.seen.clear();
        self.seen.resize(SEEN, 0..0);
        let wanted = (text_length / 8).next_power_of_two();
        self.slots.clear();
        self.slots
            .resize(wanted.clamp(SMALLEST_TABLE, LARGEST_FIRST_TABLE), FREE);
    }

    fn collect(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut before = 0..0;
        let mut at = 0;
        while at < bytes.len() {
            let start = at;
            // Most text is ASCII: decode characters only where a run leaves it.
            while at < bytes.len() && ASCII_WORD[bytes[at] as usize] {
                at += 1;
            }
            let ascii = at == bytes.len() || bytes[at].is_ascii();
            if !ascii {
                at = run_end(text, at);
            }
            if at == start {
                // A separator; a wide one is skipped whole.
                at += if ascii {
                    1
                } else {
                    text[start..].chars().next().map_or(1, char::len_utf8)
                };
                continue;
            }
            if !self.saw(bytes, start..at) {
                self.add_run(&text[start..at], ascii);
            }
            let joined = start > before.end
                && bytes[before.end..start] == *b"_"
                && is_joinable(&text[before.clone()])
                && is_joinable(&text[start..at]);
            if joined && !self.saw(bytes, before.start..at) {
                self.add(&text[before.start..at], false);
            }
            before = start..at;
        }
    }

    /// Whether exactly this was seen lately in this text; remembers it.
    fn saw(&mut self, text: &[u8], range: Range<usize>) -> bool {
        let slot = hash(self.seed, &text[range.clone()]) as usize & (SEEN - 1);
        let seen = std::mem::replace(&mut self.seen[slot], range.clone());
        text[seen] == text[range]
    }

    fn add_run(&mut self, run: &str, ascii: bool) {
        self.add(cut_run(run), ascii);
        if !is_short(run) {
            self.add(LONG_RUN_TERM, true);
            return;
        }
        let mut start = 0;
        for next in part_starts(run) {
            self.add(&run[start..next], ascii);
            start = next;
        }
        if start > 0 {
            self.add(&run[start..], ascii);
        }
    }

    /// Writes the folded term behind the last one and keeps it there if it is new.
    fn add(&mut self, term: &str, ascii: bool) {
        let start = self.arena.len();
        if ascii {
            self.arena.extend_from_slice(term.as_bytes());
            self.arena[start..].make_ascii_lowercase();
        } else {
            let mut utf8 = [0; 4];
            for c in term.chars() {
                self.arena
                    .extend_from_slice(fold(c).encode_utf8(&mut utf8).as_bytes());
            }
        }
        let length = self.arena.len() - start;
        let hash = hash(self.seed, &self.arena[start..]);
        let mask = self.slots.len() - 1;
        let mut slot = hash as usize & mask;
        while self.slots[slot] != FREE {
            let entry = self.entries[self.slots[slot] as usize];
            if entry.hash == (hash >> 32) as u32
                && entry.length as usize == length
                && self.arena[entry.start..entry.start + length] == self.arena[start..]
            {
                self.arena.truncate(start);
                return;
            }
            slot = (slot + 1) & mask;
        }
        self.slots[slot] = self.entries.len() as u32;
        self.entries.push(Entry {
            start,
            length: length as u32,
            hash: (hash >> 32) as u32,
        });
        self.arena.push(SEPARATOR as u8);
        if self.entries.len() * 2 > self.slots.len() {
            self.grow();
        }
    }

    fn grow(&mut self) {
        let size = self.slots.len() * 2;
        self.slots.clear();
        self.slots.resize(size, FREE);
        for (index, entry) in self.entries.iter().enumerate() {
            let term = &self.arena[entry.start..entry.start + entry.length as usize];
            let mut slot = hash(self.seed, term) as usize & (size - 1);
            while self.slots[slot] != FREE {
                slot = (slot + 1) & (size - 1);
            }
            self.slots[slot] = index as u32;
        }
    }
}

/// End of the run that goes on at `at`.
fn run_end(text: &str, at: usize) -> usize {
    text[at..]
        .char_indices()
        .find(|&(_, c)| !is_word(c))
        .map_or(text.len(), |(length, _)| at + length)
}

fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = seed ^ bytes.len() as u64;
    let mut words = bytes.chunks_exact(8);
    for word in &mut words {
        state = mix(state ^ u64::from_le_bytes(word.try_into().expect("chunks of eight bytes")));
    }
    let mut last = [0; 8];
    last[..words.remainder().len()].copy_from_slice(words.remainder());
    mix(state ^ u64::from_le_bytes(last))
}

/// Multiplies into 128 bits and folds the halves, which spreads every input bit over the result.
fn mix(value: u64) -> u64 {
    let product = u128::from(value) * u128::from(0x9e37_79b9_7f4a_7c15_u64);
    product as u64 ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::index::fold_text;

    fn terms(text: &str) -> Vec<String> {
        TermSet::new()
            .fill(text)
            .lines()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn text_becomes_terms() {
        let check = |text: &str, expected: &[&str]| assert_eq!(terms(text), expected, "{text}");
        check("", &[]);
        check("src/app/Main.java", &["src", "app", "main", "java"]);
        check("placeOrder", &["placeorder", "place", "order"]);
        check("place_order place", &["place", "order", "place_order"]);
        check("a__b 1_c d-e", &["a", "b", "1", "c", "d", "e"]);
        check("\x1b[31mERROR\x1b[0m", &["error"]);
        check("3f2b8c1e 12ms", &["3f2b8c1e", "12ms"]);
        check("ÄrgerÜber…größe", &["ärgerüber", "ärger", "über", "größe"]);
    }

    #[test]
    fn a_huge_run_is_cut_and_marked() {
        let found = terms(&"xY1".repeat(1 << 19));
        assert_eq!(found, [&"xy1".repeat(22)[..64], LONG_RUN_TERM]);
    }

    #[test]
    fn a_set_that_grows_keeps_each_term_once() {
        let text: String = (0..100_000)
            .map(|number| format!("w{} ", number % 30_000))
            .collect();
        let mut set = TermSet::new();
        let found: Vec<&str> = set.fill(&text).lines().collect();
        let distinct: BTreeSet<&str> = found.iter().copied().collect();
        // Each run, and its parts: the letter and the number.
        assert_eq!(found.len(), distinct.len());
        assert_eq!(found.len(), 30_000 + 30_000 + 1);
    }

    proptest! {
        #[test]
        fn every_run_and_part_is_a_term(text in "(?s)[a-cA-C0-9_äÄſK \\-\n\\x1b]{0,40}|.{0,40}") {
            let found: BTreeSet<String> = terms(&text).into_iter().collect();
            let stripped = Stripped::new(&text);
            for run in stripped.text().split(|c| !is_word(c)).filter(|run| !run.is_empty()) {
                prop_assert!(found.contains(&fold_text(cut_run(run))));
                let starts: Vec<usize> = std::iter::once(0).chain(part_starts(run)).chain([run.len()]).collect();
                for part in starts.windows(2).filter(|_| is_short(run)) {
                    prop_assert!(found.contains(&fold_text(&run[part[0]..part[1]])));
                }
            }
        }
    }
}
