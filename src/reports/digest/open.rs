//! From a path or a stream to a digest: the one place that opens what the parsers read.

use super::reading::Reading;
use crate::reports::pack_allure_folder;
use crate::reports::parse::{ParseError, detect, is_archive, parse_seekable};
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use zip::ZipArchive;

/// How the names of Allure's results end.
const RESULT: &str = "-result.json";

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
    if file.stream_position().is_ok() {
        return reading.read_with(name, |limits, sink| parse_seekable(file, limits, sink));
    }
    // A pipe with a name.
    reading.read(name, BufReader::with_capacity(BUFFER, file))
}

/// Reads a folder of Allure results under `name`, as the one report that it is.
///
/// # Errors
/// A folder that cannot be read, or a temporary folder that cannot be written to.
pub fn read_allure_folder(
    reading: &mut Reading,
    name: &str,
    folder: &Path,
) -> Result<(), ReadError> {
    let mut archive = tempfile::tempfile().map_err(ReadError::Spool)?;
    pack_allure_folder(folder, &mut archive).map_err(ReadError::Open)?;
    archive.rewind().map_err(ReadError::Spool)?;
    reading.read_with(name, |limits, sink| parse_seekable(archive, limits, sink))
}

/// Whether a folder is one of Allure results.
#[must_use]
pub fn is_allure_folder(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| {
        entries.any(|entry| {
            entry.is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(RESULT))
        })
    })
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
    match read {
        Ok(_) if is_archive(&head) => holds_results(path),
        Ok(_) => detect(&head).is_some(),
        Err(_) => false,
    }
}

/// Whether an archive is one of Allure results.
fn holds_results(archive: &Path) -> bool {
    let archive = File::open(archive).map(BufReader::new).map(ZipArchive::new);
    archive.is_ok_and(|archive| {
        archive.is_ok_and(|archive| {
            archive
                .file_names()
                .any(|name| name.is_ok_and(|name| name.ends_with(RESULT)))
        })
    })
}
