//! Where lines end: at a line end, or after 64 KiB without one, so that a log of one endless line has pages too. Pure.

/// Longest line, in bytes without its end; what is longer goes on as the next line.
pub const MAX_LINE: usize = 64 * 1024;

/// How a piece of a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// With a line end.
    Newline,
    /// By its length: the text goes on in the next line.
    Cut,
    /// Not in these bytes.
    Open,
}

/// A piece of one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Where it begins in the bytes.
    pub start: usize,
    /// Its text, without a line end.
    pub text: &'a [u8],
    /// How it ends.
    pub end: LineEnd,
    /// Where the next piece begins.
    pub next: usize,
}

/// Cuts `raw` into lines; its first byte follows `open` bytes of a line that has not ended.
pub fn pieces(raw: &[u8], open: usize) -> impl Iterator<Item = Piece<'_>> {
    let (mut start, mut open) = (0, open);
    std::iter::from_fn(move || {
        if start >= raw.len() {
            return None;
        }
        let room = MAX_LINE.saturating_sub(open);
        let window = &raw[start..raw.len().min(start + room + 1)];
        let (length, end, taken) = match window.iter().position(|byte| *byte == b'\n') {
            Some(length) => (length, LineEnd::Newline, length + 1),
            None if window.len() > room => (room, LineEnd::Cut, room),
            None => (window.len(), LineEnd::Open, window.len()),
        };
        let piece = Piece {
            start,
            text: &window[..length],
            end,
            next: start + taken,
        };
        (start, open) = (piece.next, 0);
        Some(piece)
    })
}

/// The lines of some bytes, before it is known what stands in front of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Shape {
    /// Bytes before the first line end; `None` when there is none.
    first: Option<u32>,
    /// Lines that end after the first line end.
    ended: u64,
    /// Bytes of the line that is open at the end.
    tail: u32,
}

impl Shape {
    /// The shape of at most 4 GiB.
    pub(super) fn of(raw: &[u8]) -> Self {
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX);
        let Some(first) = raw.iter().position(|byte| *byte == b'\n') else {
            return Self {
                first: None,
                ended: 0,
                tail: length(raw.len()),
            };
        };
        let rest = &raw[first + 1..];
        let (mut ended, mut tail) = (0, 0);
        if has_long_line(rest) {
            for piece in pieces(rest, 0) {
                match piece.end {
                    LineEnd::Open => tail = piece.text.len(),
                    LineEnd::Newline | LineEnd::Cut => ended += 1,
                }
            }
        } else {
            ended = count_newlines(rest);
            tail = rest.iter().rev().take_while(|byte| **byte != b'\n').count();
        }
        Self {
            first: Some(length(first)),
            ended,
            tail: length(tail),
        }
    }

    /// What it adds behind `open` bytes of a line: lines that end in it, and bytes of the line that is open then.
    pub(super) fn behind(self, open: u32) -> (u64, u32) {
        let most = MAX_LINE as u64;
        match self.first {
            None => {
                let bytes = u64::from(open) + u64::from(self.tail);
                let ended = bytes.saturating_sub(1) / most;
                let open = u32::try_from(bytes - ended * most).expect("at most one line is open");
                (ended, open)
            }
            Some(first) => {
                let line = u64::from(open) + u64::from(first);
                (line.div_ceil(most).max(1) + self.ended, self.tail)
            }
        }
    }
}

/// Whether a line is longer than the longest; looks at a byte or two of most lines.
fn has_long_line(raw: &[u8]) -> bool {
    let mut at = 0;
    while raw.len() - at > MAX_LINE {
        let window = &raw[at..=at + MAX_LINE];
        match window.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => at += end + 1,
            None => return true,
        }
    }
    false
}

/// Line ends in `raw`, in runs short enough for one-byte sums, which the compiler turns into wide instructions.
fn count_newlines(raw: &[u8]) -> u64 {
    raw.chunks(192)
        .map(|part| {
            u64::from(
                part.iter()
                    .fold(0u8, |sum, byte| sum + u8::from(*byte == b'\n')),
            )
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::{LineEnd, MAX_LINE, Shape, count_newlines, pieces};
    use proptest::prelude::*;

    /// Bytes with lines around the limit.
    fn raw() -> impl Strategy<Value = Vec<u8>> {
        let length = prop_oneof![
            0usize..40,
            MAX_LINE - 2..MAX_LINE + 3,
            2 * MAX_LINE - 1..2 * MAX_LINE + 2
        ];
        let line = (length, any::<bool>()).prop_map(|(length, ends)| {
            let mut line = vec![b'x'; length];
            line.extend(ends.then_some(b'\n'));
            line
        });
        prop::collection::vec(line, 0..5).prop_map(|lines| lines.concat())
    }

    proptest! {
        #[test]
        fn counts_what_a_plain_loop_counts(raw in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..2000)) {
            prop_assert_eq!(count_newlines(&raw), raw.iter().filter(|byte| **byte == b'\n').count() as u64);
        }

        #[test]
        fn the_shape_knows_the_pieces(raw in raw(), open in prop_oneof![Just(0), 0..=MAX_LINE]) {
            let (mut ended, mut left) = (0u64, open);
            for piece in pieces(&raw, open) {
                match piece.end {
                    LineEnd::Open => left += piece.text.len(),
                    LineEnd::Newline | LineEnd::Cut => (ended, left) = (ended + 1, 0),
                }
            }
            prop_assert_eq!(Shape::of(&raw).behind(open as u32), (ended, left as u32));
        }

        #[test]
        fn nothing_is_lost_and_no_line_is_too_long(raw in raw(), open in 0..=MAX_LINE) {
            let (mut at, mut length, mut again) = (0, open, Vec::new());
            for piece in pieces(&raw, open) {
                prop_assert_eq!(piece.start, at);
                again.extend_from_slice(piece.text);
                again.extend((piece.end == LineEnd::Newline).then_some(b'\n'));
                length += piece.text.len();
                prop_assert!(length <= MAX_LINE);
                prop_assert!(piece.end != LineEnd::Cut || length == MAX_LINE);
                if piece.end != LineEnd::Open {
                    length = 0;
                }
                at = piece.next;
            }
            prop_assert_eq!(again, raw);
        }
    }
}
