//! Appends to a journal: the one place that gives out record numbers and log offsets.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use testhide_protocol::Timestamp;
use testhide_protocol::wire::{AttemptEnd, Chunk, Frame, RecordBody, Segment};

use super::directory::{Progress, Spool, SpoolError};
use super::format::{Kind, MAGIC, encode};

/// The least time between two syncs of a journal that grows: a sync costs 5 to 8 ms whatever it holds.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The same level as the protocol's own; a compressor that is kept saves making its tables anew for each chunk.
const ZSTD_LEVEL: i32 = 1;

/// A stretch of output before it has its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawChunk {
    /// The bytes, at most `MAX_CHUNK_RAW`.
    pub(crate) bytes: Vec<u8>,
    /// Where they came from; lengths add up to the bytes.
    pub(crate) segments: Vec<Segment>,
    /// Step that wrote them.
    pub(crate) step: u32,
    /// When the first byte was read.
    pub(crate) time: Timestamp,
    /// The same by the monotonic clock, since the attempt began.
    pub(crate) elapsed_ms: u64,
}

/// An open journal.
pub(crate) struct Journal {
    spool: Arc<Spool>,
    file: File,
    progress: Progress,
    /// Raw bytes of the log so far: the next chunk's offset.
    log_bytes: u64,
    /// Since when something is written and not synced.
    dirty_since: Option<Instant>,
    compressor: zstd::bulk::Compressor<'static>,
    /// One record's bytes, kept so that appending allocates nothing.
    scratch: Vec<u8>,
}

impl Journal {
    /// Begins the journal of a new attempt.
    ///
    /// # Errors
    /// When there is a journal already, or the disk refuses it.
    pub(crate) fn create(spool: Arc<Spool>) -> Result<Self, SpoolError> {
        let path = spool.journal();
        let mut file = OpenOptions::new()
            .append(true)
            .create_new(true)
            .open(&path)
            .map_err(SpoolError::at(&path))?;
        file.write_all(MAGIC).map_err(SpoolError::at(&path))?;
        let progress = Progress {
            length: MAGIC.len() as u64,
            seq: 0,
            ended: false,
        };
        Self::opened(spool, file, progress, 0)
    }

    /// Goes on with a journal that holds whole records up to `progress` and nothing after it.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub(super) fn go_on(
        spool: Arc<Spool>,
        progress: Progress,
        log_bytes: u64,
    ) -> Result<Self, SpoolError> {
        let path = spool.journal();
        let file = OpenOptions::new()
            .append(true)
            .open(&path)
            .map_err(SpoolError::at(&path))?;
        Self::opened(spool, file, progress, log_bytes)
    }

    fn opened(
        spool: Arc<Spool>,
        file: File,
        progress: Progress,
        log_bytes: u64,
    ) -> Result<Self, SpoolError> {
        let compressor =
            zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(SpoolError::at(&spool.journal()))?;
        spool.announce(progress);
        Ok(Self {
            spool,
            file,
            progress,
            log_bytes,
            dirty_since: None,
            compressor,
            scratch: Vec::new(),
        })
    }

    /// Compresses and appends output.
    ///
    /// # Errors
    /// When the disk refuses it; the journal is as it was before.
    pub(crate) fn append_chunk(&mut self, raw: RawChunk) -> Result<(), SpoolError> {
        let path = self.spool.journal();
        let data = self
            .compressor
            .compress(&raw.bytes)
            .map_err(SpoolError::at(&path))?;
        let raw_len =
            u32::try_from(raw.bytes.len()).expect("a chunk's bytes are limited by who cuts it");
        let chunk = Chunk {
            offset: self.log_bytes,
            raw_len,
            step: raw.step,
            time: raw.time,
            elapsed_ms: raw.elapsed_ms,
            segments: raw.segments,
            data: data.into(),
        };
        debug_assert_eq!(chunk.check(), Ok(()));
        let frame = Frame::Chunk {
            lease: self.spool.lease(),
            seq: self.progress.seq + 1,
            chunk,
        };
        self.append(Kind::Chunk, &frame.encode())?;
        self.log_bytes += u64::from(raw_len);
        self.publish(false);
        Ok(())
    }

    /// Appends a record.
    ///
    /// # Errors
    /// When the disk refuses it; the journal is as it was before.
    pub(crate) fn append_record(&mut self, body: &RecordBody) -> Result<(), SpoolError> {
        self.append(Kind::Record, &json(body))?;
        self.publish(false);
        Ok(())
    }

    /// Appends the attempt's end, syncs, and only then lets delivery see it.
    ///
    /// # Errors
    /// When the disk refuses it; it may be tried again.
    pub(crate) fn end(
        &mut self,
        end: AttemptEnd,
        message: Option<String>,
    ) -> Result<(), SpoolError> {
        let body = RecordBody::Ended {
            end,
            message,
            log_bytes: self.log_bytes,
        };
        let before = self.progress;
        self.append(Kind::Record, &json(&body))?;
        if let Err(error) = self.sync() {
            self.cut_back(before);
            return Err(error);
        }
        self.publish(true);
        Ok(())
    }

    /// Makes durable what is appended.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn sync(&mut self) -> Result<(), SpoolError> {
        if self.dirty_since.is_some() {
            self.file
                .sync_data()
                .map_err(SpoolError::at(&self.spool.journal()))?;
            self.dirty_since = None;
        }
        Ok(())
    }

    /// Makes durable what is older than a second.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn sync_if_due(&mut self) -> Result<(), SpoolError> {
        match self.dirty_since {
            Some(since) if since.elapsed() >= SYNC_EVERY => self.sync(),
            _ => Ok(()),
        }
    }

    /// How long until [`Self::sync_if_due`] has something to do; nothing when all is durable.
    pub(crate) fn sync_due_in(&self) -> Option<Duration> {
        self.dirty_since
            .map(|since| SYNC_EVERY.saturating_sub(since.elapsed()))
    }

    fn append(&mut self, kind: Kind, body: &[u8]) -> Result<(), SpoolError> {
        self.scratch.clear();
        encode(kind, self.progress.seq + 1, body, &mut self.scratch);
        if let Err(error) = self.file.write_all(&self.scratch) {
            self.cut_back(self.progress);
            return Err(SpoolError::at(&self.spool.journal())(error));
        }
        self.progress.length += self.scratch.len() as u64;
        self.progress.seq += 1;
        self.dirty_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    /// Takes back what is after `progress`. Where even this fails, the torn tail is found by its checksum at the next
    /// start, and nobody was told of it.
    fn cut_back(&mut self, progress: Progress) {
        if let Err(error) = self.file.set_len(progress.length) {
            let path = self.spool.journal();
            tracing::error!(spool.path = %path.display(), %error, "cannot cut a half-written record");
        }
        self.progress = progress;
    }

    fn publish(&mut self, ended: bool) {
        self.progress.ended = ended;
        self.spool.announce(self.progress);
    }
}

fn json(body: &RecordBody) -> Vec<u8> {
    serde_json::to_vec(body).expect("a record is plain data")
}

/// Cuts a file and makes the cut durable.
pub(super) fn truncate(file: &File, length: u64) -> io::Result<()> {
    file.set_len(length)?;
    file.sync_all()
}
