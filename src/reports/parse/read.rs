//! The one entry: looks at the head, decodes, and hands over to the parser of the format.

use std::io::{BufRead, BufReader, Chain, Cursor, Read, Seek, SeekFrom};

use super::detect::{ARCHIVE_MAGIC, HEAD_BYTES, Head, is_archive, look, look_below};
use super::error::ParseError;
use super::format::Format;
use super::limits::{Limits, Stop};
use super::model::{ParsedCase, SuiteInfo, Summary};
use super::robot::Robot;
use super::warnings::Warning;
use super::{
    allure, ctrf, cucumber, go_test, jest, libtest, mocha, nunit, playwright, tap, testng, trx,
    walk, xunit,
};
use crate::reports::parse::input::{Decoded, Sniffed, decode_head, sniff};
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
    input: R,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    let source = Source::open(input)?;
    match &source.head {
        Head::Json(format) | Head::Lines(format) | Head::Xml { format, .. } => {
            let format = *format;
            source.read(format, limits, sink)
        }
        Head::Unknown { line, reason } => Err(ParseError::NotRecognised {
            line: *line,
            reason: reason.clone(),
        }),
        Head::Doctype { line } => Err(ParseError::DoctypeRefused { line: *line }),
    }
}

/// Reads a report from `input` into `sink` as one of `format`, whatever it looks like: for people who know better than
/// [`super::detect`], because a head is odd or longer than what is looked at.
///
/// # Errors
/// As [`parse`]; [`ParseError::NotRecognised`] when nothing of `format` is in it.
pub fn parse_as<R: BufRead>(
    format: Format,
    input: R,
    limits: &Limits,
    sink: &mut dyn Sink,
) -> Result<Summary, ParseError> {
    Source::open(input)?.read(format, limits, sink)
}

/// An input whose head has been looked at.
struct Source<R> {
    head: Head,
    sniffed: Sniffed,
    /// Text stood before the document, and was made blank.
    text_before: bool,
    decoded: Decoded<Chain<Cursor<Vec<u8>>, R>>,
}

impl<R: BufRead> Source<R> {
    fn open(mut input: R) -> Result<Self, ParseError> {
        let mut head = Vec::new();
        input
            .by_ref()
            .take(HEAD_BYTES as u64)
            .read_to_end(&mut head)
            .map_err(|source| ParseError::Input { line: 1, source })?;
        let mut sniffed = sniff(&head);
        let mut found = look(&decode_head(&head));
        let mut text_before = false;
        if matches!(found, Head::Unknown { .. })
            && let Some((length, below)) = look_below(&head[sniffed.mark..])
        {
            // Blank, and not cut off, so that lines keep their numbers.
            let before = &mut head[sniffed.mark..][..length];
            before
                .iter_mut()
                .filter(|byte| **byte != b'\n')
                .for_each(|byte| *byte = b' ');
            (found, sniffed, text_before) = (below, sniff(&head), true);
        }
        Ok(Self {
            head: found,
            sniffed,
            text_before,
            decoded: Decoded::new(Cursor::new(head).chain(input), sniffed),
        })
    }

    fn read(
        self,
        format: Format,
        limits: &Limits,
        sink: &mut dyn Sink,
    ) -> Result<Summary, ParseError> {
        let text_before = self.text_before;
        let mut summary = self.read_document(format, limits, sink)?;
        if text_before {
            summary.warnings_total += 1;
            summary.warnings.truncate(limits.warnings.saturating_sub(1));
            let warning = Warning {
                line: 1,
                code: "text_before",
                what: "text stands before the report".to_owned(),
                assumed: "passed it by",
            };
            summary.warnings.insert(0, warning);
        }
        Ok(summary)
    }

    fn read_document(
        self,
        format: Format,
        limits: &Limits,
        sink: &mut dyn Sink,
    ) -> Result<Summary, ParseError> {
        let Self {
            head,
            sniffed,
            decoded,
            ..
        } = self;
        let document = |input| walk::Source {
            input,
            declaration_ignored: sniffed.declaration_ignored,
        };
        match format {
            Format::Testhide | Format::Junit => {
                let single_quoted = matches!(
                    head,
                    Head::Xml {
                        single_quoted: true,
                        ..
                    }
                );
                Junit::new(format, single_quoted, limits, sink)
                    .read(decoded, sniffed.declaration_ignored)
            }
            Format::Nunit2 | Format::Nunit3 => nunit::read(document(decoded), format, limits, sink),
            Format::Xunit => xunit::read(document(decoded), limits, sink),
            Format::Trx => trx::read(document(decoded), limits, sink),
            Format::Testng => testng::read(document(decoded), limits, sink),
            Format::Robot => walk::walk(document(decoded), format, limits, sink, Robot::default()),
            Format::Ctrf => ctrf::read(decoded, limits, sink),
            Format::Jest => jest::read(decoded, limits, sink),
            Format::Playwright => playwright::read(decoded, limits, sink),
            Format::Mocha => mocha::read(decoded, limits, sink),
            Format::Cucumber => cucumber::read(decoded, limits, sink),
            Format::Allure => allure::read(decoded, limits, sink),
            Format::GoTest => go_test::read(decoded, limits, sink),
            Format::Libtest => libtest::read(decoded, limits, sink),
            Format::Tap => tap::read(decoded, limits, sink),
        }
    }
}

/// Reads a report of any known format, an archive of Allure results too, which needs to jump.
///
/// `input` is buffered here where that helps. It should not be buffered already: every jump would throw the buffer away.
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
