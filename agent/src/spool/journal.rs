//! Appends to a journal: the one place that gives out record numbers and log offsets, and that begins segments.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::time::Duration;

use bytes::Bytes;
use testhide_protocol::Timestamp;
use testhide_protocol::wire::{AttemptEnd, Chunk, Frame, Lease, RecordBody, Segment};
use tokio::time::Instant;

use super::boot::Boot;
use super::directory::{SpoolDir, SpoolError, sync_folder};
use super::format::{HEAD, Kind, encode};
use super::progress::Progress;
use super::segment::new_segment;
use super::slot::Slot;

/// The least time between two syncs of a journal that grows: a sync costs 5 to 8 ms whatever it holds.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// The same level as the protocol's own; a compressor that is kept saves making its tables anew for each chunk.
const ZSTD_LEVEL: i32 = 1;

/// Bytes of a segment: what is acknowledged is deleted in pieces of this size.
pub(crate) const SEGMENT_BYTES: u64 = 16 * 1024 * 1024;

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

/// A record whose bytes are made, for the place behind the journal's last one.
pub(super) struct Encoded {
    kind: Kind,
    body: Bytes,
    after: Place,
}

impl Encoded {
    /// How much it takes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.body.len() as u64
    }
}

/// A place in a journal, behind a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Number of that record.
    pub(crate) seq: u64,
    /// Raw bytes of the log up to it.
    pub(crate) log_bytes: u64,
    /// The step that was running or ran last.
    pub(crate) step: u32,
    /// Whether the log ends inside a line there.
    pub(crate) open_line: bool,
}

/// An open journal. Its caller holds the directory's lock.
pub(crate) struct Journal {
    dir: SpoolDir,
    slot: Slot,
    boot: Boot,
    file: File,
    /// First record of the segment that is written now, and its bytes.
    first: u64,
    length: u64,
    /// A segment that is this long is followed by the next.
    segment_bytes: u64,
    place: Place,
    /// Since when something is written and not synced.
    dirty_since: Option<Instant>,
    /// Segments that were left since the last sync.
    left: Vec<File>,
    /// Whether the segment was begun since then: its name is not durable.
    has_new_name: bool,
    /// Whether something half-written is behind the last record and could not be cut off.
    is_torn: bool,
    compressor: zstd::bulk::Compressor<'static>,
    /// One record's bytes, kept so that appending allocates nothing.
    scratch: Vec<u8>,
    /// Whether the end is written, told or not.
    has_end: bool,
    /// What tests do to its disk.
    #[cfg(test)]
    disk: std::sync::Arc<super::trial::Disk>,
}

impl Journal {
    /// Begins the journal of a new attempt.
    ///
    /// # Errors
    /// When there is a journal already, or the disk refuses it.
    pub(crate) fn create(dir: SpoolDir, boot: Boot) -> Result<Self, SpoolError> {
        if let Some(first) = dir.segments()?.first() {
            let exists = std::io::ErrorKind::AlreadyExists.into();
            return Err(SpoolError::at(&dir.segment(*first))(exists));
        }
        Self::begin(dir, boot, Place::default())
    }

    /// Begins a journal behind records that are not on this disk.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(super) fn begin(dir: SpoolDir, boot: Boot, place: Place) -> Result<Self, SpoolError> {
        let file = new_segment(&dir, boot, place)?;
        let (first, length) = (place.seq + 1, HEAD as u64);
        let mut journal = Self::opened(dir, boot, file, first, length, place)?;
        journal.dirty_since = Some(Instant::now());
        journal.has_new_name = true;
        Ok(journal)
    }

    /// Goes on with a journal whose last segment begins with `first` and holds whole records in `length` bytes and nothing after them.
    ///
    /// # Errors
    /// When the file cannot be opened for writing.
    pub(super) fn go_on(
        dir: SpoolDir,
        boot: Boot,
        first: u64,
        length: u64,
        place: Place,
    ) -> Result<Self, SpoolError> {
        let path = dir.segment(first);
        let file = OpenOptions::new().append(true).open(&path);
        let file = file.map_err(SpoolError::at(&path))?;
        Self::opened(dir, boot, file, first, length, place)
    }

    fn opened(
        dir: SpoolDir,
        boot: Boot,
        file: File,
        first: u64,
        length: u64,
        place: Place,
    ) -> Result<Self, SpoolError> {
        let compressor =
            zstd::bulk::Compressor::new(ZSTD_LEVEL).map_err(SpoolError::at(dir.path()))?;
        let journal = Self {
            slot: dir.progress_slot()?,
            dir,
            boot,
            file,
            first,
            length,
            segment_bytes: SEGMENT_BYTES,
            place,
            dirty_since: None,
            left: Vec::new(),
            has_new_name: false,
            is_torn: false,
            compressor,
            scratch: Vec::new(),
            has_end: false,
            #[cfg(test)]
            disk: std::sync::Arc::default(),
        };
        journal.publish(false)?;
        Ok(journal)
    }

    /// The same with segments of another size.
    pub(crate) fn with_segments_of(mut self, bytes: u64) -> Self {
        self.segment_bytes = bytes;
        self
    }

    /// Whose records these are.
    pub(crate) fn lease(&self) -> Lease {
        self.dir.lease()
    }

    /// Where the next record goes.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Compresses and appends output.
    ///
    /// # Errors
    /// When the disk refuses it; the journal is as it was before.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn append_chunk(&mut self, raw: RawChunk) -> Result<(), SpoolError> {
        let encoded = self.encode_chunk(raw)?;
        self.append(&encoded)
    }

    /// Appends a record.
    ///
    /// # Errors
    /// When the disk refuses it; the journal is as it was before.
    #[cfg(any(test, feature = "simulation"))]
    pub(crate) fn append_record(&mut self, body: &RecordBody) -> Result<(), SpoolError> {
        let encoded = self.encode_record(body);
        self.append(&encoded)
    }

    /// Compresses output for the next place.
    ///
    /// # Errors
    /// When it cannot be compressed.
    pub(super) fn encode_chunk(&mut self, raw: RawChunk) -> Result<Encoded, SpoolError> {
        let data = self
            .compressor
            .compress(&raw.bytes)
            .map_err(SpoolError::at(self.dir.path()))?;
        let raw_len =
            u32::try_from(raw.bytes.len()).expect("a chunk's bytes are limited by who cuts it");
        let after = Place {
            seq: self.place.seq + 1,
            log_bytes: self.place.log_bytes + u64::from(raw_len),
            step: raw.step,
            open_line: raw.bytes.last() != Some(&b'\n'),
        };
        let chunk = Chunk {
            offset: self.place.log_bytes,
            raw_len,
            step: raw.step,
            time: raw.time,
            elapsed_ms: raw.elapsed_ms,
            segments: raw.segments,
            data: data.into(),
        };
        debug_assert_eq!(chunk.check(), Ok(()));
        let frame = Frame::Chunk {
            lease: self.lease(),
            seq: after.seq,
            chunk,
        };
        Ok(Encoded {
            kind: Kind::Chunk,
            body: frame.encode(),
            after,
        })
    }

    /// A record for the next place.
    pub(super) fn encode_record(&self, body: &RecordBody) -> Encoded {
        let mut after = Place {
            seq: self.place.seq + 1,
            ..self.place
        };
        if let RecordBody::StepStarted { step, .. } = body {
            after.step = *step;
        }
        Encoded {
            kind: Kind::Record,
            body: json(body),
            after,
        }
    }

    /// Appends what was made for this place, and tells of it.
    ///
    /// # Errors
    /// When the disk refuses it; the same may be tried again, and is appended once.
    pub(super) fn append(&mut self, encoded: &Encoded) -> Result<(), SpoolError> {
        // A disk that copies on write may refuse even what is overwritten: the record is there then, and nobody knows of it.
        if self.place != encoded.after {
            self.write(encoded)?;
        }
        self.publish(false)
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
        if !self.has_end {
            self.write_end(end, message)?;
            self.has_end = true;
        }
        self.publish(true)
    }

    fn write_end(&mut self, end: AttemptEnd, message: Option<String>) -> Result<(), SpoolError> {
        let record = self.encode_record(&RecordBody::Ended {
            end,
            message,
            log_bytes: self.place.log_bytes,
        });
        let before = self.place;
        self.write(&record)?;
        self.sync().inspect_err(|_| self.take_back(before))
    }

    /// Makes durable what is appended.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn sync(&mut self) -> Result<(), SpoolError> {
        if self.dirty_since.is_none() {
            return Ok(());
        }
        for file in &self.left {
            file.sync_data().map_err(SpoolError::at(self.dir.path()))?;
            #[cfg(test)]
            self.disk.synced_segment();
        }
        self.left.clear();
        let path = self.dir.segment(self.first);
        self.file.sync_data().map_err(SpoolError::at(&path))?;
        if self.has_new_name {
            sync_folder(self.dir.path())?;
            self.has_new_name = false;
        }
        #[cfg(test)]
        self.disk.synced_segment();
        #[cfg(test)]
        self.disk.synced(self.place.seq);
        self.dirty_since = None;
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

    /// Begins the next segment, so that this one may be deleted once it is delivered. An empty one stays.
    ///
    /// # Errors
    /// When the disk refuses it; this segment goes on then.
    pub(super) fn leave_segment(&mut self) -> Result<(), SpoolError> {
        if self.place.seq < self.first {
            return Ok(());
        }
        #[cfg(test)]
        self.refuse_if_full()?;
        let next = new_segment(&self.dir, self.boot, self.place)?;
        let left = std::mem::replace(&mut self.file, next);
        self.left.push(left);
        self.has_new_name = true;
        self.is_torn = false;
        self.dirty_since.get_or_insert_with(Instant::now);
        self.first = self.place.seq + 1;
        self.length = HEAD as u64;
        Ok(())
    }

    fn write(&mut self, encoded: &Encoded) -> Result<(), SpoolError> {
        assert_eq!(
            encoded.after.seq,
            self.place.seq + 1,
            "a record is appended at the place it was made for"
        );
        if self.length >= self.segment_bytes {
            self.leave_segment()?;
        }
        if self.is_torn {
            let path = self.dir.segment(self.first);
            self.cut().map_err(SpoolError::at(&path))?;
        }
        self.scratch.clear();
        encode(
            encoded.kind,
            encoded.after.seq,
            &encoded.body,
            &mut self.scratch,
        );
        if let Err(error) = self.write_scratch() {
            self.cut_back();
            return Err(SpoolError::at(&self.dir.segment(self.first))(error));
        }
        self.length += self.scratch.len() as u64;
        self.place = encoded.after;
        self.dirty_since.get_or_insert_with(Instant::now);
        Ok(())
    }

    #[cfg(not(test))]
    fn write_scratch(&mut self) -> std::io::Result<()> {
        self.file.write_all(&self.scratch)
    }

    /// On a full disk a part of what is written gets there.
    #[cfg(test)]
    fn write_scratch(&mut self) -> std::io::Result<()> {
        if !self.disk.is_full() {
            return self.file.write_all(&self.scratch);
        }
        self.file
            .write_all(&self.scratch[..self.scratch.len() / 2])?;
        Err(std::io::ErrorKind::StorageFull.into())
    }

    #[cfg(test)]
    fn refuse_if_full(&self) -> Result<(), SpoolError> {
        if self.disk.is_full() {
            let full = std::io::ErrorKind::StorageFull.into();
            return Err(SpoolError::at(self.dir.path())(full));
        }
        Ok(())
    }

    /// Its disk, for a test.
    #[cfg(test)]
    pub(crate) fn disk(&self) -> std::sync::Arc<super::trial::Disk> {
        std::sync::Arc::clone(&self.disk)
    }

    /// Takes back the record that was written last, of which nobody was told.
    fn take_back(&mut self, before: Place) {
        self.place = before;
        self.length -= self.scratch.len() as u64;
        self.cut_back();
    }

    /// Takes back what is after the last record. Where even this fails it is tried before the next record; a runner that dies
    /// before leaves a torn tail, which is found by its checksum.
    fn cut_back(&mut self) {
        if let Err(error) = self.cut() {
            let path = self.dir.segment(self.first);
            tracing::error!(spool.path = %path.display(), %error, "cannot cut a half-written record");
        }
    }

    fn cut(&mut self) -> std::io::Result<()> {
        self.is_torn = true;
        self.file.set_len(self.length)?;
        self.is_torn = false;
        Ok(())
    }

    fn publish(&self, ended: bool) -> Result<(), SpoolError> {
        let progress = Progress {
            seq: self.place.seq,
            log_bytes: self.place.log_bytes,
            ended,
        };
        #[cfg(test)]
        self.disk.tell().map_err(SpoolError::at(self.dir.path()))?;
        self.slot
            .write(&progress.to_bytes())
            .map_err(SpoolError::at(self.dir.path()))
    }
}

/// Tells that a journal which is written to its end is so.
///
/// # Errors
/// When the disk refuses it.
pub(super) fn announce_end(dir: &SpoolDir, place: Place) -> Result<(), SpoolError> {
    let progress = Progress {
        seq: place.seq,
        log_bytes: place.log_bytes,
        ended: true,
    };
    dir.progress_slot()?
        .write(&progress.to_bytes())
        .map_err(SpoolError::at(dir.path()))
}

fn json(body: &RecordBody) -> Bytes {
    serde_json::to_vec(body)
        .expect("a record is plain data")
        .into()
}
