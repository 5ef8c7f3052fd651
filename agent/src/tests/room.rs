//! A journal that has no room: it waits, and nothing is dropped.

use std::sync::Arc;

use testhide_protocol::Timestamp;
use testhide_protocol::api::Stream;
use testhide_protocol::wire::{
    AttemptEnd, FileKind, Frame, Lease, RecordBody, Segment, decompress_chunk,
};

use super::{Scratch, lease, within};
use crate::clock::WorkClock;
use crate::spool::{
    Disk, Entry, Journal, JournalWriter, Patience, RawChunk, Reader, Room, Spool, delete,
};

/// Room of the attempts here.
const ROOM: u64 = 256 * 1024;

/// Chunks that are written, far more than there is room for.
const CHUNKS: u64 = 40;

/// Bytes that no compressor makes smaller, other ones for each number; they end a line.
fn chunk(number: u64) -> RawChunk {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes: Vec<u8> = (0..32 * 1024)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 32) as u8
        })
        .collect();
    bytes.push(b'\n');
    RawChunk {
        segments: vec![Segment {
            stream: Stream::Stdout,
            len: bytes.len() as u32,
        }],
        bytes,
        step: 0,
        time: Timestamp(1),
        elapsed_ms: 2,
    }
}

struct Attempt {
    _scratch: Scratch,
    spool: Arc<Spool>,
    clock: WorkClock,
    writer: JournalWriter,
    disk: Arc<Disk>,
}

impl Attempt {
    fn new(lease: Lease, room: u64) -> Self {
        let scratch = Scratch::new();
        let (spool, journal): (_, Journal) = scratch.open_journal(lease);
        let disk = journal.disk();
        let journal = journal.with_segments_of(ROOM / 4);
        let (clock, room) = (WorkClock::start(), Room::of(spool.dir().clone(), room));
        let writer = JournalWriter::start(journal, room, clock.clone(), |error| panic!("{error}"));
        Self {
            _scratch: scratch,
            spool,
            clock,
            writer,
            disk,
        }
    }

    /// Writes all chunks in a task.
    fn write(&self) -> tokio::task::JoinHandle<()> {
        let writer = self.writer.clone();
        tokio::spawn(async move {
            for number in 0..CHUNKS {
                writer.chunk(chunk(number)).await;
            }
            writer.sync().await.unwrap();
        })
    }

    fn bytes_on_disk(&self) -> u64 {
        let length = |first: &u64| {
            let segment = self.spool.dir().segment(*first);
            std::fs::metadata(segment).map_or(0, |metadata| metadata.len())
        };
        self.spool
            .dir()
            .segments()
            .unwrap()
            .iter()
            .map(length)
            .sum()
    }
}

/// Reads as delivery does, and deletes what is read: the output, and what the agent said between.
struct Delivery {
    reader: Reader,
    output: Vec<u8>,
    said: String,
}

impl Delivery {
    fn of(attempt: &Attempt) -> Self {
        Self {
            reader: Reader::open(attempt.spool.dir(), 0).unwrap(),
            output: Vec::new(),
            said: String::new(),
        }
    }

    fn deliver(&mut self, spool: &Spool) {
        spool.look();
        loop {
            let before = self.reader.head().first;
            let next = self.reader.next(spool.progress().seq).unwrap();
            let now = self.reader.head().first;
            if now != before {
                spool.has_passed_segment(before, now - 1);
            }
            let Some((seq, entry)) = next else {
                return;
            };
            spool.delivered(seq).iter().for_each(|path| delete(path));
            let Entry::Chunk(frame) = entry else { continue };
            let Ok(Frame::Chunk { chunk, .. }) = Frame::decode(frame) else {
                panic!("a chunk is a frame")
            };
            let raw = decompress_chunk(chunk.offset, chunk.raw_len, &chunk.data).unwrap();
            match chunk.segments[0].stream {
                Stream::System => self.said.push_str(std::str::from_utf8(&raw).unwrap()),
                _ => self.output.extend_from_slice(&raw),
            }
        }
    }
}

fn everything() -> Vec<u8> {
    (0..CHUNKS).flat_map(|number| chunk(number).bytes).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_waits_for_room_and_goes_on_when_the_server_took_some() {
    let attempt = Attempt::new(lease(1), ROOM);
    let mut writing = attempt.write();
    within(attempt.clock.paused()).await;
    assert!(attempt.bytes_on_disk() <= ROOM + 1024);
    assert!(attempt.bytes_on_disk() > ROOM / 2, "it waits too early");
    let mut delivery = Delivery::of(&attempt);
    within(async {
        loop {
            delivery.deliver(&attempt.spool);
            assert!(attempt.bytes_on_disk() <= ROOM + 1024);
            tokio::select! {
                result = &mut writing => break result.unwrap(),
                () = tokio::task::yield_now() => {}
            }
        }
    })
    .await;
    attempt.writer.end(AttemptEnd::Passed, None).await.unwrap();
    delivery.deliver(&attempt.spool);
    assert!(delivery.output == everything());
    let mut lines = delivery.said.lines();
    assert!(
        lines.all(|line| line.starts_with("the build waited ") && line.contains("server")),
        "{}",
        delivery.said
    );
    assert!(!delivery.said.is_empty());
    assert!(attempt.spool.progress().ended);
}

#[tokio::test]
async fn what_is_stopped_while_it_waits_writes_its_last_output() {
    let attempt = Attempt::new(lease(1), ROOM);
    let writing = attempt.write();
    within(attempt.clock.paused()).await;
    attempt.writer.set_patience(Patience::Short);
    within(writing).await.unwrap();
    let mut delivery = Delivery::of(&attempt);
    delivery.deliver(&attempt.spool);
    assert!(delivery.output == everything());
}

#[tokio::test]
async fn a_full_disk_is_waited_for_and_leaves_no_hole() {
    let attempt = Attempt::new(lease(1), u64::MAX);
    attempt.writer.chunk(chunk(0)).await;
    attempt.writer.sync().await.unwrap();
    attempt.disk.fill(true);
    let writer = attempt.writer.clone();
    let writing = tokio::spawn(async move {
        writer.chunk(chunk(1)).await;
        writer
            .record(RecordBody::SourceResolved {
                commit: "c".to_owned(),
            })
            .await;
        writer.end(AttemptEnd::Passed, None).await
    });
    within(attempt.clock.paused()).await;
    attempt.disk.fill(false);
    within(writing).await.unwrap().unwrap();
    let mut delivery = Delivery::of(&attempt);
    delivery.deliver(&attempt.spool);
    assert!(delivery.output == [chunk(0).bytes, chunk(1).bytes].concat());
    assert!(
        delivery.said.contains("the disk of the agent was full"),
        "{}",
        delivery.said
    );
    assert!(attempt.spool.progress().ended);
}

#[tokio::test]
async fn a_record_that_could_not_be_told_of_is_there_once() {
    let attempt = Attempt::new(lease(1), u64::MAX);
    attempt.disk.refuse_to_tell(1);
    attempt.writer.chunk(chunk(0)).await;
    attempt.writer.sync().await.unwrap();
    attempt.disk.refuse_to_tell(2);
    let end = attempt.writer.end(AttemptEnd::Passed, None);
    within(end).await.unwrap();
    let entries = super::entries(&attempt.spool);
    let ends = |entry: &&Entry| matches!(entry, Entry::Record(RecordBody::Ended { .. }));
    assert_eq!(entries.iter().filter(ends).count(), 1);
    let mut delivery = Delivery::of(&attempt);
    delivery.deliver(&attempt.spool);
    assert!(delivery.output == chunk(0).bytes);
    assert!(attempt.spool.progress().ended);
}

#[tokio::test]
async fn output_is_durable_after_a_second_though_nobody_asks() {
    let attempt = Attempt::new(lease(1), u64::MAX);
    attempt.writer.chunk(chunk(0)).await;
    within(async {
        while attempt.disk.syncs() != [1] {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn an_end_is_durable_before_anybody_hears_of_it() {
    let attempt = Attempt::new(lease(1), u64::MAX);
    attempt.writer.chunk(chunk(0)).await;
    attempt.writer.end(AttemptEnd::Passed, None).await.unwrap();
    attempt.spool.look();
    assert!(attempt.spool.progress().ended);
    assert_eq!(attempt.disk.syncs().last(), Some(&2));
}

#[tokio::test]
async fn a_full_disk_keeps_no_agent_from_ending() {
    let attempt = Attempt::new(lease(1), u64::MAX);
    attempt.disk.fill(true);
    let writer = attempt.writer.clone();
    let ending = tokio::spawn(async move { writer.end(AttemptEnd::Interrupted, None).await });
    within(attempt.clock.paused()).await;
    attempt.writer.set_patience(Patience::None);
    assert!(within(ending).await.unwrap().unwrap_err().is_full());
    attempt.spool.look();
    assert!(!attempt.spool.progress().ended);
}

#[tokio::test]
async fn a_file_waits_for_room_unless_nothing_else_does() {
    let attempt = Attempt::new(lease(1), ROOM);
    let (writer, dir) = (attempt.writer.clone(), attempt.spool.dir().clone());
    // Larger than all room: alone it may come.
    let file = move |bytes: u64| {
        let writer = writer.clone();
        tokio::task::spawn_blocking(move || writer.wait_for_file(bytes, || false))
    };
    assert!(within(file(ROOM * 2)).await.unwrap());
    std::fs::write(dir.file(0), vec![0; ROOM as usize * 2]).unwrap();
    let second = file(1);
    within(attempt.clock.paused()).await;
    assert!(!second.is_finished());
    delete(&dir.file(0));
    assert!(within(second).await.unwrap());
}

#[tokio::test]
async fn a_file_goes_when_all_output_before_it_is_delivered() {
    // One that is larger than all room, and one for which no other segment can be begun when it comes.
    for (bytes, is_full) in [(ROOM * 2, false), (ROOM - 10_000, true)] {
        let attempt = Attempt::new(lease(1), ROOM);
        for number in 0..3 {
            attempt.writer.chunk(chunk(number)).await;
        }
        attempt.writer.sync().await.unwrap();
        attempt.disk.fill(is_full);
        let writer = attempt.writer.clone();
        let file = tokio::task::spawn_blocking(move || writer.wait_for_file(bytes, || false));
        within(attempt.clock.paused()).await;
        attempt.writer.sync().await.unwrap();
        assert!(!file.is_finished());
        attempt.disk.fill(false);
        let mut delivery = Delivery::of(&attempt);
        let taken = within(async {
            while !file.is_finished() {
                delivery.deliver(&attempt.spool);
                tokio::task::yield_now().await;
            }
            file.await
        });
        assert!(taken.await.unwrap());
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_told_of_is_written_once() {
    let attempt = Attempt::new(lease(1), u64::MAX);
    attempt.disk.refuse_to_tell(usize::MAX);
    let writer = attempt.writer.clone();
    let writing = tokio::spawn(async move {
        writer.chunk(chunk(0)).await;
        writer.end(AttemptEnd::Passed, None).await
    });
    within(attempt.clock.paused()).await;
    attempt.disk.refuse_to_tell(0);
    within(writing).await.unwrap().unwrap();
    let mut delivery = Delivery::of(&attempt);
    delivery.deliver(&attempt.spool);
    assert!(delivery.output == chunk(0).bytes);
}

#[tokio::test]
async fn an_end_that_cannot_be_told_of_is_written_once() {
    let scratch = Scratch::new();
    let (spool, mut journal) = scratch.open_journal(lease(1));
    let refused = journal.disk();
    refused.refuse_to_tell(usize::MAX);
    assert!(journal.end(AttemptEnd::Passed, None).unwrap_err().is_full());
    refused.refuse_to_tell(0);
    journal.end(AttemptEnd::Passed, None).unwrap();
    assert_eq!(super::entries(&spool).len(), 1);
    assert!(spool.progress().ended);
}

#[test]
fn files_whose_acknowledgement_was_lost_are_deleted_with_their_segment() {
    let scratch = Scratch::new();
    let (spool, journal) = scratch.open_journal(lease(1));
    let mut journal = journal.with_segments_of(1);
    std::fs::write(spool.file(0), b"report").unwrap();
    let file = RecordBody::File {
        file: 0,
        kind: FileKind::Report,
        step: 0,
        path: "report.xml".to_owned(),
        size: 6,
        modified_at: None,
        partial: false,
    };
    journal.append_record(&file).unwrap();
    let commit = "c".to_owned();
    journal
        .append_record(&RecordBody::SourceResolved { commit })
        .unwrap();
    assert_eq!(spool.dir().segments().unwrap().len(), 2);
    // The server has both, and the agent has heard of neither.
    spool.begin_delivery(2).unwrap();
    assert_eq!(spool.dir().segments().unwrap().len(), 1);
    assert!(!spool.file(0).exists());
}
