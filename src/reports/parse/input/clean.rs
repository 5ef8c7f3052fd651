//! Text that is fit to store: valid UTF-8, no forbidden characters, no terminal escapes, never longer than its limit.
//!
//! Bytes arrive in pieces; a [`TextBuilder`] carries the state of an escape sequence over the border of two pieces. The
//! caller keeps UTF-8 sequences and references whole.

use super::bytes::position;
use crate::reports::parse::warnings::Repairs;

/// A text that may have been cut in the middle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    /// What was kept: all of it, or its head and its tail around a marker that says how much was cut.
    pub value: String,
    /// How many bytes of (repaired) text there were.
    pub bytes: u64,
    /// How many of them are not in `value`.
    pub cut: u64,
}

/// How a piece is to be read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::reports::parse) enum Piece {
    /// XML text: references are decoded, line ends become `\n`.
    Markup,
    /// An attribute: references are decoded, line ends stay.
    Attribute,
    /// CDATA: no references, line ends become `\n`.
    CData,
    /// Already decoded: only forbidden characters are dropped.
    Plain,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    /// After ESC.
    Started,
    /// Inside `ESC [ …`.
    Csi,
    /// Inside `ESC ] …`, with the number of characters swallowed.
    Osc(u16),
    /// One more character belongs to a charset selection.
    Charset,
}

/// Collects one text, keeping half the limit from its head and half from its tail.
pub(in crate::reports::parse) struct TextBuilder {
    head: String,
    tail: String,
    half: usize,
    bytes: u64,
    escape: Escape,
    after_return: bool,
}

/// Characters of an operating system command that are swallowed at most; longer ones are no title but lost text.
const LONGEST_OSC: u16 = 512;

/// Bytes of the longest reference that is looked for: `&#x0010FFFF;`.
const LONGEST_REFERENCE: usize = 12;

impl TextBuilder {
    pub(in crate::reports::parse) fn new(limit: usize) -> Self {
        Self {
            head: String::new(),
            tail: String::new(),
            half: (limit / 2).max(4),
            bytes: 0,
            escape: Escape::None,
            after_return: false,
        }
    }

    pub(in crate::reports::parse) fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Reads one attribute or other short value.
    pub(in crate::reports::parse) fn short(
        raw: &[u8],
        piece: Piece,
        limit: usize,
        repairs: &mut Repairs,
    ) -> String {
        if raw.len() <= limit && is_plain(raw) {
            return String::from_utf8(raw.to_vec()).expect("plain bytes are ASCII");
        }
        let mut builder = Self::new(limit);
        builder.push(raw, piece, repairs);
        builder.finish().value
    }

    /// Adds a piece of raw bytes, repairing as it goes.
    pub(in crate::reports::parse) fn push(
        &mut self,
        mut raw: &[u8],
        piece: Piece,
        repairs: &mut Repairs,
    ) {
        if self.escape == Escape::None && !self.after_return && is_plain(raw) {
            self.keep(std::str::from_utf8(raw).expect("plain bytes are ASCII"));
            return;
        }
        while !raw.is_empty() {
            let error = match std::str::from_utf8(raw) {
                Ok(valid) => return self.push_str(valid, piece, repairs),
                Err(error) => error,
            };
            let (valid, broken) = raw.split_at(error.valid_up_to());
            self.push_str(
                std::str::from_utf8(valid).expect("checked up to here"),
                piece,
                repairs,
            );
            let skipped = if is_encoded_surrogate(broken) {
                repairs.surrogate();
                self.character('\u{FFFD}', repairs);
                3
            } else {
                repairs.invalid_bytes();
                let length = error.error_len().unwrap_or(broken.len());
                self.character(
                    if length == 1 {
                        windows_1252(broken[0])
                    } else {
                        '\u{FFFD}'
                    },
                    repairs,
                );
                length
            };
            raw = &broken[skipped..];
        }
    }

    /// Adds valid text.
    pub(in crate::reports::parse) fn push_str(
        &mut self,
        text: &str,
        piece: Piece,
        repairs: &mut Repairs,
    ) {
        let references = matches!(piece, Piece::Markup | Piece::Attribute);
        let line_ends = matches!(piece, Piece::Markup | Piece::CData);
        let mut rest = text;
        while !rest.is_empty() {
            let quiet = if self.escape == Escape::None && !self.after_return {
                run_of_ordinary(rest, references)
            } else {
                0
            };
            if quiet > 0 {
                self.keep(&rest[..quiet]);
                rest = &rest[quiet..];
                continue;
            }
            let next = rest.chars().next().expect("rest is not empty");
            let length = next.len_utf8();
            if std::mem::take(&mut self.after_return) && next == '\n' {
                rest = &rest[length..];
            } else if next == '&' && references {
                rest = self.reference(rest, repairs);
            } else if next == '\r' && line_ends {
                self.character('\n', repairs);
                self.after_return = true;
                rest = &rest[length..];
            } else {
                self.character(next, repairs);
                rest = &rest[length..];
            }
        }
    }

    /// The text so far; the builder is empty afterwards.
    pub(in crate::reports::parse) fn finish(&mut self) -> Text {
        let (mut value, tail, bytes) = (
            std::mem::take(&mut self.head),
            std::mem::take(&mut self.tail),
            self.bytes,
        );
        self.bytes = 0;
        self.escape = Escape::None;
        self.after_return = false;
        let complete =
            (value.len() + tail.len()) as u64 == bytes && bytes <= (self.half * 2) as u64;
        if complete {
            value.push_str(&tail);
            return Text {
                value,
                bytes,
                cut: 0,
            };
        }
        let mut from = tail.len().saturating_sub(self.half);
        while !tail.is_char_boundary(from) {
            from += 1;
        }
        let kept = &tail[from..];
        let cut = bytes - (value.len() + kept.len()) as u64;
        value.push_str(&format!("\n[… {cut} of {bytes} bytes cut …]\n"));
        value.push_str(kept);
        Text { value, bytes, cut }
    }

    fn character(&mut self, next: char, repairs: &mut Repairs) {
        let swallowed = match (self.escape, next) {
            (_, '\u{1b}') => {
                repairs.illegal_character();
                self.escape = Escape::Started;
                return;
            }
            (Escape::None, _) => false,
            (Escape::Started, '[') => return self.escape = Escape::Csi,
            (Escape::Started, ']') => return self.escape = Escape::Osc(0),
            (Escape::Started, '(' | ')') => return self.escape = Escape::Charset,
            (Escape::Started, '@'..='_' | '=' | '>' | '7' | '8') | (Escape::Charset, ' '..='~') => {
                self.escape = Escape::None;
                true
            }
            (Escape::Csi, ' '..='?') => true,
            (Escape::Csi, '@'..='~') | (Escape::Osc(_), '\u{7}') => {
                self.escape = Escape::None;
                true
            }
            (Escape::Osc(swallowed), _) if next != '\n' && swallowed < LONGEST_OSC => {
                self.escape = Escape::Osc(swallowed + 1);
                true
            }
            _ => {
                self.escape = Escape::None;
                false
            }
        };
        if swallowed {
            return;
        }
        if is_forbidden(next) {
            repairs.illegal_character();
            return;
        }
        let mut bytes = [0; 4];
        self.keep(next.encode_utf8(&mut bytes));
    }

    /// Decodes the reference at the start of `text` and returns what follows it.
    fn reference<'a>(&mut self, text: &'a str, repairs: &mut Repairs) -> &'a str {
        let Some((name, rest)) = split_reference(text) else {
            repairs.reference();
            self.character('&', repairs);
            return &text[1..];
        };
        let named = match name {
            "lt" => Some('<'),
            "gt" => Some('>'),
            "amp" => Some('&'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => None,
        };
        if let Some(character) = named {
            self.character(character, repairs);
            return rest;
        }
        let Some(code) = code_point(name) else {
            repairs.reference();
            self.character('&', repairs);
            return &text[1..];
        };
        match char::from_u32(code) {
            Some(character) if is_forbidden(character) => {
                repairs.reference();
                if character == '\u{1b}' {
                    self.character(character, repairs);
                }
                rest
            }
            Some(character) => {
                self.character(character, repairs);
                rest
            }
            None => {
                let low = split_reference(rest)
                    .and_then(|(name, after)| Some((code_point(name)?, after)));
                repairs.surrogate();
                if let (0xD800..0xDC00, Some((low @ 0xDC00..0xE000, after))) = (code, low) {
                    let joined = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
                    self.character(char::from_u32(joined).unwrap_or('\u{FFFD}'), repairs);
                    return after;
                }
                self.character('\u{FFFD}', repairs);
                rest
            }
        }
    }

    fn keep(&mut self, text: &str) {
        self.bytes += text.len() as u64;
        let mut rest = text;
        if self.tail.is_empty() && self.head.len() < self.half {
            let mut room = (self.half - self.head.len()).min(rest.len());
            while !rest.is_char_boundary(room) {
                room -= 1;
            }
            self.head.push_str(&rest[..room]);
            rest = &rest[room..];
        }
        if rest.len() > self.half {
            self.tail.clear();
            let mut from = rest.len() - self.half;
            // One byte more than half may stay, so that a text of exactly the limit is never cut.
            while !rest.is_char_boundary(from) {
                from -= 1;
            }
            rest = &rest[from..];
        }
        self.tail.push_str(rest);
        if self.tail.len() > self.half * 2 {
            let mut from = self.tail.len() - self.half;
            while !self.tail.is_char_boundary(from) {
                from += 1;
            }
            self.tail.drain(..from);
        }
    }
}

/// Where the bytes of an unfinished UTF-8 sequence or reference begin at the end of a piece.
pub(in crate::reports::parse) fn unfinished_tail(piece: &[u8], references: bool) -> usize {
    let mut whole = piece.len();
    for back in 1..=piece.len().min(3) {
        let byte = piece[piece.len() - back];
        let needed = match byte {
            0xF0..=0xF7 => 4,
            0xE0..=0xEF => 3,
            0xC0..=0xDF => 2,
            0x80..=0xBF => continue,
            _ => 1,
        };
        if needed > back {
            whole = piece.len() - back;
        }
        break;
    }
    if references {
        let from = piece.len().saturating_sub(2 * LONGEST_REFERENCE);
        if let Some(at) = piece[from..].iter().position(|&byte| byte == b'&') {
            whole = whole.min(from + at);
        }
    }
    whole
}

fn is_plain(raw: &[u8]) -> bool {
    !raw.iter().fold(false, |odd, &byte| {
        odd | (byte >= 0x80) | (byte == b'&') | ((byte < 0x20) & (byte != b'\n') & (byte != b'\t'))
    })
}

fn run_of_ordinary(text: &str, references: bool) -> usize {
    let reference = if references { b'&' } else { 0 };
    let odd = |byte: u8| {
        ((byte < 0x20) & (byte != b'\n') & (byte != b'\t')) | (byte == reference) | (byte == 0xEF)
    };
    position(text.as_bytes(), odd).unwrap_or(text.len())
}

fn split_reference(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('&')?;
    let end = inner
        .bytes()
        .take(LONGEST_REFERENCE)
        .position(|byte| byte == b';')?;
    Some((&inner[..end], &inner[end + 1..]))
}

fn code_point(name: &str) -> Option<u32> {
    let number = name.strip_prefix('#')?;
    let (digits, radix) = match number.strip_prefix(['x', 'X']) {
        Some(hex) => (hex, 16),
        None => (number, 10),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u32::from_str_radix(digits, radix)
        .ok()
        .filter(|&code| code <= 0x0010_FFFF)
}

/// What XML 1.0 forbids even as a reference.
fn is_forbidden(character: char) -> bool {
    matches!(character, '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{FFFE}' | '\u{FFFF}')
}

fn is_encoded_surrogate(bytes: &[u8]) -> bool {
    matches!(bytes, [0xED, 0xA0..=0xBF, 0x80..=0xBF, ..])
}

fn windows_1252(byte: u8) -> char {
    let bytes = [byte];
    let (text, _) = encoding_rs::WINDOWS_1252.decode_without_bom_handling(&bytes);
    text.chars().next().unwrap_or('\u{FFFD}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(raw: &[u8], piece: Piece) -> (String, u64) {
        let mut repairs = Repairs::default();
        (
            TextBuilder::short(raw, piece, 1 << 20, &mut repairs),
            repairs.total(),
        )
    }

    #[test]
    fn repairs() {
        let check = |raw: &[u8], expected: &str, count: u64| {
            assert_eq!(
                read(raw, Piece::Markup),
                (expected.into(), count),
                "{raw:?}"
            );
        };
        check(b"a &lt;b&gt; &amp;amp; &quot;&apos;", "a <b> &amp; \"'", 0);
        check(b"&#10;&#x9;&#13;", "\n\t\r", 0);
        check(b"a\r\nb\rc", "a\nb\nc", 0);
        check(b"bell \x07 end", "bell  end", 1);
        check(b"\x1b[1;31mred\x1b[0m", "red", 2);
        check(b"&#x1B;[31mred&#27;[0m", "red", 4);
        check(b"\x1b]0;title\x07text", "text", 1);
        check(b"x\x1b\ny", "x\ny", 1);
        check(b"&#0;&#xFFFE;", "", 2);
        check(
            b"&nbsp; & &; &#; &#x110000;",
            "&nbsp; & &; &#; &#x110000;",
            5,
        );
        check(b"&#xD83D;&#xDE00; &#xD83D;", "\u{1F600} \u{FFFD}", 2);
        check(b"caf\xe9 \x80", "café €", 2);
        check(b"\xf0\x9f\x98 \xed\xa0\x80", "\u{FFFD} \u{FFFD}", 2);
        check("\u{FFFE}\u{FEFF}ok".as_bytes(), "\u{FEFF}ok", 1);
        assert_eq!(
            read(b"a &lt; b\r\n", Piece::CData),
            ("a &lt; b\n".into(), 0)
        );
        assert_eq!(read(b"a\r\n", Piece::Attribute), ("a\r\n".into(), 0));
    }

    #[test]
    fn long_texts_keep_head_and_tail() {
        let mut builder = TextBuilder::new(100);
        let mut repairs = Repairs::default();
        for number in 0..1000 {
            builder.push(
                format!("<{number:04}>").as_bytes(),
                Piece::Plain,
                &mut repairs,
            );
        }
        let text = builder.finish();
        assert_eq!(text.bytes, 6000);
        assert!(
            text.value.starts_with("<0000>") && text.value.ends_with("<0999>"),
            "{}",
            text.value
        );
        assert!(text.value.contains("of 6000 bytes cut"));
        assert_eq!(text.cut, 5900);
    }

    proptest! {
        #[test]
        fn any_bytes_become_clean_text(raw in proptest::collection::vec(any::<u8>(), 0..400), limit in 8usize..300, cut in 0usize..400) {
            let mut repairs = Repairs::default();
            let mut builder = TextBuilder::new(limit);
            let (first, second) = raw.split_at(cut.min(raw.len()));
            builder.push(first, Piece::Markup, &mut repairs);
            builder.push(second, Piece::Markup, &mut repairs);
            let text = builder.finish();
            prop_assert!(!text.value.chars().any(is_forbidden));
            prop_assert!(text.value.len() <= limit + 64);
            prop_assert_eq!(text.cut == 0, text.value.len() as u64 == text.bytes && text.bytes <= (limit / 2 * 2) as u64);
        }

        #[test]
        fn escaping_and_pieces_round_trip(text in "[a-z<>&\"'\n\té日😀]{0,60}", cut in 0usize..200) {
            let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
            let raw = escaped.as_bytes();
            let border = unfinished_tail(&raw[..cut.min(raw.len())], true);
            let mut repairs = Repairs::default();
            let mut builder = TextBuilder::new(4096);
            builder.push(&raw[..border], Piece::Markup, &mut repairs);
            builder.push(&raw[border..], Piece::Markup, &mut repairs);
            prop_assert_eq!(builder.finish().value, text);
            prop_assert_eq!(repairs.total(), 0);
        }
    }
}
