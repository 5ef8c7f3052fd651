//! A reader of lines: one at a time, cut to a limit while they are read, so that a line without end costs no memory.

use std::io::{self, Read};

use super::json::{Fault, Json};
use super::json_value::{Budget, Value};
use crate::reports::parse::limits::Limits;
use crate::reports::parse::warnings::Repairs;

/// Bytes read at a time.
const CHUNK: usize = 64 << 10;

/// Bytes of one line that are kept. Longer ones are records with a whole log in them; what counts stands at their head.
pub(in crate::reports::parse) const LONGEST_LINE: usize = 1 << 20;

/// Levels of one record that are kept.
const RECORD_DEPTH: usize = 8;

/// The reader. Lines end with `\n` or `\r\n`; the last one may have no end.
pub(in crate::reports::parse) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    at_end: bool,
    line: Vec<u8>,
    number: u64,
    limit: usize,
    cut: u64,
    ended: bool,
}

impl<R: Read> Lines<R> {
    /// Reads `input`, keeping at most `limit` bytes of a line.
    pub(in crate::reports::parse) fn new(input: R, limit: usize) -> Self {
        Self {
            input,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            at_end: false,
            line: Vec::new(),
            number: 0,
            limit,
            cut: 0,
            ended: true,
        }
    }

    /// Goes to the next line; `false` after the last one.
    pub(in crate::reports::parse) fn advance(&mut self) -> Result<bool, Fault> {
        self.line.clear();
        self.cut = 0;
        self.ended = false;
        let mut any = false;
        loop {
            if self.start == self.end && !self.fill()? {
                self.number += u64::from(any);
                return Ok(any);
            }
            any = true;
            let seen = &self.buffer[self.start..self.end];
            let length = seen.iter().position(|&byte| byte == b'\n');
            let piece = &seen[..length.unwrap_or(seen.len())];
            let kept = piece.len().min(self.limit - self.line.len());
            self.line.extend_from_slice(&piece[..kept]);
            self.cut += (piece.len() - kept) as u64;
            self.start += piece.len() + usize::from(length.is_some());
            if length.is_some() {
                self.number += 1;
                self.ended = true;
                while self.cut == 0 && self.line.last() == Some(&b'\r') {
                    self.line.pop();
                }
                return Ok(true);
            }
        }
    }

    /// The line, without its end.
    pub(in crate::reports::parse) fn line(&self) -> &[u8] {
        &self.line
    }

    /// Its number, from 1.
    pub(in crate::reports::parse) fn number(&self) -> u64 {
        self.number
    }

    /// How many of its bytes were cut off.
    pub(in crate::reports::parse) fn cut(&self) -> u64 {
        self.cut
    }

    /// Whether it has a line end: the last line of a file that was cut has none.
    pub(in crate::reports::parse) fn ended(&self) -> bool {
        self.ended
    }

    fn fill(&mut self) -> Result<bool, Fault> {
        while !self.at_end {
            match self.input.read(&mut self.buffer) {
                Ok(0) => self.at_end = true,
                Ok(count) => {
                    (self.start, self.end) = (0, count);
                    return Ok(true);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Fault::Input(error)),
            }
        }
        Ok(false)
    }
}

/// Reads a line as an object of JSON; `None` when it is none. `cut` says that the line goes on: it is closed as if its last
/// string ended there.
pub(in crate::reports::parse) fn record(
    line: &[u8],
    cut: bool,
    limits: &Limits,
    repairs: &mut Repairs,
) -> Option<Vec<(String, Value)>> {
    if !line.starts_with(b"{") {
        return None;
    }
    let mut json = if cut {
        Json::of_line(&closed(line), limits.text_bytes)
    } else {
        Json::of_line(line, limits.text_bytes)
    };
    std::mem::swap(&mut json.repairs, repairs);
    let mut budget = Budget {
        values: 200,
        bytes: limits.text_bytes * 2,
        depth: RECORD_DEPTH,
        exceeded: false,
    };
    let value = json.value(&mut budget);
    let whole = json.ends_here();
    std::mem::swap(&mut json.repairs, repairs);
    match (value, whole) {
        (Ok(Value::Object(members)), Ok(true)) => Some(members),
        _ => None,
    }
}

/// A record whose last string was cut, made whole again.
fn closed(line: &[u8]) -> Vec<u8> {
    let mut line = line.to_vec();
    let tail = line.len().saturating_sub(5);
    // Not in the middle of an escape: `\u12` goes, and a single `\`.
    if let Some(at) = line[tail..].iter().rposition(|&byte| byte == b'\\') {
        let slashes = line[..=tail + at]
            .iter()
            .rev()
            .take_while(|&&byte| byte == b'\\')
            .count();
        let opens = slashes % 2 == 1;
        let needed = if line.get(tail + at + 1) == Some(&b'u') {
            6
        } else {
            2
        };
        if opens && line.len() - (tail + at) < needed {
            line.truncate(tail + at);
        }
    }
    line.extend_from_slice(b"\"}");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &[u8], limit: usize) -> Vec<(String, u64, u64)> {
        let mut lines = Lines::new(text, limit);
        let mut found = Vec::new();
        while lines.advance().expect("memory is readable") {
            found.push((
                String::from_utf8_lossy(lines.line()).into_owned(),
                lines.number(),
                lines.cut(),
            ));
        }
        found
    }

    #[test]
    fn line_ends() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<_> = lines(text.as_bytes(), 100)
                .into_iter()
                .map(|(line, ..)| line)
                .collect();
            assert_eq!(found, expected, "{text:?}");
        };
        check("", &[]);
        check("\n", &[""]);
        check("a\nb", &["a", "b"]);
        check("a\r\n\r\nb\r\n", &["a", "", "b"]);
        check("a\rb\n", &["a\rb"]);
        check("a\0b\n", &["a\0b"]);
    }

    #[test]
    fn long_lines_are_cut() {
        let text = format!("a\n{}\nb", "x".repeat(200_000));
        let found = lines(text.as_bytes(), 70_000);
        assert_eq!(found[1].0.len(), 70_000);
        assert_eq!((found[1].2, found[2].1), (130_000, 3));
        assert_eq!(found[2].0, "b");
    }

    #[test]
    fn cut_records_keep_what_stands_before() {
        let whole = br#"{"a":"1","b":"x\\\u00e9\n end"}"#;
        for length in 14..whole.len() - 2 {
            let members = record(
                &whole[..length],
                true,
                &Limits::default(),
                &mut Repairs::default(),
            );
            let members = members.unwrap_or_else(|| panic!("cut at {length}"));
            assert_eq!(members[0].0, "a");
        }
    }
}
