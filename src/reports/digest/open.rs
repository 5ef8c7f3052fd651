//! From a path or a stream to a digest: the one place that opens what the parsers read.

use super::reading::Reading;
use crate::reports::parse::{ParseError, detect, parse_archive};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::Path;
use zip::ZipArchive;

/// The beginning of an archive: Allure results.
const ZIP: &[u8] = b"PK\x03\x04";

/// Bytes read at once.
const BUFFER: usize = 256 * 1024;

/// As much of a file as is looked at to tell whether it is a report.
const HEAD: u64 = 64 * 1024;

/// Why a file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The file cannot be opened.
    #[error("failed to open it: {0}")]
    Open(io::Error),
    /// Its content is no report, or breaks before the first test.
    #[error(transparent)]
    Parse(#[from] ParseError),
    /// The rows could not be put aside.
    #[error("failed to write to the temporary folder: {0}")]
    Spool(io::Error),
}

/// Reads the file at `path` under `name`.
///
/// # Errors
/// A file that cannot be opened or is no report.
pub fn read_file(reading: &mut Reading, name: &str, path: &Path) -> Result<(), ReadError> {
    let mut file = File::open(path).map_err(ReadError::Open)?;
    let mut head = Vec::new();
    file.by_ref()
        .take(ZIP.len() as u64)
        .read_to_end(&mut head)
        .map_err(ReadError::Open)?;
    if head == ZIP {
        // Its directory stands at its end.
        file.rewind().map_err(ReadError::Open)?;
        return reading.read_with(name, |limits, sink| parse_archive(file, limits, sink));
    }
    let whole = Cursor::new(head).chain(file);
    reading.read(name, BufReader::with_capacity(BUFFER, whole))
}

/// Reads a stream (standard input) under `name`.
///
/// # Errors
/// A stream that breaks or is no report.
pub fn read_input(reading: &mut Reading, name: &str, input: impl Read) -> Result<(), ReadError> {
    reading.read(name, BufReader::with_capacity(BUFFER, input))
}

/// Whether a file's content begins like a report. What cannot be read does not.
#[must_use]
pub fn looks_like_a_report(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    read.is_ok() && (detect(&head).is_some() || (head.starts_with(ZIP) && holds_results(path)))
}

/// Whether an archive is one of Allure results.
fn holds_results(archive: &Path) -> bool {
    let archive = File::open(archive).map(BufReader::new).map(ZipArchive::new);
    archive.is_ok_and(|archive| {
        archive.is_ok_and(|archive| {
            archive
                .file_names()
                .any(|name| name.is_ok_and(|name| name.ends_with("-result.json")))
        })
    })
}
