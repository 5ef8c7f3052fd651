//! How far one attempt is sent: reads its spool behind the writer, file parts before the record that names them.

use std::collections::VecDeque;
use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use testhide_protocol::wire::{AgentMessage, Frame, Lease, MAX_FILE_PART, RecordBody};
use tokio_tungstenite::tungstenite::Message;

use crate::spool::{Entry, Reader, Spool, SpoolError, delete};

/// The most bytes of records that are sent and not acknowledged. What is under way when a connection breaks is sent again.
const MAX_IN_FLIGHT: usize = 8 * 1024 * 1024;

/// A place in one attempt's records.
pub(super) struct Cursor {
    spool: Arc<Spool>,
    /// Nothing while nobody knows how much of the journal is left.
    reader: Option<Reader>,
    /// The server has everything up to here.
    stored: u64,
    /// Sent and not acknowledged: number and bytes.
    in_flight: VecDeque<(u64, usize)>,
    in_flight_bytes: usize,
    /// A file whose record waits until its bytes are sent.
    file: Option<SentFile>,
}

struct SentFile {
    file: File,
    number: u32,
    offset: u64,
    seq: u64,
    record: RecordBody,
    size: u64,
}

impl Cursor {
    /// Goes on behind the record `seq`, once the journal is known to be whole.
    ///
    /// # Errors
    /// When the journal has no such record.
    pub(super) fn after(spool: Arc<Spool>, seq: u64) -> Result<Self, SpoolError> {
        let mut cursor = Self {
            spool,
            reader: None,
            stored: seq,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            file: None,
        };
        cursor.open()?;
        Ok(cursor)
    }

    fn open(&mut self) -> Result<(), SpoolError> {
        // A runner that has only begun has no journal yet.
        let has_journal = self.spool.progress().seq > 0;
        if self.reader.is_some() || !self.spool.is_settled() || !has_journal {
            return Ok(());
        }
        self.spool.begin_delivery(self.stored)?;
        let mut reader = Reader::open(self.spool.dir(), self.stored)?;
        let before = reader.head().first;
        for number in reader.skip_to(self.stored)? {
            delete(&self.spool.file(number));
        }
        let now = reader.head().first;
        if now != before {
            self.spool.has_passed_segment(before, now - 1);
        }
        self.reader = Some(reader);
        Ok(())
    }

    /// Whose records these are.
    pub(super) fn lease(&self) -> Lease {
        self.spool.lease()
    }

    /// The server has everything up to `seq`.
    pub(super) fn acknowledged(&mut self, seq: u64) {
        while let Some((_, bytes)) = self.in_flight.pop_front_if(|(sent, _)| *sent <= seq) {
            self.in_flight_bytes -= bytes;
        }
    }

    /// The next frame, if there is one now.
    ///
    /// # Errors
    /// When the spool cannot be read.
    pub(super) fn next(&mut self) -> Result<Option<Message>, SpoolError> {
        if let Some(sent) = &mut self.file {
            if let Some(frame) = sent.next_part(&self.spool)? {
                return Ok(Some(Message::binary(frame)));
            }
            let (seq, record) = (sent.seq, sent.record.clone());
            self.spool.has_sent_file(seq, sent.number);
            self.file = None;
            return Ok(Some(self.record(seq, record)));
        }
        if self.in_flight_bytes >= MAX_IN_FLIGHT {
            return Ok(None);
        }
        self.open()?;
        let Some(reader) = &mut self.reader else {
            return Ok(None);
        };
        let before = reader.head().first;
        let next = reader.next(self.spool.progress().seq)?;
        let now = reader.head().first;
        if now != before {
            self.spool.has_passed_segment(before, now - 1);
        }
        let Some((seq, entry)) = next else {
            return Ok(None);
        };
        match entry {
            Entry::Chunk(frame) => {
                self.sent(seq, frame.len());
                Ok(Some(Message::binary(frame)))
            }
            Entry::Record(record) => {
                if let RecordBody::File {
                    file: number, size, ..
                } = record
                {
                    let path = self.spool.file(number);
                    let file = File::open(&path).map_err(SpoolError::at(&path))?;
                    self.file = Some(SentFile {
                        file,
                        number,
                        offset: 0,
                        seq,
                        record,
                        size,
                    });
                    return self.next();
                }
                Ok(Some(self.record(seq, record)))
            }
        }
    }

    fn record(&mut self, seq: u64, body: RecordBody) -> Message {
        let message = AgentMessage::Record {
            lease: self.lease(),
            seq,
            body,
        };
        let text = serde_json::to_string(&message).expect("a message is plain data");
        self.sent(seq, text.len());
        Message::text(text)
    }

    fn sent(&mut self, seq: u64, bytes: usize) {
        self.in_flight.push_back((seq, bytes));
        self.in_flight_bytes += bytes;
    }
}

impl SentFile {
    /// The next part; nothing when all are sent.
    fn next_part(&mut self, spool: &Spool) -> Result<Option<Bytes>, SpoolError> {
        let left = self.size - self.offset;
        if left == 0 {
            return Ok(None);
        }
        let length = usize::try_from(left).map_or(MAX_FILE_PART, |left| left.min(MAX_FILE_PART));
        let mut data = vec![0u8; length];
        let path = spool.file(self.number);
        self.file
            .read_exact(&mut data)
            .map_err(SpoolError::at(&path))?;
        let frame = Frame::File {
            lease: spool.lease(),
            file: self.number,
            offset: self.offset,
            data: data.into(),
        };
        self.offset += length as u64;
        Ok(Some(frame.encode()))
    }
}
