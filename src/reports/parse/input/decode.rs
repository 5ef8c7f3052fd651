//! From the bytes of a file to UTF-8: byte order marks, UTF-16, declared single-byte encodings.
//!
//! UTF-8 passes through untouched (invalid bytes are repaired later, value by value, by `clean`); everything else is
//! decoded by `encoding_rs` in chunks.

use std::io::{self, BufRead, Read};

use encoding_rs::{Decoder, Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// Bytes that are decoded at a time.
const CHUNK: usize = 64 << 10;

/// How a file is encoded, and what its head says wrongly about that.
#[derive(Clone, Copy, Debug)]
pub(in crate::reports::parse) struct Sniffed {
    pub(in crate::reports::parse) encoding: &'static Encoding,
    pub(in crate::reports::parse) mark: usize,
    /// The declaration names an encoding that is unknown or cannot be the one used.
    pub(in crate::reports::parse) declaration_ignored: bool,
}

/// Finds the encoding from the first bytes of a file.
pub(in crate::reports::parse) fn sniff(head: &[u8]) -> Sniffed {
    let found = |encoding, mark| Sniffed {
        encoding,
        mark,
        declaration_ignored: false,
    };
    match head {
        [0xEF, 0xBB, 0xBF, ..] => return found(UTF_8, 3),
        [0xFF, 0xFE, ..] => return found(UTF_16LE, 2),
        [0xFE, 0xFF, ..] => return found(UTF_16BE, 2),
        [first, 0, ..] if first.is_ascii() && *first != 0 => return found(UTF_16LE, 0),
        [0, second, ..] if second.is_ascii() && *second != 0 => return found(UTF_16BE, 0),
        _ => {}
    }
    let Some(label) = declared_encoding(head) else {
        return found(UTF_8, 0);
    };
    match Encoding::for_label(label) {
        // Writers that go through a string type of 16-bit units declare `utf-16` and save UTF-8.
        Some(encoding) if encoding.is_ascii_compatible() => found(encoding, 0),
        _ => Sniffed {
            declaration_ignored: true,
            ..found(UTF_8, 0)
        },
    }
}

/// The head of a file as UTF-8, for looking at.
pub(in crate::reports::parse) fn decode_head(head: &[u8]) -> Vec<u8> {
    let Sniffed { encoding, mark, .. } = sniff(head);
    if encoding == UTF_8 {
        return head[mark..].to_vec();
    }
    encoding
        .decode_without_bom_handling(&head[mark..])
        .0
        .into_owned()
        .into_bytes()
}

/// The encoding named in an XML declaration.
fn declared_encoding(head: &[u8]) -> Option<&[u8]> {
    let start = head.iter().position(|byte| !byte.is_ascii_whitespace())?;
    let declaration = head[start..].strip_prefix(b"<?xml")?;
    let end = declaration
        .iter()
        .take(1024)
        .position(|&byte| byte == b'>')?;
    let declaration = &declaration[..end];
    let at = declaration
        .windows(8)
        .position(|window| window == b"encoding")?
        + 8;
    let rest = &declaration[at..];
    let open = rest.iter().position(|byte| matches!(byte, b'"' | b'\''))?;
    let value = &rest[open + 1..];
    let close = value.iter().position(|&byte| byte == rest[open])?;
    Some(&value[..close])
}

/// Reads any input as UTF-8.
pub(in crate::reports::parse) struct Decoded<R> {
    input: R,
    mark: usize,
    decoder: Option<Decoder>,
    pending: Vec<u8>,
    position: usize,
    length: usize,
    finished: bool,
    /// The decoder had to replace something.
    pub(in crate::reports::parse) had_errors: bool,
}

impl<R: BufRead> Decoded<R> {
    pub(in crate::reports::parse) fn new(input: R, sniffed: Sniffed) -> Self {
        let decoder = (sniffed.encoding != UTF_8)
            .then(|| sniffed.encoding.new_decoder_without_bom_handling());
        let pending = if decoder.is_some() {
            vec![0; CHUNK]
        } else {
            Vec::new()
        };
        Self {
            input,
            mark: sniffed.mark,
            decoder,
            pending,
            position: 0,
            length: 0,
            finished: false,
            had_errors: false,
        }
    }
}

impl<R: BufRead> Read for Decoded<R> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while self.mark > 0 {
            let available = self.input.fill_buf()?.len();
            if available == 0 {
                return Ok(0);
            }
            let skipped = available.min(self.mark);
            self.input.consume(skipped);
            self.mark -= skipped;
        }
        let Some(decoder) = &mut self.decoder else {
            return self.input.read(out);
        };
        while self.position == self.length {
            if self.finished {
                return Ok(0);
            }
            let bytes = self.input.fill_buf()?;
            let last = bytes.is_empty();
            let (result, read, written, had_errors) =
                decoder.decode_to_utf8(bytes, &mut self.pending, last);
            self.finished = last && result == encoding_rs::CoderResult::InputEmpty;
            self.had_errors |= had_errors;
            self.input.consume(read);
            (self.position, self.length) = (0, written);
        }
        let length = out.len().min(self.length - self.position);
        out[..length].copy_from_slice(&self.pending[self.position..self.position + length]);
        self.position += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(raw: &[u8], expected: &str) {
        let mut text = Vec::new();
        Decoded::new(raw, sniff(raw))
            .read_to_end(&mut text)
            .expect("memory is readable");
        assert_eq!(String::from_utf8(text).expect("decoded"), expected);
    }

    fn utf16(text: &str, mark: &[u8], order: fn(u16) -> [u8; 2]) -> Vec<u8> {
        mark.iter()
            .copied()
            .chain(text.encode_utf16().flat_map(order))
            .collect()
    }

    #[test]
    fn encodings() {
        check(b"", "");
        check(b"\xEF\xBB\xBF<a/>", "<a/>");
        check(
            &utf16("<a>é😀</a>", &[0xFF, 0xFE], u16::to_le_bytes),
            "<a>é😀</a>",
        );
        check(
            &utf16("<a>é😀</a>", &[0xFE, 0xFF], u16::to_be_bytes),
            "<a>é😀</a>",
        );
        check(&utf16("<a/>", &[], u16::to_le_bytes), "<a/>");
        check(&utf16("{}", &[], u16::to_be_bytes), "{}");
        check(
            b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xe9</a>",
            "<?xml version='1.0' encoding='ISO-8859-1'?><a>é</a>",
        );
        check(
            "<?xml version=\"1.0\" encoding=\"utf-16\"?><a>é</a>".as_bytes(),
            "<?xml version=\"1.0\" encoding=\"utf-16\"?><a>é</a>",
        );
        assert!(sniff(b"<?xml version='1.0' encoding='martian'?>").declaration_ignored);
    }
}
