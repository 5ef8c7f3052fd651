//! The one entry: looks at the head, decodes, and hands over to the parser of the format.

use std::io::{BufRead, BufReader, Cursor, Read, Seek, SeekFrom};

use super::allure;
use super::ctrf;
use super::detect::{ARCHIVE_MAGIC, HEAD_BYTES, Head, is_archive, look};
use super::error::ParseError;
use super::format::Format;
use super::go_test;
use super::libtest;
use super::limits::{Limits, Stop};
use super::model::{ParsedCase, SuiteInfo, Summary};
use super::tap;
use crate::reports::parse::input::{Decoded, decode_head, sniff};
use crate::reports::parse::junit::Junit;

/// Takes what a parser reads, in the order of the document.
pub trait Sink {
    /// A suite that has ended; its cases came before.
    fn suite(&mut self, suite: SuiteInfo);

    /// A case. The parser keeps nothing of it.
    ///
    /// # Errors
    /// [`Stop`] ends the parse with [`ParseError::Stopped`].
    fn case(&mut self, case: ParsedCase) -> Result<(), Stop>;
}

/// Reads a report of any known format from `input` into `sink`.
///
/// A report that breaks half-way is no error: what stood before the break has reached the sink, and
/// [`Summary::truncated`] says so.
///
/// # Errors
/// [`ParseError`] when the content is no known report, carries a document type declaration, breaks before its first test,
/// cannot be read, or when the sink stops. Cases may have reached the sink before an error; the caller throws them away.
pub fn parse<R: BufRead>(
    mut input: R,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let mut head = Vec::new();
    input
        .by_ref()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)
        .map_err(|source| ParseError::Input { line: 1, source })?;
    let sniffed = sniff(&head);
    let found = look(&decode_head(&head));
    let decoded = Decoded::new(Cursor::new(head).chain(input), sniffed);
    match found {
        Head::Json(Format::Allure) => allure::read(decoded, limits, sink),
        Head::Lines(Format::GoTest) => go_test::read(decoded, limits, sink),
        Head::Lines(Format::Libtest) => libtest::read(decoded, limits, sink),
        Head::Lines(_) => tap::read(decoded, limits, sink),
        Head::Json(_) => ctrf::read(decoded, limits, sink),
        Head::Xml {
            format,
            single_quoted,
        } => Junit::new(format, single_quoted, limits, sink)
            .read(decoded, sniffed.declaration_ignored),
        Head::Unknown { line, reason } => Err(ParseError::NotRecognised { line, reason }),
        Head::Doctype { line } => Err(ParseError::DoctypeRefused { line }),
    }
}

/// Reads a report of any known format, an archive of Allure results too, which needs to jump.
///
/// # Errors
/// As [`parse`].
pub fn parse_seekable<R: Read + Seek>(
    mut input: R,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let failed = |source| ParseError::Input { line: 1, source };
    let mut head = Vec::new();
    input
        .by_ref()
        .take(ARCHIVE_MAGIC.len() as u64)
        .read_to_end(&mut head)
        .map_err(failed)?;
    input.seek(SeekFrom::Start(0)).map_err(failed)?;
    if is_archive(&head) {
        allure::parse_archive(input, limits, sink)
    } else {
        parse(BufReader::with_capacity(HEAD_BYTES, input), limits, sink)
    }
}
