//! Collects the lines of a page out of consecutive chunks. Pure.

use super::display::shown;
use super::line::{LineEnd, pieces};
use super::model::StoredChunk;
use testhide_protocol::Timestamp;
use testhide_protocol::api::{LogLine, Stream};

/// Bytes of text after which a page ends early: a reader who does not take it holds no more in memory.
const MAX_PAGE: usize = 1024 * 1024;

/// The lines of a page, as far as they were found.
pub(super) struct Lines {
    from: u64,
    limit: usize,
    /// Whether a last line without its end is a line: it may still grow otherwise.
    complete: bool,
    done: Vec<LogLine>,
    text_bytes: usize,
    open: Option<OpenLine>,
}

struct OpenLine {
    number: u64,
    step: u32,
    stream: Stream,
    time: Timestamp,
    text: Vec<u8>,
}

impl Lines {
    /// Up to `limit` lines from line `from` on, of a log that is `complete` or not.
    pub(super) fn new(from: u64, limit: usize, complete: bool) -> Self {
        Self {
            from,
            limit,
            complete,
            done: Vec::new(),
            text_bytes: 0,
            open: None,
        }
    }

    /// Whether no further line has room.
    pub(super) fn is_full(&self) -> bool {
        self.done.len() >= self.limit || (self.text_bytes >= MAX_PAGE && !self.done.is_empty())
    }

    /// Takes a chunk; says whether the page is full.
    pub(super) fn feed(&mut self, chunk: &StoredChunk, raw: &[u8]) -> bool {
        let mut number = chunk.lines_before + 1;
        for piece in pieces(raw, chunk.open_before as usize) {
            if self.is_full() {
                break;
            }
            if number >= self.from {
                let line = self.open.get_or_insert_with(|| OpenLine {
                    number,
                    step: chunk.step,
                    stream: stream_at(&chunk.segments, piece.start),
                    time: chunk.time,
                    text: Vec::new(),
                });
                line.text.extend_from_slice(piece.text);
                if piece.end != LineEnd::Open {
                    self.close(piece.end == LineEnd::Cut);
                }
            }
            number += u64::from(piece.end != LineEnd::Open);
        }
        self.is_full()
    }

    fn close(&mut self, continued: bool) {
        if let Some(line) = self.open.take() {
            let OpenLine {
                number,
                step,
                stream,
                time,
                text,
            } = line;
            let text = String::from_utf8_lossy(shown(&text)).into_owned();
            self.text_bytes += text.len();
            self.done.push(LogLine {
                number,
                step,
                stream,
                time,
                text,
                continued,
            });
        }
    }

    /// The lines.
    pub(super) fn finish(mut self) -> Vec<LogLine> {
        if self.complete && !self.is_full() {
            self.close(false);
        }
        self.done
    }
}

/// Stream of the byte at `at` of a chunk.
pub(super) fn stream_at(segments: &[(Stream, u32)], at: usize) -> Stream {
    let mut end = 0;
    for (stream, length) in segments {
        end += *length as usize;
        if at < end {
            return *stream;
        }
    }
    Stream::Stdout
}
