//! A tolerant, streaming XML tokenizer over UTF-8 bytes: start tags, end tags and pieces of text.
//!
//! It holds one buffer: a chunk of the input, grown for a long start tag up to a limit. Text comes in pieces, never split
//! inside a UTF-8 sequence or a reference. Comments and processing instructions are skipped. It never fails on malformed
//! input: a `<` that begins no tag is text, a tag longer than the limit loses its end, a tag with a `<` in it is closed there.

use std::io::{self, Read};

use super::bytes::{line_ends, position};
use super::clean::unfinished_tail;

/// Bytes read at a time.
const CHUNK: usize = 128 << 10;

/// What comes next in a document.
pub(in crate::reports::parse) enum Token<'a> {
    /// A start tag.
    Start(Tag<'a>),
    /// An end tag; an empty name closes the innermost element.
    End(&'a [u8]),
    /// A piece of text; references are not decoded.
    Text(&'a [u8]),
    /// A piece of CDATA.
    CData(&'a [u8]),
    /// A `<` that begins no tag: text.
    StrayBracket,
    /// `<!DOCTYPE` or another declaration.
    Declaration,
    /// The end; `unfinished` if it came inside markup.
    EndOfInput {
        /// The input stops inside a tag, a comment or CDATA.
        unfinished: bool,
    },
}

/// A start tag, borrowed from the buffer.
#[derive(Clone, Copy)]
pub(in crate::reports::parse) struct Tag<'a> {
    name: &'a [u8],
    /// What follows the name.
    rest: &'a [u8],
    pub(in crate::reports::parse) self_closing: bool,
    /// Something was missing: its `>`, or its end beyond the limit.
    pub(in crate::reports::parse) damaged: bool,
}

impl<'a> Tag<'a> {
    fn new(raw: &'a [u8], self_closing: bool, damaged: bool) -> Self {
        let (word, rest) = raw.split_at(
            raw.iter()
                .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/'))
                .unwrap_or(raw.len()),
        );
        let end = word
            .iter()
            .position(|byte| matches!(byte, b'='))
            .unwrap_or(word.len());
        Self {
            name: local(&word[..end]),
            rest,
            self_closing,
            damaged,
        }
    }

    /// Name without its prefix.
    pub(in crate::reports::parse) fn name(&self) -> &'a [u8] {
        self.name
    }

    /// Attributes in order: name without prefix, raw value.
    pub(in crate::reports::parse) fn attributes(&self) -> Attributes<'a> {
        Attributes { rest: self.rest }
    }
}

/// Iterates over the attributes of a tag.
pub(in crate::reports::parse) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.rest.iter().position(|byte| {
            !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'=' | b'"' | b'\'')
        })?;
        let rest = &self.rest[start..];
        let end = rest
            .iter()
            .position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'=' | b'/'))
            .unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let after_name = rest.trim_ascii_start();
        let Some(value) = after_name.strip_prefix(b"=") else {
            self.rest = rest;
            return Some((local(name), b""));
        };
        let value = value.trim_ascii_start();
        let (value, rest) = match value.first() {
            Some(&quote @ (b'"' | b'\'')) => {
                let inner = &value[1..];
                let end = inner
                    .iter()
                    .position(|&byte| byte == quote)
                    .unwrap_or(inner.len());
                (&inner[..end], &inner[(end + 1).min(inner.len())..])
            }
            _ => value.split_at(
                value
                    .iter()
                    .position(u8::is_ascii_whitespace)
                    .unwrap_or(value.len()),
            ),
        };
        self.rest = rest;
        Some((local(name), value))
    }
}

fn local(name: &[u8]) -> &[u8] {
    match name.iter().rposition(|&byte| byte == b':') {
        Some(colon) => &name[colon + 1..],
        None => name,
    }
}

/// What the tokenizer is in the middle of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Content,
    CData,
    /// Skipping to the end of a comment or processing instruction.
    Skipping(&'static [u8]),
    /// Skipping the rest of a start tag that was longer than the limit, inside these quotes (0: none).
    Discarding {
        quote: u8,
        slash: bool,
    },
}

/// The tokenizer.
pub(in crate::reports::parse) struct Xml<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    state: State,
    tag_limit: usize,
    line: u64,
    next_line: u64,
}

impl<R: Read> Xml<R> {
    pub(in crate::reports::parse) fn new(input: R, tag_limit: usize) -> Self {
        Self {
            input,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            at_end: false,
            state: State::Content,
            tag_limit,
            line: 1,
            next_line: 1,
        }
    }

    /// Line at which the last token began, counted from 1.
    pub(in crate::reports::parse) fn line(&self) -> u64 {
        self.line
    }

    /// Line that has been reached.
    pub(in crate::reports::parse) fn next_line(&self) -> u64 {
        self.next_line
    }

    /// The input, for what it has to say at the end.
    pub(in crate::reports::parse) fn input(&self) -> &R {
        &self.input
    }

    /// The next token. Fails only when the input cannot be read.
    pub(in crate::reports::parse) fn next_token(&mut self) -> io::Result<Token<'_>> {
        loop {
            self.line = self.next_line;
            if self.start == self.end && !self.fill()? {
                return Ok(Token::EndOfInput {
                    unfinished: self.state != State::Content,
                });
            }
            match self.state {
                State::Skipping(until) => {
                    self.skip(until)?;
                }
                State::Discarding { quote, slash } => {
                    if let Some(self_closing) = self.discard(quote, slash)
                        && self_closing
                    {
                        return Ok(Token::End(b""));
                    }
                }
                State::CData => {
                    if let Some(piece) = self.cdata()? {
                        return Ok(Token::CData(&self.buffer[piece]));
                    }
                }
                State::Content if self.buffer[self.start] != b'<' => {
                    if let Some(piece) = self.text()? {
                        return Ok(Token::Text(&self.buffer[piece]));
                    }
                }
                State::Content => {
                    self.need(9)?;
                    let open = &self.buffer[self.start..self.end];
                    match open {
                        [_, b'?', ..] => self.state = State::Skipping(b"?>"),
                        [_, b'!', b'-', b'-', ..] => {
                            self.advance(4);
                            self.state = State::Skipping(b"-->");
                        }
                        _ if open.starts_with(b"<![CDATA[") => {
                            self.advance(9);
                            self.state = State::CData;
                        }
                        [_, b'!', letter, ..] if letter.is_ascii_alphabetic() => {
                            self.advance(2);
                            return Ok(Token::Declaration);
                        }
                        [_, b'/', ..] => return self.end_tag(),
                        [_, first, ..]
                            if first.is_ascii_alphabetic()
                                || matches!(first, b'_' | b':' | 0x80..) =>
                        {
                            return self.start_tag();
                        }
                        _ => {
                            self.advance(1);
                            return Ok(Token::StrayBracket);
                        }
                    }
                }
            }
        }
    }

    fn start_tag(&mut self) -> io::Result<Token<'_>> {
        let (mut length, mut quote) = (1, 0);
        loop {
            let seen = &self.buffer[self.start..self.end];
            let (at, found) = scan_tag(seen, length, &mut quote);
            length = at;
            let (consumed, closed) = match found {
                Some(b'>') => (length + 1, true),
                Some(_) => (length, false),
                None if length >= self.tag_limit => {
                    self.state = State::Discarding {
                        quote,
                        slash: seen[length - 1] == b'/',
                    };
                    (length, false)
                }
                None if self.fill()? => continue,
                None => {
                    self.advance(length);
                    return Ok(Token::EndOfInput { unfinished: true });
                }
            };
            let from = self.start;
            self.advance(consumed);
            let raw = &self.buffer[from + 1..from + length];
            let self_closing = closed && raw.last() == Some(&b'/');
            let raw = if self_closing {
                &raw[..raw.len() - 1]
            } else {
                raw
            };
            return Ok(Token::Start(Tag::new(raw, self_closing, !closed)));
        }
    }

    fn end_tag(&mut self) -> io::Result<Token<'_>> {
        let mut length = 2;
        loop {
            let seen = &self.buffer[self.start..self.end];
            let found = seen[length..]
                .iter()
                .position(|byte| matches!(byte, b'>' | b'<'))
                .map(|at| at + length);
            let consumed = match found {
                Some(at) if seen[at] == b'>' => at + 1,
                Some(at) => at,
                None if seen.len() > self.tag_limit => seen.len(),
                None => {
                    length = seen.len();
                    if self.fill()? {
                        continue;
                    }
                    self.advance(length);
                    return Ok(Token::EndOfInput { unfinished: true });
                }
            };
            let from = self.start;
            self.advance(consumed);
            let name = self.buffer[from + 2..from + found.unwrap_or(consumed)].trim_ascii();
            return Ok(Token::End(local(name)));
        }
    }

    fn text(&mut self) -> io::Result<Option<std::ops::Range<usize>>> {
        let seen = &self.buffer[self.start..self.end];
        let length = match position(seen, |byte| byte == b'<') {
            Some(at) => at,
            None if self.at_end => seen.len(),
            None => unfinished_tail(seen, true),
        };
        self.piece(length)
    }

    fn cdata(&mut self) -> io::Result<Option<std::ops::Range<usize>>> {
        let seen = &self.buffer[self.start..self.end];
        let length = match find(seen, b"]]>") {
            Some(0) => {
                self.advance(3);
                self.state = State::Content;
                return Ok(None);
            }
            Some(at) => at,
            None if self.at_end => seen.len(),
            None => {
                let brackets = seen
                    .iter()
                    .rev()
                    .take(2)
                    .take_while(|&&byte| byte == b']')
                    .count();
                unfinished_tail(&seen[..seen.len() - brackets], false)
            }
        };
        self.piece(length)
    }

    /// Takes `length` bytes as a piece, or reads more when there is nothing whole yet.
    fn piece(&mut self, length: usize) -> io::Result<Option<std::ops::Range<usize>>> {
        if length == 0 {
            self.fill()?;
            return Ok(None);
        }
        let from = self.start;
        self.advance(length);
        Ok(Some(from..from + length))
    }

    fn skip(&mut self, until: &'static [u8]) -> io::Result<()> {
        let seen = &self.buffer[self.start..self.end];
        match find(seen, until) {
            Some(at) => {
                self.advance(at + until.len());
                self.state = State::Content;
            }
            None if self.at_end => self.advance(seen.len()),
            None => {
                self.advance(seen.len().saturating_sub(until.len() - 1));
                self.fill()?;
            }
        }
        Ok(())
    }

    /// Drops bytes of an overlong tag; `Some(self_closing)` once its end is found.
    fn discard(&mut self, mut quote: u8, slash: bool) -> Option<bool> {
        let seen = &self.buffer[self.start..self.end];
        let (at, found) = scan_tag(seen, 0, &mut quote);
        let before = if at == 0 { slash } else { seen[at - 1] == b'/' };
        match found {
            Some(byte) => {
                self.advance(at + usize::from(byte == b'>'));
                self.state = State::Content;
                Some(before && byte == b'>')
            }
            None => {
                self.advance(at);
                self.state = State::Discarding {
                    quote,
                    slash: before,
                };
                None
            }
        }
    }

    /// Makes sure that `count` bytes are there, if the input has them.
    fn need(&mut self, count: usize) -> io::Result<()> {
        while self.end - self.start < count && self.fill()? {}
        Ok(())
    }

    /// Reads more behind what is there; `false` at the end of the input.
    fn fill(&mut self) -> io::Result<bool> {
        if self.at_end {
            return Ok(false);
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => {
                    self.at_end = true;
                    return Ok(false);
                }
                Ok(count) => {
                    self.end += count;
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn advance(&mut self, count: usize) {
        let passed = &self.buffer[self.start..self.start + count];
        self.next_line += line_ends(passed);
        self.start += count;
    }
}

/// Looks for the `>` (or a `<`) that ends a tag, from `at` on and outside quotes; returns where it stopped.
fn scan_tag(seen: &[u8], mut at: usize, quote: &mut u8) -> (usize, Option<u8>) {
    while at < seen.len() {
        if *quote == 0 {
            match seen[at] {
                byte @ (b'>' | b'<') => return (at, Some(byte)),
                byte @ (b'"' | b'\'') => *quote = byte,
                _ => {}
            }
            at += 1;
        } else {
            match seen[at..].iter().position(|byte| byte == quote) {
                Some(close) => {
                    at += close + 1;
                    *quote = 0;
                }
                None => at = seen.len(),
            }
        }
    }
    (at, None)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = position(&haystack[from..], |byte| byte == needle[0]) {
        if haystack[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads one byte at a time, so that every border is met.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let count = self.0.len().min(out.len()).min(1);
            out[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn shown(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// All tokens as one line, pieces of text joined.
    fn tokens(input: impl Read, limit: usize) -> String {
        let mut xml = Xml::new(input, limit);
        let mut out = String::new();
        loop {
            match xml.next_token().expect("memory is readable") {
                Token::Start(tag) => {
                    out.push_str(&format!("({}", shown(tag.name())));
                    for (name, value) in tag.attributes() {
                        out.push_str(&format!(" {}={}", shown(name), shown(value)));
                    }
                    out.push_str(if tag.self_closing { ")" } else { "" });
                }
                Token::End(name) => out.push_str(&format!("{})", shown(name))),
                Token::Text(piece) | Token::CData(piece) => out.push_str(&shown(piece)),
                Token::StrayBracket => out.push('<'),
                Token::Declaration => return out + "!DECLARATION",
                Token::EndOfInput { unfinished } => {
                    return out + if unfinished { "…" } else { "" };
                }
            }
        }
    }

    fn check(input: &str, expected: &str) {
        assert_eq!(tokens(input.as_bytes(), 1 << 20), expected);
        assert_eq!(
            tokens(Drip(input.as_bytes()), 1 << 20),
            expected,
            "in single bytes"
        );
    }

    #[test]
    fn documents() {
        check(
            "<?xml version='1.0'?><!-- <a> --><a x='1' y = \"2>\"/>",
            "(a x=1 y=2>)",
        );
        check("<n:a n:x='1'>t &amp; u</n:a>", "(a x=1t &amp; ua)");
        check("<a><![CDATA[x ]] <b> ]]]></a>", "(ax ]] <b> ]a)");
        check("a < b & c <1", "a < b & c <1");
        check("<a b=c d e=''>", "(a b=c d= e=");
        check("<a b='1' <c/>", "(a b=1(c)");
        check("<a>é</a", "(aé…");
        check("<a x='1", "…");
        check("<![CDATA[abc", "abc…");
        check("<!DOCTYPE a [<!ENTITY b 'c'>]>", "!DECLARATION");
        check("<", "<");
    }

    #[test]
    fn an_overlong_tag_loses_its_end() {
        let tag = format!("<a x='1' y='{}' z='>'/><b/>", "y".repeat(500_000));
        let read = tokens(tag.as_bytes(), 1000);
        assert!(
            read.starts_with("(a x=1 y=yyy") && read.ends_with("y)(b)"),
            "{}",
            &read[read.len() - 20..]
        );
        assert!(read.len() < 300_000);
    }

    proptest! {
        #[test]
        fn borders_of_reads_do_not_matter(input in "(<a b='x>'>|</a>|<!-- - -->|<!\\[CDATA\\[|\\]\\]>|\\]|&amp;|é|😀|<|>|'|\"|/| |\n|<c d=\"&lt;\"/>){0,30}") {
            prop_assert_eq!(tokens(input.as_bytes(), 1 << 20), tokens(Drip(input.as_bytes()), 1 << 20));
        }
    }
}
