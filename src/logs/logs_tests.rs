//! Logs against a plain model: any cutting into chunks, any range, any restart gives the bytes and lines that were written.

use super::{Logs, LogsError, MAX_LINE, RawLog, Wanted, append, complete};
use crate::storage::{OpenOptions, Storage};
use proptest::prelude::*;
use testhide_protocol::api::{LogPage, Stream};
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

/// What is shown of `raw`, said again in the plainest way: split, cut, and of each piece the last text that was written.
fn expected_lines(raw: &[u8]) -> Vec<String> {
    let mut lines: Vec<&[u8]> = raw.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    let mut texts = Vec::new();
    for line in lines {
        let empty = line.is_empty().then_some(line);
        for piece in line.chunks(MAX_LINE).chain(empty) {
            let last = piece
                .split(|byte| *byte == b'\r')
                .rfind(|text| !text.is_empty());
            texts.push(String::from_utf8_lossy(last.unwrap_or_default()).into_owned());
        }
    }
    texts
}

fn raw_of(logs: &Logs, range: std::ops::Range<u64>) -> Vec<u8> {
    let mut raw = RawLog::new(logs.clone(), BUILD, 1, range);
    let mut read = Vec::new();
    while let Some(bytes) = raw.next_bytes().unwrap() {
        read.extend(bytes);
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_range_of_any_cutting_is_what_was_written(
        parts in proptest::collection::vec(proptest::collection::vec(bytes(), 1..30), 1..30),
        ranges in proptest::collection::vec((1u64..80, 1usize..20), 1..12),
        cuts in proptest::collection::vec((0.0f64..1.0, 0.0f64..1.0), 1..6),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
        let logs = Logs::new(storage.clone(), volumes);
        let runtime = runtime();
        let mut written = Vec::new();
        for part in &parts {
            let next = chunk(written.len() as u64, part);
            runtime.block_on(store(&storage, &logs, vec![next.clone()])).unwrap();
            runtime.block_on(store(&storage, &logs, vec![next])).unwrap();
            written.extend_from_slice(part);
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
        prop_assert_eq!(&raw_of(&logs, 0..written.len() as u64), &written);
        for (from, to) in cuts {
            let place = |part: f64| (written.len() as f64 * part) as usize;
            let (from, to) = (place(from.min(to)), place(from.max(to)));
            prop_assert_eq!(&raw_of(&logs, from as u64..to as u64), &written[from..to]);
        }
    }
}

/// Bytes with everything that is shown differently: line ends, carriage returns, broken UTF-8.
fn bytes() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => b'a'..=b'z',
        2 => Just(b'\n'),
        2 => Just(b'\r'),
        1 => prop::sample::select(&[0xc3u8, 0xa9, 0xff, 0x1b][..]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// After each chunk, whoever asked before and whoever asks anew see the same: ended lines as they will stay, and the line that is being
    /// written as a log that ended here would show it.
    #[test]
    fn a_followed_log_shows_each_line_and_the_one_that_is_written(
        parts in proptest::collection::vec(proptest::collection::vec(bytes(), 1..12), 1..20),
        limit in 1usize..8,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
        let logs = Logs::new(storage.clone(), volumes);
        let runtime = runtime();
        let (mut written, mut next) = (Vec::new(), 1);
        for part in parts {
            runtime.block_on(store(&storage, &logs, vec![chunk(written.len() as u64, &part)])).unwrap();
            written.extend_from_slice(&part);
            let mut expected = expected_lines(&written);
            let running = if written.ends_with(b"\n") { None } else { expected.pop() };
            loop {
                let json = runtime.block_on(logs.page_json(BUILD, 1, next, limit)).unwrap();
                let page: LogPage = serde_json::from_slice(&json.0.concat()).unwrap();
                prop_assert_eq!(&page, &logs.page(BUILD, 1, next, limit).unwrap());
                prop_assert_eq!(page.total_lines, expected.len() as u64);
                for line in &page.lines {
                    prop_assert_eq!(&line.text, &expected[line.number as usize - 1]);
                }
                next += page.lines.len() as u64;
                if page.lines.len() < limit {
                    prop_assert_eq!(next, expected.len() as u64 + 1);
                    prop_assert_eq!(page.running.as_ref().map(|line| line.number), running.as_ref().map(|_| next));
                    prop_assert_eq!(page.running.map(|line| line.text), running);
                    break;
                }
                prop_assert_eq!(page.running, None);
            }
        }
    }
}

#[test]
fn a_running_line_of_very_many_pieces_shows_its_end() {
    let dir = tempfile::tempdir().unwrap();
    let (storage, volumes, _) = OpenOptions::new(dir.path()).open().unwrap();
    let logs = Logs::new(storage.clone(), volumes);
    let runtime = runtime();
    let dots = (0..300).map(|place| chunk(place, b".")).collect();
    runtime.block_on(store(&storage, &logs, dots)).unwrap();
    let running = |logs: &Logs| logs.page(BUILD, 1, 1, 10).unwrap().running.unwrap();
    assert_eq!(running(&logs).text, format!("… {}", ".".repeat(256)));
    runtime
        .block_on(store(&storage, &logs, vec![chunk(300, b"\rdone")]))
        .unwrap();
    assert_eq!(running(&logs).text, "done");
    runtime
        .block_on(storage.write(|wtxn| complete(wtxn, BUILD, 1)))
        .unwrap();
    let page = logs.page(BUILD, 1, 1, 10).unwrap();
    assert_eq!((page.running, page.lines[0].text.as_str()), (None, "done"));
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
        let (waited, ()) =
            tokio::join!(logs.wait_for(BUILD, 1, Wanted::line(2), patience), writing);
        waited.unwrap();
        let more = Wanted {
            line: 9,
            bytes_beyond: Some(11),
        };
        let growing = store(&storage, &logs, vec![chunk(11, b"ee")]);
        let (waited, grown) = tokio::join!(logs.wait_for(BUILD, 1, more, patience), growing);
        waited.unwrap();
        grown.unwrap();
        let ending = storage.write(|wtxn| complete(wtxn, BUILD, 1));
        let (waited, ended) =
            tokio::join!(logs.wait_for(BUILD, 1, Wanted::line(9), patience), ending);
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
