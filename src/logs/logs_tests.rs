//! Logs against a plain model: any cutting into chunks, any range, any restart gives the bytes and lines that were written.

use super::{Logs, LogsError, MAX_LINE, RawLog, append, complete};
use crate::storage::{OpenOptions, Storage};
use proptest::prelude::*;
use testhide_protocol::api::Stream;
use testhide_protocol::wire::{Chunk, Segment, compress_chunk};
use testhide_protocol::{BuildId, Timestamp};

const BUILD: BuildId = BuildId(uuid::Uuid::nil());

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn chunk(offset: u64, raw: &[u8]) -> Chunk {
    Chunk {
        offset,
        raw_len: raw.len() as u32,
        step: 0,
        time: Timestamp(5),
        elapsed_ms: 5,
        segments: vec![Segment {
            stream: Stream::Stdout,
            len: raw.len() as u32,
        }],
        data: compress_chunk(raw),
    }
}

async fn store(storage: &Storage, logs: &Logs, chunks: Vec<Chunk>) -> Result<(), LogsError> {
    let placed = logs.place(chunks).await?;
    storage
        .write(move |wtxn| append(wtxn, BUILD, 1, &placed))
        .await
        .map(|_| ())
}

fn expected_lines(raw: &[u8]) -> Vec<String> {
    let mut lines: Vec<&[u8]> = raw.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let mut texts = Vec::new();
    for line in lines {
        let pieces = line.len().div_ceil(MAX_LINE).max(1);
        for (number, piece) in line
            .chunks(MAX_LINE)
            .chain((line.is_empty()).then_some(line))
            .enumerate()
        {
            let last = number + 1 == pieces;
            let piece = if last {
                piece.strip_suffix(b"\r").unwrap_or(piece)
            } else {
                piece
            };
            texts.push(String::from_utf8_lossy(piece).into_owned());
        }
    }
    texts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_range_of_any_cutting_is_what_was_written(
        parts in proptest::collection::vec("([a-z\u{e9}]{0,6}\r?\n?){1,8}", 1..30),
        ranges in proptest::collection::vec((1u64..80, 1usize..20), 1..12),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
        let logs = Logs::new(storage.clone(), volumes);
        let runtime = runtime();
        let mut written = Vec::new();
        for part in parts.iter().filter(|part| !part.is_empty()) {
            let next = chunk(written.len() as u64, part.as_bytes());
            runtime.block_on(store(&storage, &logs, vec![next.clone()])).unwrap();
            runtime.block_on(store(&storage, &logs, vec![next])).unwrap();
            written.extend_from_slice(part.as_bytes());
        }
        let finished = written.iter().filter(|byte| **byte == b'\n').count() as u64;
        prop_assert_eq!(logs.head(BUILD, 1).unwrap().lines(), finished);
        runtime.block_on(storage.write(|wtxn| complete(wtxn, BUILD, 1))).unwrap();
        let all = expected_lines(&written);
        prop_assert_eq!(logs.head(BUILD, 1).unwrap().lines(), all.len() as u64);
        for (from, limit) in ranges {
            let page = logs.page(BUILD, 1, from, limit).unwrap();
            let expected: Vec<&String> = all.iter().skip(from as usize - 1).take(limit).collect();
            let found: Vec<&String> = page.lines.iter().map(|line| &line.text).collect();
            prop_assert_eq!(found, expected, "from {} limit {}", from, limit);
            for (place, line) in page.lines.iter().enumerate() {
                prop_assert_eq!(line.number, from + place as u64);
            }
        }
        let mut raw = RawLog::new(logs, BUILD, 1).unwrap();
        let mut read = Vec::new();
        while let Some(bytes) = raw.next_bytes().unwrap() {
            read.extend(bytes);
        }
        prop_assert_eq!(read, written);
    }
}

#[test]
fn a_gap_is_refused_and_stores_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let logs = Logs::new(storage.clone(), volumes);
    let runtime = runtime();
    runtime
        .block_on(store(&storage, &logs, vec![chunk(0, b"one\n")]))
        .unwrap();
    let gap = runtime.block_on(store(
        &storage,
        &logs,
        vec![chunk(4, b"two\n"), chunk(9, b"four\n")],
    ));
    assert!(
        matches!(
            gap,
            Err(LogsError::Gap {
                stored: 8,
                offset: 9
            })
        ),
        "{gap:?}"
    );
    assert_eq!(logs.head(BUILD, 1).unwrap().bytes, 4);
    let mut damaged = chunk(4, b"two\n");
    damaged.raw_len = 3;
    assert!(matches!(
        runtime.block_on(store(&storage, &logs, vec![damaged])),
        Err(LogsError::Chunk(_))
    ));
}

#[test]
fn a_follower_is_woken_by_the_line_or_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let logs = Logs::new(storage.clone(), volumes);
    runtime().block_on(async {
        let patience = std::time::Duration::from_secs(600);
        let writing = async {
            for (offset, raw) in [(0, &b"one\n"[..]), (4, b"two\nthr")] {
                store(&storage, &logs, vec![chunk(offset, raw)])
                    .await
                    .unwrap();
            }
        };
        let (waited, ()) = tokio::join!(logs.wait_for_line(BUILD, 1, 2, patience), writing);
        waited.unwrap();
        let ending = storage.write(|wtxn| complete(wtxn, BUILD, 1));
        let (waited, ended) = tokio::join!(logs.wait_for_line(BUILD, 1, 9, patience), ending);
        waited.unwrap();
        ended.unwrap();
    });
    let page = logs.page(BUILD, 1, 1, 10).unwrap();
    assert!(page.complete);
    assert_eq!(page.lines.len(), 3);
}

#[test]
fn a_line_without_an_end_has_pages_too() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let logs = Logs::new(storage.clone(), volumes);
    let runtime = runtime();
    // Chunks that end before, at and behind the places where the line is cut.
    let mut written = Vec::new();
    for (length, byte) in [
        (10, b'a'),
        (MAX_LINE - 10, b'b'),
        (1, b'c'),
        (3 * MAX_LINE, b'd'),
        (MAX_LINE - 1, b'e'),
    ] {
        let raw = vec![byte; length];
        runtime
            .block_on(store(
                &storage,
                &logs,
                vec![chunk(written.len() as u64, &raw)],
            ))
            .unwrap();
        written.extend_from_slice(&raw);
    }
    let end = chunk(written.len() as u64, b"\nnext\n");
    runtime.block_on(store(&storage, &logs, vec![end])).unwrap();
    written.extend_from_slice(b"\nnext\n");
    let expected = expected_lines(&written);
    assert_eq!(expected.len(), 6);
    assert_eq!(logs.head(BUILD, 1).unwrap().lines(), 6);
    for from in 1..=6 {
        let page = logs.page(BUILD, 1, from, 2).unwrap();
        for (line, text) in page.lines.iter().zip(&expected[from as usize - 1..]) {
            assert_eq!(&line.text, text, "line {}", line.number);
            assert_eq!(line.continued, line.number < 5, "line {}", line.number);
        }
        assert_eq!(page.lines.len(), (7 - from as usize).min(2));
    }
}
