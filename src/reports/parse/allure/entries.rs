//! The entries of an archive that matter, and reading one of them within limits.
//!
//! Names are looked at and never used: nothing is written, so that a name that leads elsewhere leads nowhere.

use std::io::{self, Read, Seek, SeekFrom};

use zip::ZipReadOptions;
use zip::read::{ArchiveOffset, Config, read_zipfile_from_stream_with_options};
use zip::result::ZipError;
// The reader with an index keeps some hundred bytes an entry, which an archive of millions of empty entries makes use of.
use zip::unstable::read::ZipIterable;

use crate::reports::parse::error::ParseError;
use crate::reports::parse::output::Output;

/// Entries that are looked at.
const ENTRIES: usize = 1_000_000;

/// Results, containers and globals that are read.
const RELEVANT: usize = 250_000;

/// Bytes of one file, inflated. Results of real suites have a few kilobytes.
const FILE_BYTES: u64 = 8 << 20;

/// How many times its packed size a file may have, if it is larger than [`SMALL`]. Deflate itself ends at about 1,000.
const RATIO: u64 = 300;

/// Bytes of a file about whose ratio nobody needs to ask.
const SMALL: u64 = 1 << 20;

/// Bytes of all files together, inflated, over all passes.
const TOTAL_BYTES: u64 = 4 << 30;

/// What a file of Allure's is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Result,
    Container,
    Globals,
}

/// An entry that matters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) kind: Kind,
    start: u64,
    packed: u64,
    size: u64,
    crc: u32,
}

/// An archive that is being read.
pub(super) struct Entries<R> {
    input: R,
    /// Bytes that may still be inflated.
    left: u64,
}

impl<R: Read + Seek> Entries<R> {
    /// Looks through the directory of an archive.
    pub(super) fn new(
        mut input: R,
        out: &mut Output<'_>,
    ) -> Result<(Self, Vec<Entry>), ParseError> {
        let config = Config {
            archive_offset: ArchiveOffset::Detect,
        };
        let mut relevant = Vec::new();
        let mut others = Vec::new();
        let mut archive = ZipIterable::try_new(&mut input, config).map_err(refused)?;
        let files = archive.files().map_err(refused)?;
        for (number, entry) in files.enumerate() {
            let entry = match entry {
                Ok(entry) => entry,
                Err(ZipError::Io(source)) if source.kind() != io::ErrorKind::UnexpectedEof => {
                    return Err(ParseError::Input { line: 1, source });
                }
                Err(error) => {
                    out.truncated(1, || {
                        format!("the directory of the archive breaks: {error}")
                    });
                    break;
                }
            };
            let name = String::from_utf8_lossy(entry.name_raw());
            let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
            let Some(kind) = kind(base) else {
                if others.len() < 3 && !base.is_empty() {
                    others.push(shown(base));
                }
                continue;
            };
            if entry.encrypted() {
                out.warn(1, "encrypted", "left it out", || {
                    format!("`{}` is encrypted", shown(base))
                });
                continue;
            }
            if number >= ENTRIES || relevant.len() >= RELEVANT {
                out.summary.truncated = true;
                out.warn(1, "too_many_entries", "left out the rest", || {
                    format!("the archive has more than {RELEVANT} results")
                });
                break;
            }
            relevant.push(Entry {
                kind,
                start: entry.header_start(),
                packed: entry.compressed_size(),
                size: entry.size(),
                crc: entry.crc32(),
            });
        }
        if relevant.is_empty() && out.warnings.is_empty() {
            let reason = match others.is_empty() {
                true => "an empty zip archive".to_owned(),
                false => format!(
                    "a zip archive without Allure results; in it are `{}`",
                    others.join("`, `")
                ),
            };
            return Err(ParseError::NotRecognised { line: 1, reason });
        }
        // In the order in which they lie, so that the archive is read from its begin to its end.
        relevant.sort_by_key(|entry| entry.start);
        let left = TOTAL_BYTES;
        Ok((Self { input, left }, relevant))
    }

    /// Reads a file with `take`; `None`, with a warning, when it is too large or damaged.
    pub(super) fn read<T, E: std::fmt::Debug>(
        &mut self,
        entry: &Entry,
        out: &mut Output<'_>,
        take: impl FnOnce(&mut dyn Read, &mut Output<'_>) -> Result<T, E>,
    ) -> Result<Option<Result<T, E>>, ParseError> {
        let bound = SMALL.max(entry.packed.saturating_mul(RATIO));
        if entry.packed > FILE_BYTES || entry.size > FILE_BYTES.min(bound) {
            self.too_large(out);
            return Ok(None);
        }
        let input = |source| ParseError::Input { line: 1, source };
        self.input
            .seek(SeekFrom::Start(entry.start))
            .map_err(input)?;
        // Packed bytes cost too: many entries may point to the same ones.
        self.left = self.left.saturating_sub(entry.packed);
        let options = ZipReadOptions::default()
            .override_compressed_size(entry.packed)
            .override_uncompressed_size(entry.size)
            .override_crc(entry.crc);
        let file = match read_zipfile_from_stream_with_options(&mut self.input, options) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(None),
            Err(error) => {
                out.warn(1, "damaged_entry", "left it out", || {
                    format!("an entry cannot be read: {error}")
                });
                return Ok(None);
            }
        };
        let name = String::from_utf8_lossy(file.name_raw()).into_owned();
        let mut capped = Capped {
            input: file,
            left: FILE_BYTES.min(bound).min(self.left),
            exceeded: false,
        };
        let most = capped.left;
        let read = take(&mut capped, out);
        self.left = self.left.saturating_sub(most - capped.left);
        if capped.exceeded {
            drop(capped);
            self.too_large(out);
            return Ok(None);
        }
        if read.is_err() {
            out.summary.truncated = true;
            let base = name.rsplit(['/', '\\']).next().unwrap_or_default();
            out.warn(1, "damaged_entry", "left it out", || {
                format!("`{}` is broken or cut", shown(base))
            });
        }
        Ok(Some(read))
    }

    fn too_large(&self, out: &mut Output<'_>) {
        out.summary.truncated = true;
        let left = self.left;
        out.warn(1, "entry_too_large", "left it out", || match left {
            0 => format!("the archive holds more than {TOTAL_BYTES} bytes"),
            _ => {
                format!("a file has more than {FILE_BYTES} bytes, or {RATIO} times its packed size")
            }
        });
    }
}

/// What a file is, by the end of its name.
fn kind(base: &str) -> Option<Kind> {
    if base.ends_with("-result.json") {
        Some(Kind::Result)
    } else if base.ends_with("-container.json") {
        Some(Kind::Container)
    } else if base.ends_with("-globals.json") {
        Some(Kind::Globals)
    } else {
        None
    }
}

/// A name, fit for a message.
fn shown(name: &str) -> String {
    name.chars()
        .take(80)
        .map(|next| if next.is_control() { '?' } else { next })
        .collect()
}

fn refused(error: ZipError) -> ParseError {
    match error {
        ZipError::Io(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            ParseError::Input { line: 1, source }
        }
        error => ParseError::Broken {
            line: 1,
            reason: format!("a zip archive that cannot be read: {error}"),
        },
    }
}

/// Ends the reading of a file that goes on too long.
struct Capped<R> {
    input: R,
    left: u64,
    exceeded: bool,
}

impl<R: Read> Read for Capped<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            // At its end exactly, a file may still be whole.
            let more = self.input.read(&mut [0])?;
            self.exceeded |= more > 0;
            return if self.exceeded {
                Err(io::Error::other("too large"))
            } else {
                Ok(0)
            };
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(to.len());
        let count = self.input.read(&mut to[..most])?;
        self.left -= count as u64;
        Ok(count)
    }
}
