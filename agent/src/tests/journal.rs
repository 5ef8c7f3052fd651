//! The journal through its own front door: written, read, torn, recovered.

use std::fs;
use std::sync::Arc;

use proptest::prelude::*;
use testhide_protocol::Timestamp;
use testhide_protocol::api::Stream;
use testhide_protocol::wire::{AttemptEnd, FileKind, Frame, RecordBody, Segment, decompress_chunk};
use tokio::sync::Notify;

use super::{Scratch, entries, lease};
use crate::spool::{Entry, Journal, RawChunk, Spool, recover};

/// Something to append.
#[derive(Debug, Clone)]
enum Item {
    Output(Vec<u8>, u32),
    Record(RecordBody),
}

fn item() -> impl Strategy<Value = Item> {
    prop_oneof![
        (proptest::collection::vec(any::<u8>(), 1..2000), 0u32..9)
            .prop_map(|(bytes, step)| Item::Output(bytes, step)),
        (0u32..9, any::<i32>()).prop_map(|(step, time)| {
            Item::Record(RecordBody::StepStarted {
                step,
                time: Timestamp(time.into()),
            })
        }),
        ".{0,60}".prop_map(|commit| Item::Record(RecordBody::SourceResolved { commit })),
    ]
}

fn append(journal: &mut Journal, item: &Item) {
    match item {
        Item::Record(body) => journal.append_record(body).unwrap(),
        Item::Output(bytes, step) => journal
            .append_chunk(RawChunk {
                bytes: bytes.clone(),
                segments: vec![Segment {
                    stream: Stream::Stdout,
                    len: bytes.len() as u32,
                }],
                step: *step,
                time: Timestamp(1),
                elapsed_ms: 2,
            })
            .unwrap(),
    }
}

/// Whether `entry` is what `item` was appended as, at this place in the log.
fn check(entry: &Entry, item: &Item, seq: u64, offset: &mut u64) {
    match (entry, item) {
        (Entry::Record(read), Item::Record(written)) => assert_eq!(read, written),
        (Entry::Chunk(frame), Item::Output(bytes, step)) => {
            let Ok(Frame::Chunk {
                seq: in_frame,
                chunk,
                ..
            }) = Frame::decode(frame.clone())
            else {
                panic!("a chunk is a frame")
            };
            assert_eq!(
                (in_frame, chunk.offset, chunk.step, chunk.check()),
                (seq, *offset, *step, Ok(()))
            );
            assert_eq!(
                &decompress_chunk(chunk.offset, chunk.raw_len, &chunk.data).unwrap(),
                bytes
            );
            *offset += bytes.len() as u64;
        }
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]
    #[test]
    fn what_is_written_is_read(items in proptest::collection::vec(item(), 0..30)) {
        let scratch = Scratch::new();
        let (spool, mut journal) = scratch.open_journal(lease(1));
        for item in &items {
            append(&mut journal, item);
        }
        journal.end(AttemptEnd::Passed, None).unwrap();
        let read = entries(&spool);
        prop_assert_eq!(read.len(), items.len() + 1);
        let mut offset = 0;
        for (index, (entry, item)) in read.iter().zip(&items).enumerate() {
            check(entry, item, index as u64 + 1, &mut offset);
        }
        let end = RecordBody::Ended { end: AttemptEnd::Passed, message: None, log_bytes: offset };
        prop_assert_eq!(read.last(), Some(&Entry::Record(end)));
        prop_assert!(spool.progress().ended);
    }
}

/// Where each record of a journal ends, the head of the file first.
fn ends(spool: &Spool, journal: &mut Journal, items: &[Item]) -> Vec<u64> {
    let mut ends = vec![spool.progress().length];
    for item in items {
        append(journal, item);
        ends.push(spool.progress().length);
    }
    ends
}

#[test]
fn a_journal_torn_at_any_byte_keeps_its_whole_records_and_goes_on() {
    let items = [
        Item::Output(b"first line\n".to_vec(), 0),
        Item::Record(RecordBody::StepStarted {
            step: 1,
            time: Timestamp(5),
        }),
        Item::Output(b"an open line".to_vec(), 1),
        Item::Record(RecordBody::SourceResolved {
            commit: "c".repeat(40),
        }),
    ];
    let scratch = Scratch::new();
    let (spool, mut journal) = scratch.open_journal(lease(1));
    let mut ends = ends(&spool, &mut journal, &items);
    journal.end(AttemptEnd::Passed, None).unwrap();
    ends.push(spool.progress().length);
    let path = spool.journal();
    let whole = fs::read(&path).unwrap();
    for cut in 0..=whole.len() {
        // Nothing, what a file system leaves after a loss of power, or garbage behind the cut.
        let tail = [&[][..], &[0; 40], &[0xff; 3]][cut % 3];
        fs::write(&path, [&whole[..cut], tail].concat()).unwrap();
        let recovered = recover(&scratch.spool_root(), &Arc::new(Notify::new())).unwrap();
        let [one] = <[_; 1]>::try_from(recovered).ok().unwrap();
        let kept = ends
            .iter()
            .filter(|end| **end <= cut as u64)
            .count()
            .saturating_sub(1);
        assert_eq!(one.spool.progress().seq, kept as u64, "cut at {cut}");
        assert_eq!(one.spool.lease(), spool.lease());
        assert_eq!(
            one.unfinished.is_none(),
            kept == items.len() + 1,
            "cut at {cut}"
        );
        assert_eq!(one.open_line, kept >= 3, "cut at {cut}");
        assert_eq!(one.step, u32::from(kept >= 2), "cut at {cut}");
        if let Some(mut journal) = one.unfinished {
            journal.end(AttemptEnd::Interrupted, None).unwrap();
            assert_eq!(entries(&one.spool).len(), kept + 1, "cut at {cut}");
        }
        let mut offset = 0;
        for (index, (entry, item)) in entries(&one.spool)
            .iter()
            .zip(&items[..kept.min(items.len())])
            .enumerate()
        {
            check(entry, item, index as u64 + 1, &mut offset);
        }
    }
}

#[test]
fn a_record_whose_file_is_lost_is_cut_off() {
    let scratch = Scratch::new();
    let (spool, mut journal) = scratch.open_journal(lease(1));
    let file = |number| RecordBody::File {
        file: number,
        kind: FileKind::Report,
        step: 0,
        path: "a.xml".to_owned(),
        size: 3,
        modified_at: None,
        partial: false,
    };
    for (number, bytes) in [(0, "abc"), (1, "ab")] {
        fs::write(spool.file(number), bytes).unwrap();
        journal.append_record(&file(number)).unwrap();
    }
    let recovered = recover(&scratch.spool_root(), &Arc::new(Notify::new())).unwrap();
    assert_eq!(recovered[0].spool.progress().seq, 1);
}

#[test]
fn a_removed_spool_is_gone_even_if_the_removal_was_cut_short() {
    let scratch = Scratch::new();
    let (spool, mut journal) = scratch.open_journal(lease(1));
    journal.end(AttemptEnd::Passed, None).unwrap();
    let half = scratch.spool_root().join("half.done");
    fs::create_dir(&half).unwrap();
    spool.remove().unwrap();
    assert!(
        recover(&scratch.spool_root(), &Arc::new(Notify::new()))
            .unwrap()
            .is_empty()
    );
    assert_eq!(fs::read_dir(scratch.spool_root()).unwrap().count(), 0);
}
