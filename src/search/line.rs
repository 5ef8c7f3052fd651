//! A matching line as an answer shows it; pure.

use std::ops::Range;
use testhide_protocol::api::{SearchLine, Stream};

/// Characters of a line that are shown.
const MAX_SHOWN: usize = 1000;

/// Characters shown before the first match of a line that is longer.
const BEFORE: usize = 200;

/// The line with what is highlighted in it, cut to [`MAX_SHOWN`] characters around the first match.
pub(super) fn shown(
    number: u64,
    stream: Option<Stream>,
    line: &str,
    found: &[Range<usize>],
) -> SearchLine {
    let window = window(line, found.first().map_or(0, |first| first.start));
    let inside = found
        .iter()
        .filter(|range| range.start < window.end && range.end > window.start);
    let highlights = inside
        .map(|range| {
            let start = range.start.max(window.start) - window.start;
            let end = range.end.min(window.end) - window.start;
            (start as u32, end as u32)
        })
        .collect();
    SearchLine {
        number,
        stream,
        text: line[window].to_owned(),
        highlights,
    }
}

/// Bytes of `line` that are shown when the first match begins at byte `first`.
fn window(line: &str, first: usize) -> Range<usize> {
    let after = |start: usize, characters: usize| {
        line[start..]
            .char_indices()
            .nth(characters)
            .map_or(line.len(), |(length, _)| start + length)
    };
    let before = |end: usize, characters: usize| {
        line[..end]
            .char_indices()
            .rev()
            .nth(characters - 1)
            .map_or(0, |(start, _)| start)
    };
    // A line that is short in bytes is short in characters.
    if line.len() <= MAX_SHOWN {
        return 0..line.len();
    }
    let start = before(first, BEFORE);
    let end = after(start, MAX_SHOWN);
    // A match near the end: the room behind it is given to what stands before.
    if end == line.len() {
        before(end, MAX_SHOWN)..end
    } else {
        start..end
    }
}

/// The lines of `text` that hold one of the ranges in `found`, with their own ranges; the first line that says something when
/// nothing is highlighted. Numbers count from 1.
pub(super) fn lines_with(text: &str, found: &[Range<usize>]) -> Vec<SearchLine> {
    let mut lines = Vec::new();
    let mut start = 0;
    for (number, line) in (1..).zip(text.split('\n')) {
        let end = start + line.len();
        let inside: Vec<Range<usize>> = found
            .iter()
            .filter(|range| range.start < end && range.end > start)
            .map(|range| range.start.max(start) - start..range.end.min(end) - start)
            .collect();
        let first = found.is_empty() && lines.is_empty() && !line.trim().is_empty();
        if first || !inside.is_empty() {
            lines.push(shown(number, None, line, &inside));
        }
        start = end + 1;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lines_of_a_failure() {
        // Each line with its number, and what is highlighted in brackets.
        let check = |text: &str, found: &[(usize, usize)], expected: &str| {
            let found: Vec<_> = found.iter().map(|&(start, end)| start..end).collect();
            let shown = lines_with(text, &found).into_iter().map(|line| {
                let mut text = line.text;
                for (start, end) in line.highlights.into_iter().rev() {
                    text.insert(end as usize, ']');
                    text.insert(start as usize, '[');
                }
                format!("{} {text}", line.number)
            });
            assert_eq!(shown.collect::<Vec<_>>().join(", "), expected, "{text:?}");
        };
        check("one\ntwo\nthree", &[(4, 7)], "2 [two]");
        check(
            "one\ntwo\nthree",
            &[(2, 5), (8, 9)],
            "1 on[e], 2 [t]wo, 3 [t]hree",
        );
        check("\n\nthree\nfour", &[], "3 three");
        check("", &[], "");
    }

    proptest! {
        #[test]
        fn a_cut_line_shows_its_first_match(left in 0usize..3000, right in 0usize..3000, wide: bool) {
            let fill = if wide { "é" } else { "x" };
            let line = format!("{}NEEDLE{}", fill.repeat(left), fill.repeat(right));
            let start = fill.len() * left;
            let shown = shown(7, None, &line, std::slice::from_ref(&(start..start + 6)));
            prop_assert_eq!(shown.text.chars().count(), line.chars().count().min(MAX_SHOWN));
            prop_assert!(line.contains(&shown.text));
            let (from, to) = shown.highlights[0];
            prop_assert_eq!(&shown.text[from as usize..to as usize], "NEEDLE");
        }
    }
}
