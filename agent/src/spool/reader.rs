//! Reads a journal's records in order, behind a writer that may still append.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use bytes::Bytes;
use testhide_protocol::wire::RecordBody;

use super::directory::{Spool, SpoolError};
use super::format::{HEADER, Header, Kind, MAGIC};

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A log chunk as it goes over the wire.
    Chunk(Bytes),
    /// Anything else.
    Record(RecordBody),
}

/// A place in a journal. Nothing is read ahead: what is behind the announced length may still be taken back.
pub(crate) struct Reader {
    file: File,
    /// Where the next record begins.
    position: u64,
    /// The last record that was read.
    seq: u64,
}

impl Reader {
    /// Opens a journal before its first record.
    ///
    /// # Errors
    /// When there is no journal, or the disk refuses it.
    pub(crate) fn open(spool: &Spool) -> Result<Self, SpoolError> {
        let path = spool.journal();
        let open = || {
            let mut file = File::open(&path)?;
            let mut magic = [0u8; MAGIC.len()];
            file.read_exact(&mut magic)?;
            if &magic == MAGIC {
                Ok(file)
            } else {
                Err(damaged("it does not begin as a journal"))
            }
        };
        let file = open().map_err(SpoolError::at(&path))?;
        Ok(Self {
            file,
            position: MAGIC.len() as u64,
            seq: 0,
        })
    }

    /// Where the next record begins.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Goes on after the record `seq`.
    ///
    /// # Errors
    /// When the journal has no such record within `length`.
    pub(crate) fn skip_to(
        &mut self,
        spool: &Spool,
        seq: u64,
        length: u64,
    ) -> Result<(), SpoolError> {
        while self.seq < seq {
            let step = |reader: &mut Self| {
                let header = reader.header(length)?;
                let header =
                    header.ok_or_else(|| damaged("a record that the server has is missing"))?;
                reader.passed(&header);
                Ok(())
            };
            step(self).map_err(SpoolError::at(&spool.journal()))?;
        }
        Ok(())
    }

    /// The next record that lies within the first `length` bytes, with its number.
    ///
    /// # Errors
    /// When the bytes there are no record.
    pub(crate) fn next(
        &mut self,
        spool: &Spool,
        length: u64,
    ) -> Result<Option<(u64, Entry)>, SpoolError> {
        self.read(length).map_err(SpoolError::at(&spool.journal()))
    }

    fn read(&mut self, length: u64) -> io::Result<Option<(u64, Entry)>> {
        let Some(header) = self.header(length)? else {
            return Ok(None);
        };
        let mut body = vec![0u8; header.length];
        self.file.read_exact(&mut body)?;
        if !header.fits(&body) {
            return Err(damaged("a record does not fit its checksum"));
        }
        let entry = match header.kind {
            Kind::Chunk => Entry::Chunk(body.into()),
            Kind::Record => Entry::Record(serde_json::from_slice(&body)?),
        };
        self.passed(&header);
        Ok(Some((header.seq, entry)))
    }

    /// The next header; nothing at the end. Leaves the file behind the header.
    fn header(&mut self, length: u64) -> io::Result<Option<Header>> {
        if self.position >= length {
            return Ok(None);
        }
        self.file.seek(SeekFrom::Start(self.position))?;
        let mut bytes = [0u8; HEADER];
        self.file.read_exact(&mut bytes)?;
        let header = Header::parse(&bytes).ok_or_else(|| damaged("bytes that are no record"))?;
        if header.seq != self.seq + 1 {
            return Err(damaged("a record out of order"));
        }
        if self.position + (HEADER + header.length) as u64 > length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Some(header))
    }

    fn passed(&mut self, header: &Header) {
        self.position += (HEADER + header.length) as u64;
        self.seq = header.seq;
    }
}

fn damaged(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}
