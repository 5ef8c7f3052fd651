//! Text that a line must contain, cut by the rules of the index.
//!
//! A literal consists of runs of letters and digits and of what separates them. A run whose two sides are known is a
//! whole run of the line, so the index has it as a term; at an open side it may be the beginning or the end of one.

use std::ops::Range;

use crate::index::{
    Candidates, MAX_RUN_CHARS, cut_run, fold, fold_text, is_joinable, is_word, part_starts,
};

/// Text that a line must contain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Literal {
    pub(super) text: String,
    /// Whether the line's run must start where the text starts.
    pub(super) starts: bool,
    /// Whether the line's run must end where the text ends.
    pub(super) ends: bool,
}

struct Run<'a> {
    text: &'a str,
    /// Byte offset in the literal.
    start: usize,
    /// Whether the line's run starts and ends with this one.
    closed: (bool, bool),
}

impl Literal {
    /// A word or phrase: whole words, or one part of a name.
    pub(super) fn whole(text: &str) -> Literal {
        Literal {
            text: normal_spaces(text),
            starts: true,
            ends: true,
        }
    }

    /// The beginning of a word or of a part of a name.
    pub(super) fn prefix(text: &str) -> Literal {
        Literal {
            text: text.to_owned(),
            starts: true,
            ends: false,
        }
    }

    /// Text anywhere.
    pub(super) fn anywhere(text: &str) -> Literal {
        Literal {
            text: text.to_owned(),
            starts: false,
            ends: false,
        }
    }

    /// Whether the text is one run: only then it may also be a part of the line's run.
    pub(super) fn is_one_run(&self) -> bool {
        self.text.chars().all(is_word)
    }

    /// Which blocks may hold a line with the text.
    pub(super) fn candidates(&self) -> Candidates {
        if self.is_one_run() && self.starts {
            return self.word_candidates();
        }
        let runs = self.runs();
        let mut strong = Vec::new();
        let mut weak = Vec::new();
        let mut joined = vec![false; runs.len()];
        for (index, pair) in runs.windows(2).enumerate() {
            let end = pair[1].start + pair[1].text.len();
            let between = &self.text[pair[0].start + pair[0].text.len()..pair[1].start];
            let known = pair
                .iter()
                .all(|run| run.closed == (true, true) && is_joinable(run.text));
            if between == "_" && known {
                strong.push(Candidates::Term(fold_text(&self.text[pair[0].start..end])));
                joined[index] = true;
                joined[index + 1] = true;
            }
        }
        for (run, joined) in runs.iter().zip(joined) {
            match run.closed {
                _ if joined => {}
                (true, true) => strong.push(Candidates::Term(fold_text(cut_run(run.text)))),
                (true, false) => strong.push(Candidates::Prefix(fold_text(cut_run(run.text)))),
                (false, true) => weak.push(Candidates::Suffix(fold_text(run.text))),
                (false, false) => weak.push(Candidates::Contains(fold_text(run.text))),
            }
        }
        // Looking inside of terms reads the whole dictionary; it is for literals that offer nothing else.
        Candidates::and(if strong.is_empty() { weak } else { strong })
    }

    /// A word is a whole run, or one part of a run, or the same parts in a row.
    fn word_candidates(&self) -> Candidates {
        let last = |text: &str| {
            let text = fold_text(cut_run(text));
            if self.ends {
                Candidates::Term(text)
            } else {
                Candidates::Prefix(text)
            }
        };
        let starts: Vec<usize> = part_starts(&self.text).collect();
        let Some(&last_start) = starts.last() else {
            return last(&self.text);
        };
        let mut parts = Vec::with_capacity(starts.len() + 1);
        let mut start = 0;
        for &next in &starts {
            parts.push(Candidates::Term(fold_text(&self.text[start..next])));
            start = next;
        }
        parts.push(last(&self.text[last_start..]));
        Candidates::or(vec![last(&self.text), Candidates::and(parts)])
    }

    /// Whether `line[start..end]`, which reads like the text, is an occurrence: the same characters, and runs that
    /// start and end where they must.
    pub(super) fn accepts(&self, line: &str, start: usize, end: usize) -> bool {
        let plain = |text: &str| -> String {
            text.chars()
                .filter(|c| !c.is_whitespace())
                .map(fold)
                .collect()
        };
        if plain(&line[start..end]) != plain(&self.text) {
            return false;
        }
        let begins_run = !joins(&line[..start], &line[start..]);
        let ends_run = !joins(&line[..end], &line[end..]);
        if (begins_run || !self.starts) && (ends_run || !self.ends) {
            return true;
        }
        self.starts && self.is_one_run() && self.is_part(line, start, end)
    }

    /// Whether the occurrence is a row of parts of the run around it: one part, or the text's own parts.
    fn is_part(&self, line: &str, start: usize, end: usize) -> bool {
        let Some(run) = run_around(line, start, end) else {
            return false;
        };
        let run_text = &line[run.clone()];
        if !is_joinable(run_text) {
            return false;
        }
        let starts: Vec<usize> = part_starts(run_text).map(|part| part + run.start).collect();
        let begins = start == run.start || starts.contains(&start);
        let finishes = !self.ends || end == run.end || starts.contains(&end);
        if !begins || !finishes {
            return false;
        }
        // Counted in characters: folding may change a character's length.
        let inner: Vec<usize> = starts
            .iter()
            .filter(|&&part| start < part && part < end)
            .map(|&part| line[start..part].chars().count())
            .collect();
        let own = part_starts(&self.text).map(|part| self.text[..part].chars().count());
        inner.is_empty() || own.eq(inner.iter().copied())
    }

    fn runs(&self) -> Vec<Run<'_>> {
        let text = self.text.as_str();
        let mut runs = Vec::new();
        let mut rest = 0;
        while let Some(found) = text[rest..].find(is_word) {
            let start = rest + found;
            let end = text[start..]
                .find(|c| !is_word(c))
                .map_or(text.len(), |length| start + length);
            let closed = (start > 0 || self.starts, end < text.len() || self.ends);
            runs.push(Run {
                text: &text[start..end],
                start,
                closed,
            });
            rest = end;
        }
        runs
    }
}

/// Whether a run goes over the border between two texts.
fn joins(before: &str, after: &str) -> bool {
    before.chars().next_back().is_some_and(is_word) && after.chars().next().is_some_and(is_word)
}

/// The run around `start..end`, unless it is longer than runs with parts are.
fn run_around(line: &str, start: usize, end: usize) -> Option<Range<usize>> {
    let limit = MAX_RUN_CHARS + 1;
    let before: Vec<usize> = line[..start]
        .char_indices()
        .rev()
        .take(limit)
        .take_while(|&(_, c)| is_word(c))
        .map(|(at, _)| at)
        .collect();
    let after: Vec<usize> = line[end..]
        .char_indices()
        .take(limit)
        .take_while(|&(_, c)| is_word(c))
        .map(|(at, c)| end + at + c.len_utf8())
        .collect();
    if before.len() == limit || after.len() == limit {
        return None;
    }
    Some(before.last().copied().unwrap_or(start)..after.last().copied().unwrap_or(end))
}

fn normal_spaces(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
