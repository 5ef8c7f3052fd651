//! Transducers: bytes of the stream go in one at a time, what they are read as comes out, with the place it was read from.

use super::escape::{Escaping, LONGEST_ESCAPE, Step};

/// How many characters of base64 or hex must stand directly before the end of a line for the line to be one of a wrapped text.
/// `xxd -p` wraps at 60, PEM at 64, MIME at 76. With fewer, the ends of ordinary lines would be held back.
pub(super) const WRAPPED_LINE: usize = 32;

/// A byte as it is read, and the stretch of the stream that it was read from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unit {
    pub(super) byte: u8,
    pub(super) start: u64,
    pub(super) end: u64,
    /// Whether the stream has just this byte at `start`.
    pub(super) is_literal: bool,
    /// Whether at least [`WRAPPED_LINE`] characters of base64 stand directly before `start`. Only told where a line may end.
    pub(super) is_after_long_line: bool,
}

/// One transducer.
#[derive(Debug, Clone)]
pub(super) enum Stage {
    /// Leaves out what is not seen: ANSI sequences, NUL (so UTF-16 of ASCII text is read) and carriage returns.
    Invisible(Ansi),
    /// Leaves out what is not seen, and ends of wrapped lines of base64 or hex with the indentation after them.
    Unwrap(Unwrap),
    /// Undoes one layer of escapes.
    Unescape(Unescape),
}

impl Stage {
    pub(super) fn unescape(escaping: Escaping) -> Self {
        Self::Unescape(Unescape {
            escaping,
            pending: Vec::new(),
        })
    }

    pub(super) fn feed(&mut self, unit: Unit, out: &mut Vec<Unit>) {
        match self {
            Self::Invisible(ansi) => {
                if ansi.shows(unit.byte) && !matches!(unit.byte, 0 | b'\r') {
                    out.push(unit);
                }
            }
            Self::Unwrap(unwrap) => unwrap.feed(unit, out),
            Self::Unescape(unescape) => unescape.feed(unit, out),
        }
    }

    /// Says what was kept back to see how it goes on; nothing follows.
    pub(super) fn finish(&mut self, out: &mut Vec<Unit>) {
        if let Self::Unescape(unescape) = self {
            unescape.finish(out);
        }
    }

    /// Whether the next byte would be read as if the stage had just begun.
    pub(super) fn is_at_rest(&self) -> bool {
        match self {
            Self::Invisible(ansi) => *ansi == Ansi::Text,
            Self::Unwrap(unwrap) => unwrap.ansi == Ansi::Text && !unwrap.is_between_lines,
            Self::Unescape(unescape) => unescape.pending.is_empty(),
        }
    }

    /// Where the bytes begin that were fed and have not come out yet.
    pub(super) fn pending_start(&self) -> Option<u64> {
        match self {
            Self::Unescape(unescape) => unescape.pending.first().map(|unit| unit.start),
            Self::Invisible(_) | Self::Unwrap(_) => None,
        }
    }
}

/// Where in an ANSI sequence a terminal would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ansi {
    /// In none.
    Text,
    /// After ESC.
    Escape,
    /// After ESC and intermediate bytes, as in `ESC ( B`.
    Intermediate,
    /// In `ESC [ … m` and its like.
    Control,
    /// In `ESC ] … BEL` and its like, such as links and titles.
    Command,
    /// After ESC within one of those.
    CommandEscape,
}

impl Ansi {
    /// Takes the next byte; whether it is seen rather than part of a sequence.
    pub(super) fn shows(&mut self, byte: u8) -> bool {
        let before = *self;
        *self = match (before, byte) {
            (Self::CommandEscape, b'\\') => Self::Text,
            // A sequence that breaks off at the end of a line, or for another one.
            (_, b'\n') => Self::Text,
            (Self::Command, 0x1b) => Self::CommandEscape,
            (_, 0x1b) => Self::Escape,
            (Self::Text, _) => Self::Text,
            (Self::Escape | Self::CommandEscape, b'[') => Self::Control,
            (Self::Escape | Self::CommandEscape, b']' | b'P' | b'X' | b'^' | b'_') => Self::Command,
            (Self::Escape | Self::CommandEscape | Self::Intermediate, 0x20..=0x2f) => {
                Self::Intermediate
            }
            (Self::Escape | Self::CommandEscape | Self::Intermediate, _) => Self::Text,
            (Self::Control, 0x40..=0x7e) => Self::Text,
            (Self::Control, _) => Self::Control,
            (Self::Command, 0x07) => Self::Text,
            (Self::Command, _) => Self::Command,
        };
        byte != 0x1b && (before == Self::Text || byte == b'\n')
    }
}

/// What [`Stage::Invisible`] lets through of a whole text.
pub(super) fn visible(text: &[u8]) -> Vec<u8> {
    let mut ansi = Ansi::Text;
    let mut visible = text.to_vec();
    visible.retain(|&byte| ansi.shows(byte) && !matches!(byte, 0 | b'\r'));
    visible
}

/// State of [`Stage::Unwrap`].
#[derive(Debug, Clone)]
pub(super) struct Unwrap {
    ansi: Ansi,
    is_between_lines: bool,
}

impl Unwrap {
    pub(super) fn new() -> Self {
        Self {
            ansi: Ansi::Text,
            is_between_lines: false,
        }
    }

    fn feed(&mut self, unit: Unit, out: &mut Vec<Unit>) {
        let is_between = self.is_between_lines;
        if !self.ansi.shows(unit.byte) {
            return;
        }
        match unit.byte {
            0 => {}
            b'\r' | b'\n' if unit.is_after_long_line => self.is_between_lines = true,
            b'\r' | b'\n' | b' ' | b'\t' if is_between => {}
            _ => {
                self.is_between_lines = false;
                out.push(unit);
            }
        }
    }
}

/// Whether the byte may stand in a line of base64 or hex.
pub(super) fn is_of_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// State of [`Stage::Unescape`].
#[derive(Debug, Clone)]
pub(super) struct Unescape {
    escaping: Escaping,
    /// Bytes that may become an escape, fewer than [`LONGEST_ESCAPE`].
    pending: Vec<Unit>,
}

impl Unescape {
    fn feed(&mut self, unit: Unit, out: &mut Vec<Unit>) {
        if self.pending.is_empty() && !self.escaping.begins_with(unit.byte) {
            out.push(unit);
            return;
        }
        self.pending.push(unit);
        self.read(out, Step::More);
    }

    fn finish(&mut self, out: &mut Vec<Unit>) {
        self.read(out, Step::Literal);
    }

    /// Reads on as long as it is clear how; `undecided` is done with what is not.
    fn read(&mut self, out: &mut Vec<Unit>, undecided: Step) {
        while let Some(&first) = self.pending.first() {
            let mut window = [0; LONGEST_ESCAPE];
            for (byte, unit) in window.iter_mut().zip(&self.pending) {
                *byte = unit.byte;
            }
            let mut step = self.escaping.read(&window[..self.pending.len()]);
            if step == Step::More {
                step = undecided;
            }
            match step {
                Step::More => return,
                Step::Literal => {
                    out.push(first);
                    self.pending.remove(0);
                }
                Step::Escape { len, bytes } => {
                    let end = self.pending[len - 1].end;
                    out.extend(bytes.as_slice().iter().map(|&byte| Unit {
                        byte,
                        start: first.start,
                        end,
                        is_literal: false,
                        is_after_long_line: first.is_after_long_line,
                    }));
                    self.pending.drain(..len);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `text` is read as, and where from.
    fn read(mut stage: Stage, text: &str) -> (String, Vec<(u64, u64)>) {
        let mut out = Vec::new();
        for (start, &byte) in (0..).zip(text.as_bytes()) {
            let before = &text.as_bytes()[..start as usize];
            let before = before.strip_suffix(b"\r").unwrap_or(before);
            let line = before.rsplit(|byte| !is_of_base64(*byte)).next();
            let unit = Unit {
                byte,
                start,
                end: start + 1,
                is_literal: true,
                is_after_long_line: line.is_some_and(|line| line.len() >= WRAPPED_LINE),
            };
            stage.feed(unit, &mut out);
        }
        stage.finish(&mut out);
        assert!(stage.pending_start().is_none());
        let bytes: Vec<u8> = out.iter().map(|unit| unit.byte).collect();
        let places = out.iter().map(|unit| (unit.start, unit.end)).collect();
        (String::from_utf8(bytes).unwrap(), places)
    }

    #[track_caller]
    fn check(stage: Stage, text: &str, expected: &str) {
        assert_eq!(read(stage, text).0, expected, "{text:?}");
    }

    #[test]
    fn what_is_not_seen_is_left_out() {
        let stage = || Stage::Invisible(Ansi::Text);
        check(stage(), "a\x1b[31mb\x1b[0;1mc\x1b[Kd", "abcd");
        check(stage(), "a\x1b]8;;http://x\x07b\x1b]8;;\x1b\\c", "abc");
        check(stage(), "a\x1b(Bb\x1bMc\x1b", "abc");
        check(stage(), "h\0i\0\r\n", "hi\n");
        check(stage(), "a\x1b[31\nb\x1b]title\nc", "a\nb\nc");
        check(stage(), "a\x1b\x1b[1mb", "ab");
    }

    #[test]
    fn wrapped_lines_are_joined_and_others_are_not() {
        let line = "0123456789abcdef".repeat(4);
        let stage = || Stage::Unwrap(Unwrap::new());
        check(
            stage(),
            &format!("{line}\r\n  {line}\nx\ny"),
            &format!("{line}{line}x\ny"),
        );
        check(stage(), "short\n  line\r\n", "short\n  line\r\n");
        check(
            stage(),
            &format!("{line} \n{line}."),
            &format!("{line} \n{line}."),
        );
    }

    #[test]
    fn an_escape_knows_its_place() {
        let stage = Stage::unescape(Escaping::Backslash);
        let (text, places) = read(stage, r#"a\"\u00e9b\"#);
        assert_eq!(text, "a\"\u{e9}b\\");
        assert_eq!(places, [(0, 1), (1, 3), (3, 9), (3, 9), (9, 10), (10, 11)]);
    }
}
