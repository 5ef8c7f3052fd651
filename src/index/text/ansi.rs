//! Takes terminal escape sequences out of text, so that a coloured `ERROR` is the word `ERROR`; pure.
//!
//! A sequence never crosses a line break, so taking them out of a block or out of its lines gives the same lines.

use std::borrow::Cow;
use std::ops::Range;

const ESCAPE: u8 = 0x1b;

/// Text without escape sequences, and the way back to the original's offsets.
#[derive(Debug)]
pub struct Stripped<'a> {
    text: Cow<'a, str>,
    /// For each kept piece, where it starts here and in the original; empty when nothing was taken out.
    pieces: Vec<(usize, usize)>,
}

impl<'a> Stripped<'a> {
    /// Takes colours, cursor movements, titles and links out of `text`. An unfinished sequence stays.
    pub fn new(text: &'a str) -> Stripped<'a> {
        // `contains` of one ASCII character is a memchr.
        if !text.contains(char::from(ESCAPE)) {
            return Stripped {
                text: Cow::Borrowed(text),
                pieces: Vec::new(),
            };
        }
        let bytes = text.as_bytes();
        let mut kept = String::with_capacity(text.len());
        let mut pieces = vec![(0, 0)];
        let mut start = 0;
        let mut at = 0;
        while let Some(found) = text[at..].find(char::from(ESCAPE)) {
            let escape = at + found;
            let Some(length) = sequence_length(&bytes[escape..]) else {
                at = escape + 1;
                continue;
            };
            kept.push_str(&text[start..escape]);
            start = escape + length;
            at = start;
            pieces.push((kept.len(), start));
        }
        kept.push_str(&text[start..]);
        Stripped {
            text: Cow::Owned(kept),
            pieces,
        }
    }

    /// The text that is left.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where a non-empty `range` of the stripped text lies in the original.
    pub fn original(&self, range: &Range<usize>) -> Range<usize> {
        if self.pieces.is_empty() {
            return range.clone();
        }
        // The end is measured from the last byte inside, so that a sequence behind the range stays outside.
        self.original_offset(range.start)..self.original_offset(range.end - 1) + 1
    }

    fn original_offset(&self, offset: usize) -> usize {
        let after = self.pieces.partition_point(|&(here, _)| here <= offset);
        let (here, original) = self.pieces[after - 1];
        original + (offset - here)
    }
}

/// Length of the complete sequence that `bytes` start with.
fn sequence_length(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        // CSI: parameters, intermediates, one final byte.
        b'[' => {
            let body = bytes[2..]
                .iter()
                .position(|byte| !matches!(byte, 0x20..=0x3f))?;
            matches!(bytes[2 + body], 0x40..=0x7e).then_some(2 + body + 1)
        }
        // OSC: up to BEL or ESC \.
        b']' => {
            let end = bytes[2..]
                .iter()
                .position(|&byte| matches!(byte, 0x07 | ESCAPE | b'\n'))?;
            match (bytes[2 + end], bytes.get(2 + end + 1)) {
                (0x07, _) => Some(2 + end + 1),
                (ESCAPE, Some(b'\\')) => Some(2 + end + 2),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sequences_are_taken_out() {
        let check = |text: &str, expected: &str| assert_eq!(Stripped::new(text).text(), expected);
        check("plain", "plain");
        check("\x1b[31mERROR\x1b[0m x", "ERROR x");
        check("\x1b[38;5;196mred\x1b[K", "red");
        check("\x1b]8;;http://x\x1b\\link\x1b]8;;\x07", "link");
        check("\x1b[31\nm", "\x1b[31\nm");
        check("\x1b]0;title\nrest", "\x1b]0;title\nrest");
        check("end\x1b", "end\x1b");
        check("\x1b[äx", "\x1b[äx");
    }

    #[test]
    fn ranges_lead_back() {
        let text = "a \x1b[31mER\x1b[1mROR\x1b[0m x";
        let stripped = Stripped::new(text);
        let found = stripped.text().find("ERROR").expect("stripped");
        assert_eq!(
            &text[stripped.original(&(found..found + 5))],
            "ER\x1b[1mROR"
        );
    }

    proptest! {
        #[test]
        fn lines_and_blocks_agree(lines in prop::collection::vec("[\\x1b\\x07\\[\\]\\\\0-9;mä]{0,12}", 1..5)) {
            let block = lines.join("\n");
            let whole = Stripped::new(&block).text().to_owned();
            let single: Vec<String> = lines.iter().map(|line| Stripped::new(line).text().to_owned()).collect();
            prop_assert_eq!(whole, single.join("\n"));
        }

        #[test]
        fn every_range_is_valid_in_the_original(text in "[\\x1b\\[0-9;mäb]{0,20}") {
            let stripped = Stripped::new(&text);
            for (start, c) in stripped.text().char_indices() {
                let original = stripped.original(&(start..start + c.len_utf8()));
                prop_assert_eq!(&text[original], c.to_string());
            }
        }
    }
}
