//! Reads an archive frame by frame, and finds the next whole frame behind a damaged place.

use super::archive::{
    BLOCK, HEAD_BYTES, Head, Kind, LARGEST_BLOCK, MARK, SEAL_BYTES, SEAL_MARK, START_BYTES, Start,
    check_of, decode_start, rows_of, version_refusal,
};
use super::manifest::{Header, Manifest};
use crate::storage::StorageError;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// Bytes looked through at once in the search for a frame.
const WINDOW: usize = 256 * 1024;

/// A frame with what it carries; a block's rows are known to be whole.
#[derive(Debug)]
pub(super) enum Frame {
    Header(Header),
    Block {
        name: String,
        rows: u32,
        raw: Vec<u8>,
    },
    Manifest(Manifest),
}

/// Why there is no frame.
#[derive(Debug)]
pub(super) enum Fault {
    /// The archive is not as it was written.
    Damaged { at: u64, what: String },
    /// It could not be read at all.
    Failed(io::Error),
}

/// An archive that is being read.
pub(super) struct ArchiveReader {
    path: PathBuf,
    file: BufReader<File>,
    len: u64,
    at: u64,
    /// Where the frame that is being read begins; a search starts there, since what a damaged frame claims may be wrong.
    frame_at: u64,
    whole: blake3::Hasher,
    archive: Option<u64>,
    next: u64,
    decompressor: zstd::bulk::Decompressor<'static>,
}

impl ArchiveReader {
    /// Opens the file at `path` and stands at its first byte.
    pub(super) fn open(path: &Path) -> Result<Self, StorageError> {
        let failed = |source| StorageError::io("read", path, source);
        let file = File::open(path).map_err(failed)?;
        let len = file.metadata().map_err(failed)?.len();
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::with_capacity(WINDOW, file),
            len,
            at: 0,
            frame_at: 0,
            whole: blake3::Hasher::new(),
            archive: None,
            next: 0,
            decompressor: zstd::bulk::Decompressor::new().map_err(failed)?,
        })
    }

    /// Reads the start. An archive of another version is [`StorageError::Backup`]; a damaged start is the inner error.
    pub(super) fn start(&mut self) -> Result<Result<(), Fault>, StorageError> {
        let bytes = match self.take(START_BYTES as u64, "its first line") {
            Ok(bytes) => bytes,
            Err(fault) => return Ok(Err(fault)),
        };
        let damaged = |what: &str| {
            Ok(Err(Fault::Damaged {
                at: 0,
                what: what.to_owned(),
            }))
        };
        match decode_start(bytes.as_slice().try_into().expect("that many were taken")) {
            Start::Known => Ok(Ok(())),
            Start::Other(version) => Err(self.refuse(version_refusal(version))),
            Start::Damaged => damaged("its first line does not match its checksum"),
            Start::Foreign => damaged("it does not begin like a backup of testhide"),
        }
    }

    /// The next frame.
    pub(super) fn next_frame(&mut self) -> Result<Frame, Fault> {
        let start = self.at;
        self.frame_at = start;
        let damaged = |what: String| Err(Fault::Damaged { at: start, what });
        let head = self.head()?;
        if *self.archive.get_or_insert(head.archive) != head.archive {
            return damaged(format!("{} belongs to another archive", head.label()));
        }
        if u64::from(head.number) != self.next {
            return damaged(format!(
                "{} stands where frame {} should",
                head.label(),
                self.next
            ));
        }
        // Seen, whatever becomes of its payload: a search that follows does not come back to it.
        self.next += 1;
        if head.stored_len as usize > LARGEST_BLOCK + BLOCK {
            return damaged(format!("{} is larger than a block may be", head.label()));
        }
        let stored = self.take(u64::from(head.stored_len), &head.label())?;
        if check_of(&stored) != head.payload_check {
            return damaged(format!("{} does not match its checksum", head.label()));
        }
        self.content(&head, &stored).map_or_else(
            || damaged(format!("{} cannot be understood", head.label())),
            Ok,
        )
    }

    /// Checks that the seal follows, that it fits everything that was read, and that nothing comes after it.
    pub(super) fn finish(&mut self) -> Result<(), Fault> {
        let hash = self.whole.finalize();
        let start = self.at;
        let seal = self.take(SEAL_BYTES as u64, "its seal")?;
        let damaged = |what: &str| {
            Err(Fault::Damaged {
                at: start,
                what: what.to_owned(),
            })
        };
        if seal.strip_prefix(&SEAL_MARK) != Some(hash.as_bytes()) {
            return damaged("its seal does not fit what stands before");
        }
        if self.at != self.len {
            return Err(Fault::Damaged {
                at: self.at,
                what: format!("{} bytes follow its end", self.len - self.at),
            });
        }
        Ok(())
    }

    /// Goes to the next whole head behind a fault, and says whether there is one.
    pub(super) fn search(&mut self) -> Result<bool, StorageError> {
        let mut from = self.frame_at;
        loop {
            let Some(found) = self.find_mark(from).map_err(|source| self.failed(source))? else {
                return Ok(false);
            };
            self.seek(found).map_err(|source| self.failed(source))?;
            match self.head() {
                Ok(head)
                    if u64::from(head.number) >= self.next
                        && self.archive.is_none_or(|archive| archive == head.archive) =>
                {
                    self.next = u64::from(head.number);
                    self.seek(found).map_err(|source| self.failed(source))?;
                    return Ok(true);
                }
                Ok(_) | Err(Fault::Damaged { .. }) => from = found + 1,
                Err(Fault::Failed(source)) => return Err(self.failed(source)),
            }
        }
    }

    /// Bytes that were read, and bytes that there are.
    pub(super) fn position(&self) -> (u64, u64) {
        (self.at, self.len)
    }

    /// The error of an archive that cannot be used.
    pub(super) fn refuse(&self, what: String) -> StorageError {
        StorageError::Backup {
            path: self.path.clone(),
            what,
        }
    }

    /// The error of one that must be whole and is not.
    pub(super) fn broken(&self, fault: Fault) -> StorageError {
        match fault {
            Fault::Damaged { at, what } => self.refuse(format!("{what}, at byte {at}")),
            Fault::Failed(source) => self.failed(source),
        }
    }

    fn failed(&self, source: io::Error) -> StorageError {
        StorageError::io("read", &self.path, source)
    }

    fn head(&mut self) -> Result<Head, Fault> {
        let start = self.at;
        if start == self.len {
            return Err(Fault::Damaged {
                at: start,
                what: "it ends before its manifest".to_owned(),
            });
        }
        let label = format!("the head of frame {}", self.next);
        let mut bytes = self.take(HEAD_BYTES as u64, &label)?;
        let whole = Head::whole_len(bytes.first_chunk().expect("that many were taken"));
        if bytes.starts_with(&MARK) {
            bytes.extend(self.take((whole - HEAD_BYTES) as u64, &label)?);
        }
        Head::decode(&bytes).ok_or(Fault::Damaged {
            at: start,
            what: format!("{label} does not match its checksum"),
        })
    }

    fn content(&mut self, head: &Head, stored: &[u8]) -> Option<Frame> {
        let raw_len = head.raw_len as usize;
        if raw_len > LARGEST_BLOCK {
            return None;
        }
        let raw = self
            .decompressor
            .decompress(stored, raw_len)
            .ok()
            .filter(|raw| raw.len() == raw_len)?;
        match head.kind {
            Kind::Header => serde_json::from_slice(&raw).ok().map(Frame::Header),
            Kind::Manifest => serde_json::from_slice(&raw).ok().map(Frame::Manifest),
            Kind::Block => {
                rows_of(&raw, head.rows)?;
                Some(Frame::Block {
                    name: head.name.clone(),
                    rows: head.rows,
                    raw,
                })
            }
        }
    }

    /// The next `count` bytes. Memory grows with what is there, not with what a length claims.
    fn take(&mut self, count: u64, what: &str) -> Result<Vec<u8>, Fault> {
        let mut bytes = Vec::new();
        (&mut self.file)
            .take(count)
            .read_to_end(&mut bytes)
            .map_err(Fault::Failed)?;
        self.at += bytes.len() as u64;
        self.whole.update(&bytes);
        if (bytes.len() as u64) < count {
            return Err(Fault::Damaged {
                at: self.at,
                what: format!("it ends inside {what}"),
            });
        }
        Ok(bytes)
    }

    fn seek(&mut self, to: u64) -> io::Result<()> {
        self.at = self.file.seek(SeekFrom::Start(to))?;
        Ok(())
    }

    fn find_mark(&mut self, from: u64) -> io::Result<Option<u64>> {
        self.seek(from)?;
        let mut window = Vec::new();
        let mut start = from;
        loop {
            let read = (&mut self.file)
                .take(WINDOW as u64)
                .read_to_end(&mut window)?;
            if let Some(found) = window.windows(MARK.len()).position(|bytes| bytes == MARK) {
                return Ok(Some(start + found as u64));
            }
            if read == 0 {
                return Ok(None);
            }
            // A mark may lie across the border of two windows.
            let keep = window.len().min(MARK.len() - 1);
            start += (window.len() - keep) as u64;
            window.drain(..window.len() - keep);
        }
    }
}
