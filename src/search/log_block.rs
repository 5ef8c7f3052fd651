//! Whole lines out of chunks: the block of a chunk is every line that begins in it, to the line's end.
//!
//! The last of them may end in a later chunk: then the block goes on there. So each line belongs to exactly one block, and a
//! block can be read again at any time from its chunk's offset alone.

use crate::logs::{Block, LineEnd, Logs, LogsError, pieces, shown};
use std::borrow::Cow;
use testhide_protocol::api::Stream;
use testhide_protocol::{BuildId, Timestamp};

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
    /// Whether the last line may go on in the next chunk.
    open: bool,
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
        let Some(chunk) = self.chunk(offset)? else {
            return Ok(None);
        };
        let next = offset + chunk.raw.len() as u64;
        let mut block = LogBlock::new(chunk, next);
        if block.open {
            self.close_last_line(&mut block)?;
        }
        Ok(Some(block))
    }

    /// Offset of the chunk in which the line begins that is open before `offset`; `None` when none is open, or when it came in so
    /// many chunks that its block would not change any more.
    ///
    /// # Errors
    /// Damaged chunks, failures of the store.
    pub(super) fn open_line_before(&self, offset: u64) -> Result<Option<u64>, LogsError> {
        let mut earlier = Earlier::new(*self, offset);
        let mut found = None;
        for _ in 0..MAX_LINE_CHUNKS {
            let Some(offset) = earlier.next()? else {
                return Ok(found);
            };
            let Some(chunk) = self.chunk(offset)? else {
                return Ok(found);
            };
            let last = pieces(&chunk.raw, chunk.open_before).last();
            let open_here = last.is_some_and(|piece| piece.end == LineEnd::Open);
            if found.is_none() && !open_here {
                return Ok(None);
            }
            if chunk.open_before == 0 || last.is_some_and(|piece| piece.start > 0) {
                return Ok(Some(offset));
            }
            found = Some(offset);
        }
        Ok(None)
    }

    /// Adds the rest of the block's last line from the chunks that follow, as far as they are there.
    fn close_last_line(&self, block: &mut LogBlock) -> Result<(), LogsError> {
        let mut next = block.next;
        for _ in 0..MAX_LINE_CHUNKS {
            let Some(chunk) = self.chunk(next)? else {
                break;
            };
            let Some(rest) = pieces(&chunk.raw, chunk.open_before).next() else {
                break;
            };
            block.raw.extend_from_slice(rest.text);
            if rest.end != LineEnd::Open {
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
    fn new(chunk: Block, next: u64) -> Self {
        let Block {
            mut raw,
            first_line,
            open_before,
            segments,
            step,
            time,
        } = chunk;
        let mut open = false;
        let (mut skipped, mut first) = (0, first_line);
        for (place, piece) in pieces(&raw, open_before).enumerate() {
            open = piece.end == LineEnd::Open;
            if place == 0 && open_before > 0 {
                // It belongs to the block in which its line begins.
                (skipped, first) = (piece.next, first_line + u64::from(!open));
                open = false;
            }
        }
        raw.drain(..skipped);
        Self {
            step,
            time,
            next,
            open,
            raw,
            first_line: first,
            skipped,
            segments,
        }
    }

    /// The block's text as it is shown: a line that was written over itself is found by what it said last. Empty when no line begins in the
    /// chunk. Invalid UTF-8 is replaced.
    pub(super) fn text(&self) -> Cow<'_, str> {
        if !self.raw.contains(&b'\r') {
            return String::from_utf8_lossy(&self.raw);
        }
        let mut text = Vec::with_capacity(self.raw.len());
        for piece in pieces(&self.raw, 0) {
            text.extend_from_slice(shown(piece.text));
            text.extend((piece.end != LineEnd::Open).then_some(b'\n'));
        }
        Cow::Owned(String::from_utf8_lossy(&text).into_owned())
    }

    /// The lines in order, as they are shown.
    pub(super) fn lines(&self) -> impl Iterator<Item = BlockLine<'_>> {
        let mut streams = StreamWalk {
            segments: &self.segments,
            end: 0,
            stream: Stream::Stdout,
        };
        (self.first_line..)
            .zip(pieces(&self.raw, 0))
            .map(move |(number, piece)| BlockLine {
                number,
                stream: streams.at(self.skipped + piece.start),
                text: String::from_utf8_lossy(shown(piece.text)),
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
