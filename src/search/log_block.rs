//! Whole lines out of chunks: the block of a chunk is every line that begins in it, to the line's end.
//!
//! The last of them may end in a later chunk: then the block goes on there. So each line belongs to exactly one block, and a
//! block can be read again at any time from its chunk's offset alone.

use crate::logs::{Block, Logs, LogsError};
use std::borrow::Cow;
use testhide_protocol::api::Stream;
use testhide_protocol::{BuildId, Timestamp};

/// Bytes of a line that are looked at; the pages of a log cut there as well.
pub(super) const MAX_LINE: usize = 64 * 1024;

/// Chunks that one line is followed through: a bar of dots that comes a few bytes at a time must not be read over and over.
const MAX_LINE_CHUNKS: usize = 1024;

/// First stretch of bytes in which earlier chunks are looked for; each further one is 16 times as long.
const FIRST_WINDOW: u64 = 1024;

/// The log of one attempt.
#[derive(Clone, Copy)]
pub(super) struct AttemptLog<'a> {
    pub logs: &'a Logs,
    pub build: BuildId,
    pub attempt: u32,
}

/// The lines that begin in one chunk.
pub(super) struct LogBlock {
    /// The chunk's step.
    pub step: u32,
    /// When the chunk's first byte was read.
    pub time: Timestamp,
    /// Offset of the chunk that follows.
    pub next: u64,
    /// Whether the next chunk begins with a new line.
    pub next_starts_line: bool,
    raw: Vec<u8>,
    first_line: u64,
    /// Where the first line begins in the chunk, for finding its stream.
    skipped: usize,
    segments: Vec<(Stream, u32)>,
}

/// A line of a block.
pub(super) struct BlockLine<'a> {
    pub number: u64,
    pub stream: Stream,
    pub text: Cow<'a, str>,
}

impl AttemptLog<'_> {
    /// The block of the chunk at `offset`, or `None` when there is no such chunk.
    ///
    /// # Errors
    /// Damaged chunks, failures of the store.
    pub(super) fn block(&self, offset: u64) -> Result<Option<LogBlock>, LogsError> {
        let starts_line = self.starts_line(offset)?;
        self.block_that(offset, starts_line)
    }

    /// As [`AttemptLog::block`] when it is known whether the chunk's first byte begins a line.
    ///
    /// # Errors
    /// As [`AttemptLog::block`].
    pub(super) fn block_that(
        &self,
        offset: u64,
        starts_line: bool,
    ) -> Result<Option<LogBlock>, LogsError> {
        let Some(chunk) = self.chunk(offset)? else {
            return Ok(None);
        };
        let next = offset + chunk.raw.len() as u64;
        let mut block = LogBlock::new(chunk, starts_line, next);
        if !block.raw.is_empty() && !block.next_starts_line {
            self.close_last_line(&mut block)?;
        }
        Ok(Some(block))
    }

    /// Offset of the chunk in which the line begins that is open before `offset`; `None` when none is open, or when it is so
    /// long that its block would not change any more.
    ///
    /// # Errors
    /// Damaged chunks, failures of the store.
    pub(super) fn open_line_before(&self, offset: u64) -> Result<Option<u64>, LogsError> {
        let mut earlier = Earlier::new(*self, offset);
        let mut later = None;
        let mut bytes = 0;
        for _ in 0..MAX_LINE_CHUNKS {
            let Some(offset) = earlier.next()? else {
                return Ok(later);
            };
            let Some(chunk) = self.chunk(offset)? else {
                return Ok(later);
            };
            if chunk.raw.last() == Some(&b'\n') {
                return Ok(later);
            }
            if offset == 0 || chunk.raw.contains(&b'\n') {
                return Ok(Some(offset));
            }
            bytes += chunk.raw.len();
            if bytes > MAX_LINE {
                return Ok(None);
            }
            later = Some(offset);
        }
        Ok(None)
    }

    /// Whether the byte at `offset` begins a line.
    ///
    /// # Errors
    /// Damaged chunks, failures of the store.
    pub(super) fn starts_line(&self, offset: u64) -> Result<bool, LogsError> {
        let Some(before) = Earlier::new(*self, offset).next()? else {
            return Ok(true);
        };
        Ok(self
            .chunk(before)?
            .is_none_or(|chunk| chunk.raw.last() == Some(&b'\n')))
    }

    /// Adds the rest of the block's last line from the chunks that follow, as far as they are there.
    fn close_last_line(&self, block: &mut LogBlock) -> Result<(), LogsError> {
        let line = block
            .raw
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |at| at + 1);
        let mut next = block.next;
        for _ in 0..MAX_LINE_CHUNKS {
            let room = MAX_LINE.saturating_sub(block.raw.len() - line);
            if room == 0 {
                break;
            }
            let Some(chunk) = self.chunk(next)? else {
                break;
            };
            let end = chunk.raw.iter().position(|byte| *byte == b'\n');
            let rest = &chunk.raw[..end.unwrap_or(chunk.raw.len())];
            block.raw.extend_from_slice(&rest[..rest.len().min(room)]);
            if end.is_some() {
                break;
            }
            next += chunk.raw.len() as u64;
        }
        Ok(())
    }

    fn chunk(&self, offset: u64) -> Result<Option<Block>, LogsError> {
        self.logs.block(self.build, self.attempt, offset)
    }
}

impl LogBlock {
    fn new(chunk: Block, starts_line: bool, next: u64) -> Self {
        let Block {
            mut raw,
            first_line,
            segments,
            step,
            time,
        } = chunk;
        let next_starts_line = raw.last() == Some(&b'\n');
        let (skipped, first_line) = if starts_line {
            (0, first_line)
        } else {
            let end = raw.iter().position(|byte| *byte == b'\n');
            (end.map_or(raw.len(), |end| end + 1), first_line + 1)
        };
        raw.drain(..skipped);
        Self {
            step,
            time,
            next,
            next_starts_line,
            raw,
            first_line,
            skipped,
            segments,
        }
    }

    /// The block's text; empty when no line begins in the chunk. Invalid UTF-8 is replaced.
    pub(super) fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.raw)
    }

    /// The lines in order, without their ends, cut after [`MAX_LINE`] bytes.
    pub(super) fn lines(&self) -> impl Iterator<Item = BlockLine<'_>> {
        let mut streams = StreamWalk {
            segments: &self.segments,
            end: 0,
            stream: Stream::Stdout,
        };
        let mut at = 0;
        let mut number = self.first_line;
        std::iter::from_fn(move || {
            if at >= self.raw.len() {
                return None;
            }
            let rest = &self.raw[at..];
            let end = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len());
            let line = &rest[..end.min(MAX_LINE)];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let stream = streams.at(self.skipped + at);
            let found = BlockLine {
                number,
                stream,
                text: String::from_utf8_lossy(line),
            };
            at += end + 1;
            number += 1;
            Some(found)
        })
    }
}

/// Streams of bytes whose places only grow.
struct StreamWalk<'a> {
    segments: &'a [(Stream, u32)],
    /// Where the present run ends.
    end: usize,
    stream: Stream,
}

impl StreamWalk<'_> {
    fn at(&mut self, place: usize) -> Stream {
        while place >= self.end {
            let Some((&(stream, length), rest)) = self.segments.split_first() else {
                break;
            };
            self.stream = stream;
            self.end += length as usize;
            self.segments = rest;
        }
        self.stream
    }
}

/// Offsets of the chunks before a place, the nearest first.
struct Earlier<'a> {
    log: AttemptLog<'a>,
    known: Vec<u64>,
    /// Everything from here on was looked at.
    low: u64,
    window: u64,
}

impl<'a> Earlier<'a> {
    fn new(log: AttemptLog<'a>, before: u64) -> Self {
        Self {
            log,
            known: Vec::new(),
            low: before,
            window: FIRST_WINDOW,
        }
    }

    fn next(&mut self) -> Result<Option<u64>, LogsError> {
        while self.known.is_empty() && self.low > 0 {
            let low = self.low.saturating_sub(self.window);
            self.known = self
                .log
                .logs
                .offsets(self.log.build, self.log.attempt, low, self.low)?;
            self.low = low;
            self.window = self.window.saturating_mul(16);
        }
        Ok(self.known.pop())
    }
}
