//! What lies between redb and a file: a file that stays held while its database is opened again, a gate in front of each database, and a
//! view that changes nothing.
//!
//! redb ends a database with its first failed I/O. The store opens another one over the same held file, so no other process can take the
//! directory meanwhile. The gate makes sure that a database which was given up neither writes nor reads a byte any more.

use parking_lot::{Mutex, RwLock};
use redb::StorageBackend;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// A file that this process holds for as long as the value lives.
#[derive(Debug)]
pub(super) struct HeldFile {
    backend: Box<dyn StorageBackend>,
    /// What was written since the last sync that succeeded.
    unsynced: Mutex<Vec<Span>>,
    /// The first failure since the file was opened or mended.
    failure: Mutex<Option<Failure>>,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    offset: u64,
    len: usize,
}

/// Why a file cannot be used as it should.
#[derive(Debug, Clone)]
pub(super) struct Failure {
    pub(super) what: String,
    /// The disk is full: it comes back by itself, however long that takes.
    pub(super) is_space: bool,
}

impl Failure {
    pub(super) fn of(error: &io::Error) -> Self {
        Self {
            what: error.to_string(),
            is_space: is_space(error),
        }
    }
}

/// Whether `error` says that there is no room.
pub(super) fn is_space(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

impl HeldFile {
    pub(super) fn new(backend: Box<dyn StorageBackend>) -> Self {
        Self {
            backend,
            unsynced: Mutex::new(Vec::new()),
            failure: Mutex::new(None),
        }
    }

    pub(super) fn len(&self) -> io::Result<u64> {
        self.backend.len()
    }

    /// The file's first bytes; `None` when it has fewer.
    pub(super) fn start<const N: usize>(&self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.backend.read(0, &mut bytes).ok()?;
        Some(bytes)
    }

    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.lock().clone()
    }

    /// Makes what the file shows what the disk holds, after a failure.
    ///
    /// A sync that failed may have thrown written pages away or may not; what a read shows then is not what a power cut would leave, and no
    /// later sync writes it again. So everything since the last good sync is read, written and synced: what a
    /// database finds afterwards is on disk.
    pub(super) fn settle(&self) -> io::Result<()> {
        let spans = self.unsynced.lock().clone();
        let len = self.backend.len()?;
        for span in &spans {
            let rest = usize::try_from(len.saturating_sub(span.offset)).unwrap_or(usize::MAX);
            if rest == 0 {
                continue;
            }
            let mut bytes = vec![0; span.len.min(rest)];
            self.backend.read(span.offset, &mut bytes)?;
            self.backend.write(span.offset, &bytes)?;
        }
        self.backend.sync_data()?;
        self.unsynced.lock().clear();
        *self.failure.lock() = None;
        Ok(())
    }

    fn noted<T>(&self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result {
            let mut failure = self.failure.lock();
            failure.get_or_insert_with(|| Failure::of(error));
        }
        result
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let span = Span {
            offset,
            len: data.len(),
        };
        self.unsynced.lock().push(span);
        self.noted(self.backend.write(offset, data))
    }

    fn sync(&self) -> io::Result<()> {
        let synced = std::mem::take(&mut *self.unsynced.lock());
        let result = self.noted(self.backend.sync_data());
        if result.is_err() {
            self.unsynced.lock().extend(synced);
        }
        result
    }
}

/// What a database may do with its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Access {
    /// Nothing any more.
    Nothing,
    /// Read.
    Read,
    /// Read and write.
    Write,
}

/// Stands before one database; closing it waits for what is under way.
#[derive(Debug, Clone)]
pub(super) struct Gate(Arc<RwLock<Access>>);

impl Gate {
    pub(super) fn new(access: Access) -> Self {
        Self(Arc::new(RwLock::new(access)))
    }

    pub(super) fn set(&self, access: Access) {
        *self.0.write() = access;
    }

    fn pass<T>(&self, wanted: Access, act: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        let access = self.0.read();
        if *access < wanted {
            return Err(io::Error::other("the file is being opened again"));
        }
        act()
    }
}

/// A database's way to its file.
#[derive(Debug)]
pub(super) struct Direct {
    pub(super) file: Arc<HeldFile>,
    pub(super) gate: Gate,
}

impl StorageBackend for Direct {
    fn len(&self) -> io::Result<u64> {
        self.gate
            .pass(Access::Read, || self.file.noted(self.file.backend.len()))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.gate.pass(Access::Read, || {
            self.file.noted(self.file.backend.read(offset, out))
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.gate.pass(Access::Write, || {
            self.file.noted(self.file.backend.set_len(len))
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass(Access::Write, || self.file.sync())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.gate
            .pass(Access::Write, || self.file.write(offset, data))
    }
}

/// Bytes in one piece of a view's changes.
const PIECE: u64 = 4096;

/// A database's view of a file that it cannot change: what it writes (the repair of a file that was not closed) stays in memory.
#[derive(Debug)]
pub(super) struct View {
    file: Arc<HeldFile>,
    gate: Gate,
    changes: Mutex<Changes>,
}

#[derive(Debug)]
struct Changes {
    len: u64,
    /// Bytes of the file that still count: a view that was cut and grew again has zeros behind.
    below: u64,
    pieces: BTreeMap<u64, Vec<u8>>,
}

impl View {
    pub(super) fn new(file: Arc<HeldFile>, gate: Gate) -> io::Result<Self> {
        let len = file.len()?;
        let changes = Changes {
            len,
            below: len,
            pieces: BTreeMap::new(),
        };
        Ok(Self {
            file,
            gate,
            changes: Mutex::new(changes),
        })
    }

    fn read_below(&self, below: u64, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let there = usize::try_from(below.saturating_sub(offset)).unwrap_or(usize::MAX);
        let (real, behind) = out.split_at_mut(there.min(out.len()));
        behind.fill(0);
        if real.is_empty() {
            return Ok(());
        }
        self.file.backend.read(offset, real)
    }
}

impl StorageBackend for View {
    fn len(&self) -> io::Result<u64> {
        self.gate.pass(Access::Read, || Ok(self.changes.lock().len))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.gate.pass(Access::Read, || {
            let changes = self.changes.lock();
            let end = offset.saturating_add(out.len() as u64);
            if end > changes.len {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.read_below(changes.below, offset, out)?;
            for (number, piece) in changes.pieces.range(offset / PIECE..end.div_ceil(PIECE)) {
                let start = number * PIECE;
                let (from, to) = (start.max(offset), (start + PIECE).min(end));
                out[index(from - offset)..index(to - offset)]
                    .copy_from_slice(&piece[index(from - start)..index(to - start)]);
            }
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.gate.pass(Access::Read, || {
            let mut changes = self.changes.lock();
            changes.len = len;
            changes.below = changes.below.min(len);
            changes.pieces.split_off(&len.div_ceil(PIECE));
            if let Some(last) = changes.pieces.get_mut(&(len / PIECE)) {
                last[index(len % PIECE)..].fill(0);
            }
            Ok(())
        })
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gate.pass(Access::Read, || Ok(()))
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.gate.pass(Access::Read, || {
            let mut changes = self.changes.lock();
            let end = offset + data.len() as u64;
            changes.len = changes.len.max(end);
            for number in offset / PIECE..end.div_ceil(PIECE) {
                let start = number * PIECE;
                if !changes.pieces.contains_key(&number) {
                    let mut piece = vec![0; index(PIECE)];
                    self.read_below(changes.below, start, &mut piece)?;
                    changes.pieces.insert(number, piece);
                }
                let piece = changes
                    .pieces
                    .get_mut(&number)
                    .expect("it was just put there");
                let (from, to) = (start.max(offset), (start + PIECE).min(end));
                piece[index(from - start)..index(to - start)]
                    .copy_from_slice(&data[index(from - offset)..index(to - offset)]);
            }
            Ok(())
        })
    }
}

/// A place within one read or write, which is in memory.
fn index(within: u64) -> usize {
    usize::try_from(within).expect("a part of bytes that are in memory")
}

/// A file in memory that somebody else looks into; makes the bytes of an empty database.
#[derive(Debug, Clone, Default)]
pub(super) struct Image(Arc<Mutex<Vec<u8>>>);

impl Image {
    #[cfg(test)]
    pub(super) fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(bytes)))
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.0.lock().clone()
    }
}

impl StorageBackend for Image {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let bytes = self.0.lock();
        let from = usize::try_from(offset)
            .ok()
            .and_then(|start| bytes.get(start..)?.get(..out.len()))
            .ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(from);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.lock().resize(index(len), 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (start, mut bytes) = (index(offset), self.0.lock());
        let end = start + data.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(data);
        Ok(())
    }
}
