//! Any life of a journal, with the death of its runner or of its machine at the end: what is read afterwards is what was written, up
//! to a place, and never with a hole.

use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use testhide_protocol::Timestamp;
use testhide_protocol::api::Stream;
use testhide_protocol::wire::{AttemptEnd, Frame, RecordBody, Segment, decompress_chunk};

use super::{Scratch, lease};
use crate::spool::{
    Boot, Entry, Journal, RawChunk, Reader, Spool, SpoolDir, Stored, Survival, delete, recover,
    recover_cut, survival,
};

/// What happens to a journal.
#[derive(Debug, Clone)]
enum Event {
    /// Output of so many bytes.
    Output(usize),
    /// A record that is no output.
    Record,
    /// The second is over.
    Sync,
    /// The server has this part of what it does not have yet, in hundredths.
    Acknowledge(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        5 => (1usize..400).prop_map(Event::Output),
        2 => Just(Event::Record),
        1 => Just(Event::Sync),
        1 => (0u64..=100).prop_map(Event::Acknowledge),
    ]
}

/// The journal with all that is known of it.
struct Life {
    spool: std::sync::Arc<Spool>,
    journal: Journal,
    /// The log, and where each record ends in it.
    log: Vec<u8>,
    ends: Vec<usize>,
    /// Bytes of each segment that are synced, and the last record that is.
    synced: BTreeMap<u64, u64>,
    synced_seq: u64,
    stored: u64,
    reader: Option<Reader>,
}

impl Life {
    fn new(scratch: &Scratch) -> Self {
        let (spool, journal) = scratch.open_journal(lease(1));
        Self {
            spool,
            journal: journal.with_segments_of(700),
            log: Vec::new(),
            ends: vec![0],
            synced: BTreeMap::new(),
            synced_seq: 0,
            stored: 0,
            reader: None,
        }
    }

    fn dir(&self) -> &SpoolDir {
        self.spool.dir()
    }

    fn last(&self) -> u64 {
        self.ends.len() as u64 - 1
    }

    fn live(&mut self, event: &Event) {
        match event {
            Event::Output(size) => {
                // Each byte says where it stands.
                let bytes: Vec<u8> = (0..*size)
                    .map(|at| ((self.log.len() + at) % 251) as u8)
                    .collect();
                self.log.extend_from_slice(&bytes);
                self.journal
                    .append_chunk(RawChunk {
                        segments: vec![Segment {
                            stream: Stream::Stdout,
                            len: *size as u32,
                        }],
                        bytes,
                        step: 0,
                        time: Timestamp(1),
                        elapsed_ms: 2,
                    })
                    .unwrap();
                self.ends.push(self.log.len());
            }
            Event::Record => {
                let commit = "c".to_owned();
                self.journal
                    .append_record(&RecordBody::SourceResolved { commit })
                    .unwrap();
                self.ends.push(self.log.len());
            }
            Event::Sync => {
                self.journal.sync().unwrap();
                self.synced_seq = self.last();
                for first in self.dir().segments().unwrap() {
                    let length = fs::metadata(self.dir().segment(first)).unwrap().len();
                    self.synced.insert(first, length);
                }
            }
            Event::Acknowledge(hundredths) => self.acknowledge(*hundredths),
        }
    }

    /// Delivers and deletes as the agent does.
    fn acknowledge(&mut self, hundredths: u64) {
        self.spool.look();
        assert_eq!(self.spool.progress().seq, self.last());
        let reader = self
            .reader
            .get_or_insert_with(|| Reader::open(self.spool.dir(), 0).unwrap());
        loop {
            let before = reader.head().first;
            let next = reader.next(self.ends.len() as u64 - 1).unwrap();
            let now = reader.head().first;
            if now != before {
                self.spool.has_passed_segment(before, now - 1);
            }
            if next.is_none() {
                break;
            }
        }
        self.stored += (self.last() - self.stored) * hundredths / 100;
        self.spool
            .delivered(self.stored)
            .iter()
            .for_each(|path| delete(path));
    }

    /// The machine goes down: of what was not synced, a part is there, other bytes, or nothing.
    fn lose_power(&self, mut random: u64) {
        for first in self.dir().segments().unwrap() {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let path = self.dir().segment(first);
            let mut bytes = fs::read(&path).unwrap();
            let safe = self.synced.get(&first).copied().unwrap_or(0) as usize;
            let cut = safe + (random >> 33) as usize % (bytes.len() - safe + 1);
            match random % 4 {
                0 if safe == 0 => {
                    fs::remove_file(&path).unwrap();
                    continue;
                }
                1 => bytes[cut..].fill(0),
                _ => bytes.truncate(cut),
            }
            fs::write(&path, bytes).unwrap();
        }
        // Nobody syncs this.
        fs::write(self.dir().path().join("progress"), [0; 25]).unwrap();
    }

    /// Ends the journal and reads what is behind the server's last record.
    fn check(&self, journal: Option<Journal>, at_least: u64) {
        let mut journal = journal.expect("it had no end");
        let place = journal.place();
        assert!(place.seq >= at_least.max(self.stored), "{place:?}");
        assert_eq!(place.log_bytes, self.ends[place.seq as usize] as u64);
        journal.end(AttemptEnd::Interrupted, None).unwrap();
        self.spool.look();
        assert!(self.spool.progress().ended);
        assert_eq!(self.spool.progress().seq, place.seq + 1);
        let mut reader = Reader::open(self.dir(), self.stored).unwrap();
        reader.skip_to(self.stored).unwrap();
        let mut log = self.log[..self.ends[self.stored as usize]].to_vec();
        let mut last = None;
        while let Some((_, entry)) = reader.next(place.seq + 1).unwrap() {
            if let Entry::Chunk(frame) = &entry {
                let Ok(Frame::Chunk { chunk, .. }) = Frame::decode(frame.clone()) else {
                    panic!("a chunk is a frame")
                };
                assert_eq!(chunk.offset, log.len() as u64);
                log.extend(decompress_chunk(chunk.offset, chunk.raw_len, &chunk.data).unwrap());
            }
            last = Some(entry);
        }
        assert!(log == self.log[..self.ends[place.seq as usize]]);
        let end = Entry::Record(RecordBody::Ended {
            end: AttemptEnd::Interrupted,
            message: None,
            log_bytes: log.len() as u64,
        });
        assert_eq!(last, Some(end));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn a_dead_runner_loses_nothing(
        events in proptest::collection::vec(event(), 0..60), torn in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let scratch = Scratch::new();
        let mut life = Life::new(&scratch);
        events.iter().for_each(|event| life.live(event));
        // It died in the middle of a write.
        let last = life.dir().segments().unwrap().pop().unwrap();
        let path = life.dir().segment(last);
        let mut bytes = fs::read(&path).unwrap();
        bytes.extend(torn);
        fs::write(&path, bytes).unwrap();
        let now = Boot::current();
        prop_assert_eq!(survival(life.dir(), now), Survival::Whole);
        let recovered = recover(life.dir(), now).unwrap();
        prop_assert!(!recovered.is_cut);
        life.check(recovered.unfinished, life.last());
    }

    #[test]
    fn a_dead_machine_loses_only_what_was_not_synced(
        events in proptest::collection::vec(event(), 0..60), random in any::<u64>(), sent in 0u64..=100,
    ) {
        let scratch = Scratch::new();
        let mut life = Life::new(&scratch);
        events.iter().for_each(|event| life.live(event));
        // What was sent may be stored although the agent never heard so.
        life.stored += (life.last() - life.stored) * sent / 100;
        life.lose_power(random);
        let after = Boot::numbered(7);
        prop_assert_eq!(survival(life.dir(), after), Survival::Unknown);
        let log_bytes = life.ends[life.stored as usize] as u64;
        let stored = Stored { seq: life.stored, log_bytes };
        let recovered = recover_cut(life.dir(), after, stored).unwrap();
        life.check(recovered.unfinished, life.synced_seq);
    }
}
