//! A streaming JSON reader: one event at a time, strings cut to a limit while they are read.
//!
//! General JSON libraries hold a string whole before anybody can ask for its length, and refuse what test tools really
//! write: raw control characters, half surrogate pairs, `NaN`. Structure is checked strictly, text is repaired.

use std::io::{self, Read};

use super::clean::{Piece, Text, TextBuilder, unfinished_tail};
use crate::reports::parse::warnings::Repairs;

/// Bytes read at a time.
const CHUNK: usize = 64 << 10;

/// Levels of nesting after which a document is called hostile; each costs one byte.
const DEEPEST: usize = 100_000;

/// What comes next.
#[derive(Debug)]
pub(in crate::reports::parse) enum Event {
    BeginObject,
    EndObject,
    BeginArray,
    EndArray,
    Key(String),
    String(Text),
    Number(f64),
    Bool(bool),
    Null,
}

/// Why no further event can be given.
#[derive(Debug)]
pub(in crate::reports::parse) enum Fault {
    /// The input ends inside the document.
    Ended,
    /// The document is no JSON.
    Invalid(String),
    /// The input cannot be read.
    Input(io::Error),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrEnd,
    KeyOrEnd,
    Key,
    CommaOrEnd,
    Nothing,
}

/// The reader.
pub(in crate::reports::parse) struct Json<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    /// `{` or `[` for every open container.
    stack: Vec<u8>,
    expect: Expect,
    pub(in crate::reports::parse) repairs: Repairs,
    pub(in crate::reports::parse) string_limit: usize,
}

impl Json<io::Empty> {
    /// Reads a document that is in memory already.
    pub(in crate::reports::parse) fn of_line(line: &[u8], string_limit: usize) -> Self {
        Self {
            input: io::empty(),
            buffer: line.to_vec(),
            start: 0,
            end: line.len(),
            at_end: true,
            stack: Vec::new(),
            expect: Expect::Value,
            repairs: Repairs::at_line(1),
            string_limit,
        }
    }
}

impl<R: Read> Json<R> {
    pub(in crate::reports::parse) fn new(input: R, string_limit: usize) -> Self {
        let repairs = Repairs::at_line(1);
        Self {
            input,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            at_end: false,
            stack: Vec::new(),
            expect: Expect::Value,
            repairs,
            string_limit,
        }
    }

    /// Line that has been reached.
    pub(in crate::reports::parse) fn line(&self) -> u64 {
        self.repairs.line
    }

    /// Whether only white space follows the document.
    pub(in crate::reports::parse) fn ends_here(&mut self) -> Result<bool, Fault> {
        Ok(self.peek()?.is_none())
    }

    /// The next event; `Err(Ended)` also after the document.
    pub(in crate::reports::parse) fn next_event(&mut self) -> Result<Event, Fault> {
        loop {
            let Some(byte) = self.peek()? else {
                return Err(Fault::Ended);
            };
            match (self.expect, byte) {
                (Expect::Nothing, _) => {
                    return Err(Fault::Invalid("content after the document".to_owned()));
                }
                (Expect::KeyOrEnd | Expect::Key, b'"') => {
                    let key = self.string()?.value;
                    if self.peek()? != Some(b':') {
                        return Err(self.unexpected("`:`")?);
                    }
                    self.start += 1;
                    self.expect = Expect::Value;
                    return Ok(Event::Key(key));
                }
                (Expect::KeyOrEnd, b'}') | (Expect::CommaOrEnd, b'}')
                    if self.stack.last() == Some(&b'{') =>
                {
                    return Ok(self.close(Event::EndObject));
                }
                (Expect::ValueOrEnd | Expect::CommaOrEnd, b']')
                    if self.stack.last() == Some(&b'[') =>
                {
                    return Ok(self.close(Event::EndArray));
                }
                (Expect::CommaOrEnd, b',') => {
                    self.start += 1;
                    self.expect = if self.stack.last() == Some(&b'{') {
                        Expect::Key
                    } else {
                        Expect::Value
                    };
                }
                (Expect::Value | Expect::ValueOrEnd, _) => return self.value_start(byte),
                _ => return Err(self.unexpected("`,`, a key or an end")?),
            }
        }
    }

    /// Skips one value, whatever its size.
    pub(in crate::reports::parse) fn skip_value(&mut self) -> Result<(), Fault> {
        let height = self.stack.len();
        let limit = std::mem::replace(&mut self.string_limit, 16);
        let skipped = loop {
            match self.next_event() {
                Ok(_) if self.stack.len() <= height && self.expect != Expect::Value => break Ok(()),
                Ok(_) => {}
                Err(fault) => break Err(fault),
            }
        };
        self.string_limit = limit;
        skipped
    }

    /// Whether an open array has a next item; it is read then, and the end of the array is if it has none.
    pub(in crate::reports::parse) fn next_item(&mut self) -> Result<bool, Fault> {
        if self.peek()? == Some(b']') && self.expect != Expect::Value {
            self.next_event()?;
            return Ok(false);
        }
        self.separator()?;
        if self.peek()?.is_none() {
            return Err(Fault::Ended);
        }
        Ok(true)
    }

    /// The next member of an open object; `None` at its end.
    pub(in crate::reports::parse) fn next_key(&mut self) -> Result<Option<String>, Fault> {
        Ok(match self.next_event()? {
            Event::Key(key) => Some(key),
            _ => None,
        })
    }

    /// Takes the comma before the next item of an array.
    pub(in crate::reports::parse) fn separator(&mut self) -> Result<(), Fault> {
        if self.expect == Expect::CommaOrEnd {
            if self.peek()? != Some(b',') {
                return Err(self.unexpected("`,` or `]`")?);
            }
            self.start += 1;
            self.expect = Expect::Value;
        }
        Ok(())
    }

    /// The next byte that is no white space.
    pub(in crate::reports::parse) fn peek(&mut self) -> Result<Option<u8>, Fault> {
        loop {
            while self.start < self.end {
                let byte = self.buffer[self.start];
                if !byte.is_ascii_whitespace() {
                    return Ok(Some(byte));
                }
                self.repairs.line += u64::from(byte == b'\n');
                self.start += 1;
            }
            if !self.fill()? {
                return Ok(None);
            }
        }
    }

    fn value_start(&mut self, byte: u8) -> Result<Event, Fault> {
        match byte {
            b'{' | b'[' => {
                if self.stack.len() >= DEEPEST {
                    return Err(Fault::Invalid(format!("nested deeper than {DEEPEST}")));
                }
                self.start += 1;
                self.stack.push(byte);
                self.expect = if byte == b'{' {
                    Expect::KeyOrEnd
                } else {
                    Expect::ValueOrEnd
                };
                Ok(if byte == b'{' {
                    Event::BeginObject
                } else {
                    Event::BeginArray
                })
            }
            b'"' => {
                let text = self.string()?;
                self.after_value();
                Ok(Event::String(text))
            }
            _ => {
                let word = self.word()?;
                self.after_value();
                match word.as_str() {
                    "null" => Ok(Event::Null),
                    "true" => Ok(Event::Bool(true)),
                    "false" => Ok(Event::Bool(false)),
                    "NaN" | "Infinity" | "-Infinity" => Ok(Event::Number(f64::NAN)),
                    _ if word.starts_with(|first: char| first == '-' || first.is_ascii_digit()) => {
                        match word.parse() {
                            Ok(number) => Ok(Event::Number(number)),
                            Err(_) => Err(Fault::Invalid(format!("`{word}` is no number"))),
                        }
                    }
                    _ => Err(Fault::Invalid(format!("`{word}` is no value"))),
                }
            }
        }
    }

    fn word(&mut self) -> Result<String, Fault> {
        let mut word = String::new();
        loop {
            while self.start < self.end {
                let byte = self.buffer[self.start];
                if !(byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.'))
                    || word.len() > 60
                {
                    if word.is_empty() {
                        return Err(self.unexpected("a value")?);
                    }
                    return Ok(word);
                }
                word.push(char::from(byte));
                self.start += 1;
            }
            if !self.fill()? {
                return if word.is_empty() || !self.stack.is_empty() {
                    Err(Fault::Ended)
                } else {
                    Ok(word)
                };
            }
        }
    }

    fn string(&mut self) -> Result<Text, Fault> {
        self.start += 1;
        let mut builder = TextBuilder::new(self.string_limit);
        loop {
            let seen = &self.buffer[self.start..self.end];
            let run = seen.iter().position(|byte| matches!(byte, b'"' | b'\\'));
            let length = match run {
                Some(length) => length,
                None if self.at_end => seen.len(),
                None => unfinished_tail(seen, false),
            };
            let piece = &seen[..length];
            let closes = run.map(|at| seen[at] == b'"');
            builder.push(piece, Piece::Plain, &mut self.repairs);
            self.repairs.line += piece
                .iter()
                .map(|&byte| u64::from(byte == b'\n'))
                .sum::<u64>();
            self.start += length;
            match closes {
                Some(true) => {
                    self.start += 1;
                    return Ok(builder.finish());
                }
                Some(false) => self.escape(&mut builder)?,
                None if self.fill()? => {}
                None if self.start == self.end => return Err(Fault::Ended),
                None => {}
            }
        }
    }

    fn escape(&mut self, builder: &mut TextBuilder) -> Result<(), Fault> {
        while self.end - self.start < 12 && self.fill()? {}
        let seen = &self.buffer[self.start..self.end];
        let Some(&letter) = seen.get(1) else {
            self.start = self.end;
            return Err(Fault::Ended);
        };
        let (character, length) = match letter {
            b'n' => ('\n', 2),
            b't' => ('\t', 2),
            b'r' => ('\r', 2),
            b'b' | b'f' => ('\u{8}', 2),
            b'"' | b'\\' | b'/' => (char::from(letter), 2),
            b'u' => match (
                unit(&seen[2..]),
                seen.get(6..)
                    .and_then(|rest| rest.strip_prefix(b"\\u"))
                    .and_then(unit),
            ) {
                (Some(high @ 0xD800..0xDC00), Some(low @ 0xDC00..0xE000)) => {
                    let code =
                        0x10000 + ((u32::from(high) - 0xD800) << 10) + (u32::from(low) - 0xDC00);
                    (char::from_u32(code).unwrap_or('\u{FFFD}'), 12)
                }
                (Some(unit), _) => match char::from_u32(u32::from(unit)) {
                    Some(character) => (character, 6),
                    None => {
                        self.repairs.surrogate();
                        ('\u{FFFD}', 6)
                    }
                },
                (None, _) => {
                    return Err(Fault::Invalid(
                        "`\\u` without four hexadecimal digits".to_owned(),
                    ));
                }
            },
            _ => {
                return Err(Fault::Invalid(format!(
                    "unknown escape `\\{}`",
                    char::from(letter)
                )));
            }
        };
        let mut bytes = [0; 4];
        builder.push_str(
            character.encode_utf8(&mut bytes),
            Piece::Plain,
            &mut self.repairs,
        );
        self.start += length;
        Ok(())
    }

    fn close(&mut self, event: Event) -> Event {
        self.start += 1;
        self.stack.pop();
        self.after_value();
        event
    }

    fn after_value(&mut self) {
        self.expect = if self.stack.is_empty() {
            Expect::Nothing
        } else {
            Expect::CommaOrEnd
        };
    }

    fn unexpected(&mut self, wanted: &str) -> Result<Fault, Fault> {
        Ok(match self.peek()? {
            Some(byte) => Fault::Invalid(format!(
                "found `{}` instead of {wanted}",
                char::from(byte).escape_default()
            )),
            None => Fault::Ended,
        })
    }

    fn fill(&mut self) -> Result<bool, Fault> {
        if self.at_end {
            return Ok(false);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
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
                Err(error) => return Err(Fault::Input(error)),
            }
        }
    }
}

fn unit(digits: &[u8]) -> Option<u16> {
    let digits = std::str::from_utf8(digits.get(..4)?).ok()?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json_value::Budget;
    use super::*;

    fn read(text: &[u8]) -> Result<String, Fault> {
        let mut json = Json::new(text, 1 << 16);
        let mut budget = Budget {
            values: 1000,
            bytes: 1 << 20,
            depth: 16,
            exceeded: false,
        };
        let value = json.value(&mut budget)?;
        assert!(json.ends_here()?, "trailing content");
        Ok(value.into_text())
    }

    #[test]
    fn documents() {
        let check = |text: &[u8], expected: &str| {
            assert_eq!(
                read(text).expect("valid"),
                expected,
                "{}",
                String::from_utf8_lossy(text)
            );
        };
        check(
            b" {\"a\": [1, 2.5, -3e2, true, false, null, {}, []], \"b\":\"\\u00e9\\n\\\"\"} ",
            "{\"a\":[1,2.5,-300,true,false,null,{},[]],\"b\":\"\u{e9}\\n\\\"\"}",
        );
        check(b"\"\\ud83d\\ude00 \\ud83d x\"", "\u{1F600} \u{FFFD} x");
        check(b"\"raw \x07\n\x1b[1mbold\xe9\"", "raw \nbold\u{e9}");
        check(b"[NaN]", "[null]");
        for broken in [
            "",
            "{",
            "[1,",
            "{\"a\"}",
            "[1 2]",
            "{\"a\":1,}",
            "[1]]x",
            "\"\\x\"",
            "\"\\u12\"",
            "tru",
            "[}",
            "\"abc",
        ] {
            let read = std::panic::catch_unwind(|| read(broken.as_bytes()));
            assert!(!matches!(read, Ok(Ok(_))), "{broken}");
        }
    }

    #[test]
    fn deep_values_are_skipped_without_recursion() {
        let text = format!("{}{}", "[".repeat(90_000), "]".repeat(90_000));
        let mut json = Json::new(text.as_bytes(), 100);
        let mut budget = Budget {
            values: 1000,
            bytes: 1000,
            depth: 8,
            exceeded: false,
        };
        json.value(&mut budget).expect("skipped");
        assert!(budget.exceeded);
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json(text in "[\\[\\]{}:, 0-9a-c\"\\\\\\-.eutrfalsn]{0,24}") {
            let theirs = serde_json::from_str::<serde_json::Value>(&text).ok();
            if let Some(theirs) = theirs {
                let mut json = Json::new(text.as_bytes(), 1 << 16);
                let mut budget = Budget { values: 1000, bytes: 1 << 20, depth: 200, exceeded: false };
                let ours = json.value(&mut budget);
                prop_assert!(ours.is_ok(), "{text}: {theirs}");
            }
        }
    }
}
