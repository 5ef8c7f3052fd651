//! Values in the order in which they came, in memory while they are few and in a temporary file when they are many.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::cell::RefCell;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::marker::PhantomData;
use tempfile::SpooledTempFile;

/// Bytes that are kept in memory; most reports are smaller.
const IN_MEMORY: usize = 16 * 1024 * 1024;

/// Bytes that are read ahead: rows are mostly read in their order.
const READ_AHEAD: usize = 64 * 1024;

/// Takes values.
pub(super) struct SpoolWriter<T> {
    file: BufWriter<SpooledTempFile>,
    /// Where each value begins, and at the end where the next one would.
    offsets: Vec<u64>,
    buffer: Vec<u8>,
    values: PhantomData<T>,
}

/// Gives them back.
pub(super) struct Spool<T> {
    reader: RefCell<Reader>,
    offsets: Vec<u64>,
    values: PhantomData<T>,
}

struct Reader {
    file: BufReader<SpooledTempFile>,
    at: u64,
    buffer: Vec<u8>,
}

impl<T: Serialize> SpoolWriter<T> {
    pub(super) fn new() -> Self {
        Self {
            file: BufWriter::new(tempfile::spooled_tempfile(IN_MEMORY)),
            offsets: vec![0],
            buffer: Vec::new(),
            values: PhantomData,
        }
    }

    /// The bytes that [`Self::push_encoded`] takes.
    pub(super) fn encode(&mut self, value: &T) -> io::Result<&[u8]> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, value)?;
        Ok(&self.buffer)
    }

    /// Appends what was encoded last.
    ///
    /// # Errors
    /// A temporary folder that is full or cannot be written to.
    pub(super) fn push_encoded(&mut self) -> io::Result<()> {
        self.file.write_all(&self.buffer)?;
        let end = self.offsets[self.offsets.len() - 1] + self.buffer.len() as u64;
        self.offsets.push(end);
        Ok(())
    }

    /// Ends the writing.
    pub(super) fn finish(self) -> io::Result<Spool<T>> {
        let mut file = self.file.into_inner().map_err(|error| error.into_error())?;
        file.seek(SeekFrom::Start(0))?;
        Ok(Spool {
            reader: RefCell::new(Reader {
                file: BufReader::with_capacity(READ_AHEAD, file),
                at: 0,
                buffer: Vec::new(),
            }),
            offsets: self.offsets,
            values: PhantomData,
        })
    }
}

impl<T: DeserializeOwned> Spool<T> {
    /// The value with this number, from 0.
    ///
    /// # Errors
    /// A temporary file that cannot be read.
    pub(super) fn get(&self, number: usize) -> io::Result<T> {
        let (from, to) = (self.offsets[number], self.offsets[number + 1]);
        let reader = &mut *self.reader.borrow_mut();
        // Within what was read ahead this costs nothing.
        reader
            .file
            .seek_relative(from.cast_signed() - reader.at.cast_signed())?;
        reader.at = from;
        let length = usize::try_from(to - from).map_err(io::Error::other)?;
        reader.buffer.resize(length, 0);
        reader.file.read_exact(&mut reader.buffer)?;
        reader.at = to;
        Ok(serde_json::from_slice(&reader.buffer)?)
    }
}

impl<T> std::fmt::Debug for Spool<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spool")
            .field("values", &(self.offsets.len() - 1))
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::SpoolWriter;

    #[test]
    fn values_come_back_in_any_order() {
        let mut writer = SpoolWriter::new();
        for number in 0..2_000_usize {
            writer
                .encode(&format!("{number} {}", "é".repeat(number % 90)))
                .unwrap();
            writer.push_encoded().unwrap();
        }
        let spool = writer.finish().unwrap();
        for number in (0..2_000).chain((0..2_000).rev()).chain([7, 1_999, 0]) {
            assert!(
                spool
                    .get(number)
                    .unwrap()
                    .starts_with(&format!("{number} "))
            );
        }
    }
}
