//! Reads a journal's records in order, segment after segment, behind a writer that may still append.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use testhide_protocol::wire::RecordBody;

use super::directory::{SpoolDir, SpoolError};
use super::format::{HEAD, HEADER, Header, Kind, SegmentHead};

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A log chunk as it goes over the wire.
    Chunk(Bytes),
    /// Anything else.
    Record(RecordBody),
}

/// A place in a journal. Nothing is read ahead: what is behind the last announced record may still be taken back.
pub(crate) struct Reader {
    dir: SpoolDir,
    file: File,
    head: SegmentHead,
    /// Where the next record begins in the segment.
    position: u64,
    /// The last record that was read.
    seq: u64,
}

impl Reader {
    /// Opens the segment in which the record behind `seq` is or will be, before its first record.
    ///
    /// # Errors
    /// When there is no such segment any more, or the disk refuses it.
    pub(crate) fn open(dir: &SpoolDir, seq: u64) -> Result<Self, SpoolError> {
        let segments = dir.segments()?;
        let first = segments.iter().rev().find(|first| **first <= seq + 1);
        let first = first.ok_or_else(|| damaged("records that the server needs are gone"));
        let first = first.map_err(SpoolError::at(dir.path()))?;
        Self::open_segment(dir, *first)
    }

    /// Opens the segment that begins with the record `first`.
    ///
    /// # Errors
    /// When there is none, or it has no head.
    pub(super) fn open_segment(dir: &SpoolDir, first: u64) -> Result<Self, SpoolError> {
        let path = dir.segment(first);
        let open = || {
            let mut file = File::open(&path)?;
            let mut bytes = [0u8; HEAD];
            file.read_exact(&mut bytes)?;
            let head = SegmentHead::parse(&bytes).filter(|head| head.first == first);
            Ok((
                file,
                head.ok_or_else(|| damaged("it does not begin as a journal"))?,
            ))
        };
        let (file, head) = open().map_err(SpoolError::at(&path))?;
        Ok(Self {
            dir: dir.clone(),
            file,
            head,
            position: HEAD as u64,
            seq: first - 1,
        })
    }

    /// The segment that is read now.
    pub(crate) fn head(&self) -> SegmentHead {
        self.head
    }

    /// Where the next record begins in it.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Goes on after the record `seq`; gives the files that the records until there name.
    ///
    /// # Errors
    /// When the journal has no such record.
    pub(crate) fn skip_to(&mut self, seq: u64) -> Result<Vec<u32>, SpoolError> {
        let mut files = Vec::new();
        while let Some((_, entry)) = self.next(seq)? {
            if let Entry::Record(RecordBody::File { file, .. }) = entry {
                files.push(file);
            }
        }
        Ok(files)
    }

    /// The next record with its number, unless it is behind `last`; then it goes to the next segment, if the writer has begun one behind
    /// this record.
    ///
    /// # Errors
    /// When the bytes there are no record.
    pub(crate) fn next(&mut self, last: u64) -> Result<Option<(u64, Entry)>, SpoolError> {
        if self.seq >= last {
            let is_left = self.seq >= self.head.first && self.dir.segment(self.seq + 1).exists();
            if is_left {
                *self = Self::open_segment(&self.dir, self.seq + 1)?;
            }
            return Ok(None);
        }
        let read = match self.read() {
            // The writer has begun the next segment behind this record.
            Ok(None) => {
                let next = Self::open_segment(&self.dir, self.seq + 1)?;
                *self = next;
                self.read()
            }
            other => other,
        };
        read.and_then(|read| read.ok_or_else(|| damaged("a record is missing")))
            .map(Some)
            .map_err(SpoolError::at(&self.dir.segment(self.head.first)))
    }

    /// The next record of this segment; nothing at its end.
    fn read(&mut self) -> io::Result<Option<(u64, Entry)>> {
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut bytes = [0u8; HEADER];
        let first = self.file.read(&mut bytes)?;
        if first == 0 {
            return Ok(None);
        }
        self.file.read_exact(&mut bytes[first..])?;
        let header = Header::parse(&bytes).ok_or_else(|| damaged("bytes that are no record"))?;
        if header.seq != self.seq + 1 {
            return Err(damaged("a record out of order"));
        }
        let mut body = vec![0u8; header.length];
        self.file.read_exact(&mut body)?;
        if !header.fits(&body) {
            return Err(damaged("a record does not fit its checksum"));
        }
        let entry = match header.kind {
            Kind::Chunk => Entry::Chunk(body.into()),
            Kind::Record => Entry::Record(serde_json::from_slice(&body)?),
        };
        self.position += (HEADER + header.length) as u64;
        self.seq = header.seq;
        Ok(Some((header.seq, entry)))
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
