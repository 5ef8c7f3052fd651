//! The journal through its own front door: written, read, torn, recovered.

use std::fs;

use proptest::prelude::*;
use testhide_protocol::Timestamp;
use testhide_protocol::api::Stream;
use testhide_protocol::wire::{AttemptEnd, FileKind, Frame, RecordBody, Segment, decompress_chunk};

use super::{Scratch, entries, lease};
use crate::spool::{
    Boot, Entry, Journal, RawChunk, SpoolDir, Stored, directories, recover, recover_cut,
};

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

/// What the only segment of a journal is long after its head and after each item.
fn ends(dir: &SpoolDir, journal: &mut Journal, items: &[Item]) -> Vec<u64> {
    let length = || fs::metadata(dir.segment(1)).unwrap().len();
    let mut ends = vec![length()];
    for item in items {
        append(journal, item);
        ends.push(length());
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
    let dir = spool.dir();
    let mut ends = ends(dir, &mut journal, &items);
    journal.end(AttemptEnd::Passed, None).unwrap();
    let path = dir.segment(1);
    let whole = fs::read(&path).unwrap();
    ends.push(whole.len() as u64);
    for cut in 0..=whole.len() {
        // Nothing, what a file system leaves after a loss of power, or garbage behind the cut.
        let tail = [&[][..], &[0; 40], &[0xff; 3]][cut % 3];
        fs::write(&path, [&whole[..cut], tail].concat()).unwrap();
        let kept = ends.iter().filter(|end| **end <= cut as u64).count();
        let kept = kept.saturating_sub(1);
        match recover(dir, Boot::current()).unwrap().unfinished {
            None => assert_eq!(kept, items.len() + 1, "cut at {cut}"),
            Some(mut journal) => {
                let place = journal.place();
                let expected = (kept as u64, u32::from(kept >= 2), kept >= 3);
                assert_eq!(
                    (place.seq, place.step, place.open_line),
                    expected,
                    "cut at {cut}"
                );
                journal.end(AttemptEnd::Interrupted, None).unwrap();
            }
        }
        let read = entries(&spool);
        assert_eq!(read.len(), (kept + 1).min(items.len() + 1), "cut at {cut}");
        let mut offset = 0;
        for (index, (entry, item)) in read.iter().zip(&items[..kept.min(items.len())]).enumerate() {
            check(entry, item, index as u64 + 1, &mut offset);
        }
    }
}

#[test]
fn a_runner_that_is_started_twice_runs_once() {
    let scratch = Scratch::new();
    let (spool, journal) = scratch.open_journal(lease(1));
    drop(journal);
    assert!(Journal::create(spool.dir().clone(), Boot::current()).is_err());
    let lock = spool.dir().lock().unwrap();
    assert!(lock.is_some() && spool.dir().is_locked());
    drop(lock);
    assert!(!spool.dir().is_locked());
}

#[test]
fn a_record_whose_file_went_with_the_machine_is_cut_off() {
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
    // The first is delivered and deleted, the second whole, the third not.
    for (number, bytes) in [(0, None), (1, Some("abc")), (2, Some("ab"))] {
        if let Some(bytes) = bytes {
            fs::write(spool.file(number), bytes).unwrap();
        }
        journal.append_record(&file(number)).unwrap();
    }
    let stored = Stored {
        seq: 1,
        log_bytes: 0,
    };
    let recovered = recover_cut(spool.dir(), Boot::numbered(2), stored).unwrap();
    assert!(recovered.is_cut);
    assert_eq!(recovered.unfinished.unwrap().place().seq, 2);
}

#[test]
fn nothing_is_deleted_that_the_server_does_not_have() {
    let scratch = Scratch::new();
    let (spool, journal) = scratch.open_journal(lease(1));
    let mut journal = journal.with_segments_of(1);
    for byte in 0..4 {
        append(&mut journal, &Item::Output(vec![byte], 0));
    }
    let dir = spool.dir();
    let check = |seq: u64, expected: &[u64]| {
        spool.begin_delivery(seq).unwrap();
        assert_eq!(dir.segments().unwrap(), expected, "behind {seq}");
    };
    check(0, &[1, 2, 3, 4]);
    check(1, &[2, 3, 4]);
    check(3, &[4]);
    check(4, &[4]);
    for number in 0..2 {
        spool.has_sent_file(5 + 2 * u64::from(number), number);
        spool.has_passed_segment(4 + 2 * u64::from(number), 6 + 2 * u64::from(number));
    }
    let check = |seq: u64, expected: &[std::path::PathBuf]| {
        assert_eq!(spool.delivered(seq), expected, "up to {seq}");
    };
    check(4, &[]);
    check(5, &[spool.file(0)]);
    check(6, &[dir.segment(4)]);
    check(8, &[spool.file(1), dir.segment(6)]);
}

#[test]
fn a_sync_reaches_the_segments_that_were_left() {
    let scratch = Scratch::new();
    let (_spool, journal) = scratch.open_journal(lease(1));
    let mut journal = journal.with_segments_of(1);
    for synced in [3, 6] {
        for byte in 0..3 {
            append(&mut journal, &Item::Output(vec![byte], 0));
        }
        journal.sync().unwrap();
        // Beginning with the second time, the last segment of the time before is one that was left.
        assert_eq!(journal.disk().synced_segments(), synced + synced / 6);
    }
}

#[test]
fn a_removed_spool_is_gone_even_if_the_removal_was_cut_short() {
    let scratch = Scratch::new();
    let (spool, mut journal) = scratch.open_journal(lease(1));
    journal.end(AttemptEnd::Passed, None).unwrap();
    let half = scratch.spool_root().join("half.done");
    fs::create_dir(&half).unwrap();
    spool.dir().remove().unwrap();
    assert_eq!(directories(&scratch.spool_root()).unwrap(), []);
    assert_eq!(fs::read_dir(scratch.spool_root()).unwrap().count(), 0);
}
