//! From a step's two pipes to log chunks.
//!
//! The path of every byte: read from its pipe straight into the chunk's buffer, handed over when the chunk is cut. Nothing is
//! done a line; a chunk is cut when it is full (at the last line end, if one is near), 50 ms after its first byte, and at the end.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::BufMut;
use testhide_protocol::Timestamp;
use testhide_protocol::api::Stream;
use testhide_protocol::wire::{MAX_CHUNK_RAW, Segment};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::log::{Cut, Log};
use crate::clock;

/// How long a chunk waits for more bytes after its first: what a person who watches does not notice.
const CUT_AFTER: Duration = Duration::from_millis(50);

/// How far back a full chunk looks for a line end. A longer line is cut inside.
const LINE_SEARCH: usize = 64 * 1024;

/// A chunk's segments stay below the protocol's limit of 4,096.
const MAX_SEGMENTS: usize = 4000;

/// After the step's processes have ended, what they wrote lies in the pipes. A pipe that is silent for this long is held open
/// by a process that left the group.
const DRAIN_IDLE: Duration = Duration::from_millis(250);

/// The longest that a process which left the group may go on writing into the log.
const DRAIN_ALL: Duration = Duration::from_secs(3);

/// Copies both pipes to the log until they are closed, or shortly after `ended`. `streams` are the names of the two.
pub(crate) async fn pump<A, B>(
    mut first: Option<A>,
    mut second: Option<B>,
    streams: [Stream; 2],
    log: &mut Log,
    ended: &CancellationToken,
) where
    A: AsyncRead + Unpin,
    B: AsyncRead + Unpin,
{
    let mut chunker = Chunker::new();
    let mut draining: Option<Drain> = None;
    let mut second_goes_first = false;
    while first.is_some() || second.is_some() {
        if chunker.is_full() {
            let cut = chunker.cut_full(log.elapsed_ms());
            write(log, cut, &mut draining).await;
            continue;
        }
        let (room, due, holds_bytes) = (chunker.room(), chunker.due(), chunker.holds_bytes());
        let silent = draining.as_ref().map_or_else(Instant::now, Drain::until);
        let read = poll_fn(|cx| {
            // In turn, so that a pipe that is always full does not hide the other.
            for turn in [second_goes_first, !second_goes_first] {
                let mut buffer = (&mut chunker.bytes).limit(room);
                let (stream, polled) = if turn {
                    let Some(pipe) = second.as_mut() else {
                        continue;
                    };
                    (1, pin!(pipe.read_buf(&mut buffer)).poll(cx))
                } else {
                    let Some(pipe) = first.as_mut() else { continue };
                    (0, pin!(pipe.read_buf(&mut buffer)).poll(cx))
                };
                if let Poll::Ready(result) = polled {
                    return Poll::Ready((stream, result));
                }
            }
            Poll::Pending
        });
        let event = tokio::select! {
            biased;
            (pipe, result) = read => Event::Read(pipe, result.unwrap_or(0)),
            () = sleep_until(due), if holds_bytes => Event::Due,
            () = ended.cancelled(), if draining.is_none() => Event::Ended,
            () = sleep_until(silent), if draining.is_some() => Event::Silent,
        };
        match event {
            Event::Read(0, 0) => first = None,
            Event::Read(_, 0) => second = None,
            Event::Read(pipe, count) => {
                log.look_at(pipe, &chunker.bytes[chunker.bytes.len() - count..]);
                chunker.grew(streams[pipe], count, log.elapsed_ms());
                second_goes_first = pipe == 0;
                if chunker.due() <= Instant::now() {
                    write(log, chunker.cut(), &mut draining).await;
                }
                // A pipe that always has something to read hides every other event.
                if draining.is_none() && ended.is_cancelled() {
                    draining = Some(Drain::begin());
                }
                if let Some(drain) = &mut draining {
                    if drain.is_over() {
                        break;
                    }
                    drain.last = Instant::now();
                }
            }
            Event::Due => write(log, chunker.cut(), &mut draining).await,
            Event::Ended => {
                draining = Some(Drain::begin());
            }
            Event::Silent => break,
        }
    }
    if chunker.holds_bytes() {
        log.write(chunker.cut()).await;
    }
}

/// Writes. A log that waits for the disk or for room takes nothing from the time in which a pipe is read to its end.
async fn write(log: &mut Log, cut: Cut, draining: &mut Option<Drain>) {
    let began = Instant::now();
    log.write(cut).await;
    if let Some(drain) = draining {
        let waited = began.elapsed();
        drain.began += waited;
        drain.last += waited;
    }
}

enum Event {
    Read(usize, usize),
    Due,
    Ended,
    Silent,
}

/// The time after the step's processes have ended.
struct Drain {
    began: Instant,
    last: Instant,
}

impl Drain {
    fn begin() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            last: now,
        }
    }

    fn until(&self) -> Instant {
        (self.last + DRAIN_IDLE).min(self.began + DRAIN_ALL)
    }

    fn is_over(&self) -> bool {
        self.began.elapsed() >= DRAIN_ALL
    }
}

/// Gathers bytes until they are a chunk.
struct Chunker {
    bytes: Vec<u8>,
    segments: Vec<Segment>,
    /// When the first byte was read.
    began: Option<(Timestamp, u64, Instant)>,
}

impl Chunker {
    fn new() -> Self {
        Self {
            bytes: Vec::with_capacity(MAX_CHUNK_RAW),
            segments: Vec::new(),
            began: None,
        }
    }

    fn holds_bytes(&self) -> bool {
        !self.bytes.is_empty()
    }

    fn is_full(&self) -> bool {
        self.room() == 0 || self.segments.len() >= MAX_SEGMENTS
    }

    fn room(&self) -> usize {
        MAX_CHUNK_RAW - self.bytes.len()
    }

    /// When the chunk is cut at the latest.
    fn due(&self) -> Instant {
        self.began
            .map_or_else(Instant::now, |(_, _, at)| at + CUT_AFTER)
    }

    /// Notes that `count` bytes of `stream` were read to the end of `bytes`.
    fn grew(&mut self, stream: Stream, count: usize, elapsed_ms: u64) {
        let len = u32::try_from(count).expect("a read is never larger than the room of a chunk");
        match self.segments.last_mut() {
            Some(last) if last.stream == stream => last.len += len,
            _ => self.segments.push(Segment { stream, len }),
        }
        self.began
            .get_or_insert_with(|| (clock::now(), elapsed_ms, Instant::now()));
    }

    /// Everything, as one chunk.
    fn cut(&mut self) -> Cut {
        let (time, elapsed_ms, _) = self
            .began
            .take()
            .expect("a chunk is cut only when it holds bytes");
        let next = Vec::with_capacity(MAX_CHUNK_RAW);
        Cut {
            bytes: std::mem::replace(&mut self.bytes, next),
            segments: std::mem::take(&mut self.segments),
            time,
            elapsed_ms,
        }
    }

    /// Everything up to the last line end, if one is near; the rest begins the next chunk.
    fn cut_full(&mut self, elapsed_ms: u64) -> Cut {
        let from = self.bytes.len().saturating_sub(LINE_SEARCH);
        let end = self.bytes[from..].iter().rposition(|byte| *byte == b'\n');
        let end = end.map_or(self.bytes.len(), |at| from + at + 1);
        let mut cut = self.cut();
        self.bytes.extend_from_slice(&cut.bytes[end..]);
        cut.bytes.truncate(end);
        self.segments = split(&mut cut.segments, end);
        if self.holds_bytes() {
            // They came with the last reads, not with the first.
            self.began = Some((clock::now(), elapsed_ms, Instant::now()));
        }
        cut
    }
}

/// Cuts segments after `end` bytes; gives those behind.
fn split(segments: &mut Vec<Segment>, end: usize) -> Vec<Segment> {
    let mut left = u32::try_from(end).expect("a place in a chunk");
    let Some(at) = segments.iter().position(|segment| {
        let inside = left < segment.len;
        if !inside {
            left -= segment.len;
        }
        inside
    }) else {
        return Vec::new();
    };
    let mut rest = segments.split_off(at);
    if left > 0 {
        segments.push(Segment {
            stream: rest[0].stream,
            len: left,
        });
        rest[0].len -= left;
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spool::Entry;
    use crate::tests::{Scratch, lease};
    use proptest::prelude::*;
    use testhide_protocol::wire::{Frame, decompress_chunk};
    use tokio::io::AsyncWriteExt;

    /// What each stream wrote, by the journal; checks each chunk on the way.
    fn streams_of(entries: &[Entry]) -> [Vec<u8>; 2] {
        let mut written = [Vec::new(), Vec::new()];
        let mut offset = 0;
        for entry in entries {
            let Entry::Chunk(frame) = entry else {
                panic!("only chunks were written")
            };
            let Ok(Frame::Chunk { chunk, .. }) = Frame::decode(frame.clone()) else {
                panic!("a chunk is a frame")
            };
            assert_eq!((chunk.check(), chunk.offset), (Ok(()), offset));
            offset += u64::from(chunk.raw_len);
            let raw = decompress_chunk(chunk.offset, chunk.raw_len, &chunk.data).unwrap();
            let mut at = 0;
            for segment in &chunk.segments {
                let to = &mut written[usize::from(segment.stream == Stream::Stderr)];
                to.extend_from_slice(&raw[at..at + segment.len as usize]);
                at += segment.len as usize;
            }
        }
        written
    }

    #[tokio::test]
    async fn a_log_that_waits_for_room_loses_nothing_of_a_step_that_has_ended() {
        use crate::clock::WorkClock;
        use crate::spool::{JournalWriter, Patience, Room};
        tokio::time::pause();
        let scratch = Scratch::new();
        let (spool, journal) = scratch.open_journal(lease(1));
        let (clock, room) = (WorkClock::start(), Room::of(spool.dir().clone(), 1));
        let journal = JournalWriter::start(journal, room, clock.clone(), |error| panic!("{error}"));
        let writer = journal.clone();
        // More than the queue of the journal takes.
        let pipe = std::io::Cursor::new(b"a line of a step\n".repeat(500_000));
        let pumping = tokio::spawn(async move {
            let mut log = Log::new(journal, std::time::Instant::now());
            let ended = CancellationToken::new();
            ended.cancel();
            let streams = [Stream::Stdout, Stream::Stderr];
            pump(Some(pipe), None::<&[u8]>, streams, &mut log, &ended).await;
        });
        clock.paused().await;
        tokio::time::advance(DRAIN_ALL * 2).await;
        writer.set_patience(Patience::Short);
        pumping.await.unwrap();
        writer.sync().await.unwrap();
        // Between the lines of the step stands how long they waited.
        let [output, _] = streams_of(&crate::tests::entries(&spool));
        let lines = output.split(|byte| *byte == b'\n');
        assert_eq!(
            lines.filter(|line| *line == b"a line of a step").count(),
            500_000
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn every_byte_of_any_interleaving_is_kept(
            writes in proptest::collection::vec((any::<bool>(), proptest::collection::vec(
                prop_oneof![4 => any::<u8>(), 1 => Just(b'\n')], 1..3000), 1usize..200), 0..40),
            pipe in 1usize..100_000,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (expected, got) = runtime.block_on(async {
                let scratch = Scratch::new();
                let (spool, journal) = scratch.journal(lease(1));
                let mut log = Log::new(journal, std::time::Instant::now());
                let (mut out, out_end) = tokio::io::duplex(pipe);
                let (mut err, err_end) = tokio::io::duplex(pipe);
                let mut expected = [Vec::new(), Vec::new()];
                for (is_err, bytes, times) in &writes {
                    expected[usize::from(*is_err)].extend(bytes.repeat(*times));
                }
                let write = async move {
                    for (is_err, bytes, times) in writes {
                        let to = if is_err { &mut err } else { &mut out };
                        to.write_all(&bytes.repeat(times)).await.unwrap();
                    }
                };
                let never = CancellationToken::new();
                let streams = [Stream::Stdout, Stream::Stderr];
                tokio::join!(write, pump(Some(out_end), Some(err_end), streams, &mut log, &never));
                log.journal().sync().await.unwrap();
                (expected, streams_of(&crate::tests::entries(&spool)))
            });
            prop_assert!(expected == got);
        }

        #[test]
        fn a_full_chunk_is_cut_at_a_line_end_and_its_streams_stay_right(
            reads in proptest::collection::vec((any::<bool>(), 1usize..3000, any::<bool>()), 1..60),
        ) {
            let mut chunker = Chunker::new();
            for (is_err, count, line) in reads {
                chunker.bytes.resize(chunker.bytes.len() + count, if is_err { b'e' } else { b'o' });
                if line {
                    *chunker.bytes.last_mut().unwrap() = b'\n';
                }
                chunker.grew(if is_err { Stream::Stderr } else { Stream::Stdout }, count, 0);
            }
            let whole = (chunker.bytes.clone(), chunker.segments.clone());
            let cut = chunker.cut_full(0);
            prop_assert!(!cut.bytes.is_empty());
            let line_near = whole.0[whole.0.len().saturating_sub(LINE_SEARCH)..].contains(&b'\n');
            prop_assert_eq!(line_near, cut.bytes.ends_with(b"\n"));
            prop_assert_eq!([cut.bytes, chunker.bytes].concat(), whole.0);
            let mut streams = Vec::new();
            for segment in cut.segments.iter().chain(&chunker.segments) {
                prop_assert!(segment.len > 0);
                streams.extend(std::iter::repeat_n(segment.stream, segment.len as usize));
            }
            let expected: Vec<_> = whole.1.iter().flat_map(|s| std::iter::repeat_n(s.stream, s.len as usize)).collect();
            prop_assert!(streams == expected);
        }
    }
}
