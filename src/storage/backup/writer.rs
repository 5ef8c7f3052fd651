//! Writes an archive front to back: gathers rows into blocks, compresses them, keeps the ledger and the seal.

use super::archive::{BLOCK, Head, Kind, SEAL_MARK, check_of, encode_start, push_row};
use super::manifest::{Header, Ledger, Manifest, Progress};
use crate::kit::random_bytes;
use crate::storage::StorageError;
use std::io::{self, Write};

/// Level of zstd: the highest that is still faster than the disks it writes to.
const LEVEL: i32 = 3;

/// An archive that is being written. Holds one block, never more.
pub(in crate::storage) struct ArchiveWriter<'a> {
    out: &'a mut dyn Write,
    progress: &'a mut dyn FnMut(Progress<'_>),
    compressor: zstd::bulk::Compressor<'static>,
    ledger: Ledger,
    whole: blake3::Hasher,
    archive: u64,
    written: u64,
    frames: u32,
    header: Header,
    block: Vec<u8>,
    rows: u32,
}

impl<'a> ArchiveWriter<'a> {
    pub(in crate::storage) fn start(
        header: Header,
        out: &'a mut dyn Write,
        progress: &'a mut dyn FnMut(Progress<'_>),
    ) -> Result<Self, StorageError> {
        let mut writer = Self {
            out,
            progress,
            compressor: zstd::bulk::Compressor::new(LEVEL).map_err(failed)?,
            ledger: Ledger::default(),
            whole: blake3::Hasher::new(),
            archive: u64::from_be_bytes(random_bytes()),
            written: 0,
            frames: 0,
            header,
            block: Vec::with_capacity(BLOCK + BLOCK / 8),
            rows: 0,
        };
        writer.put(&encode_start())?;
        let json = to_json(&writer.header);
        writer.frame(Kind::Header, "", 0, &json)?;
        Ok(writer)
    }

    /// Adds a row to the entry `name`; the rows of an entry follow each other.
    pub(in crate::storage) fn row(
        &mut self,
        name: &str,
        key: &[u8],
        value: &[u8],
    ) -> Result<(), StorageError> {
        if !push_row(&mut self.block, key, value) {
            return Err(StorageError::corrupt(
                name,
                format!("a row has {} bytes, too many for a backup", value.len()),
            ));
        }
        self.rows += 1;
        if self.block.len() >= BLOCK {
            self.end_block(name)
        } else {
            Ok(())
        }
    }

    /// Ends the entry `name`. One without rows is there as well.
    pub(in crate::storage) fn end_entry(&mut self, name: &str) -> Result<(), StorageError> {
        self.end_block(name)
    }

    /// Writes the manifest and the seal.
    pub(in crate::storage) fn finish(mut self) -> Result<Manifest, StorageError> {
        let manifest = Manifest {
            header: self.header.clone(),
            entries: self.ledger.finish(),
        };
        self.frame(Kind::Manifest, "", 0, &to_json(&manifest))?;
        let seal = self.whole.finalize();
        self.put(&SEAL_MARK)?;
        self.put(seal.as_bytes())?;
        self.out.flush().map_err(failed)?;
        Ok(manifest)
    }

    fn end_block(&mut self, name: &str) -> Result<(), StorageError> {
        let mut block = std::mem::take(&mut self.block);
        let rows = std::mem::take(&mut self.rows);
        if !self.ledger.add(name, rows, &block) {
            return Err(StorageError::corrupt(name, "is given twice to a backup"));
        }
        self.frame(Kind::Block, name, rows, &block)?;
        (self.progress)(Progress {
            entry: name,
            done_bytes: self.written,
            total_bytes: None,
        });
        block.clear();
        block.shrink_to(2 * BLOCK);
        self.block = block;
        Ok(())
    }

    fn frame(&mut self, kind: Kind, name: &str, rows: u32, raw: &[u8]) -> Result<(), StorageError> {
        if name.len() > usize::from(u8::MAX) {
            return Err(StorageError::corrupt(
                name,
                "has a name too long for a backup",
            ));
        }
        let stored = self.compressor.compress(raw).map_err(failed)?;
        let fits = |len: usize| {
            u32::try_from(len)
                .map_err(|_| StorageError::corrupt(name, "has a block too large for a backup"))
        };
        let head = Head {
            kind,
            archive: self.archive,
            number: self.frames,
            rows,
            raw_len: fits(raw.len())?,
            stored_len: fits(stored.len())?,
            payload_check: check_of(&stored),
            name: name.to_owned(),
        };
        self.frames += 1;
        self.put(&head.encode())?;
        self.put(&stored)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), StorageError> {
        self.out.write_all(bytes).map_err(failed)?;
        self.whole.update(bytes);
        self.written += bytes.len() as u64;
        Ok(())
    }
}

fn to_json<T: serde::Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("plain structs become JSON")
}

/// The archive's file is the caller's, so its name is not known here.
fn failed(source: io::Error) -> StorageError {
    StorageError::io("write", "backup", source)
}
