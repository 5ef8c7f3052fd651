//! Streaming parsers of test reports in every [`Format`]: a folder each, one receiving end (`output`) for all.
//!
//! Everything here is pure: bytes in, cases and warnings out, no clock, no file, no store. What these modules promise:
//!
//! * **Bounded memory.** One case is held at a time, or rows within a budget of at most 32 MiB where a format says late what they
//!   belong to; texts are kept as head and tail. So a report of five gigabytes costs a few megabytes, whatever its shape (one
//!   huge text, one huge attribute, a hundred thousand levels).
//! * **Nothing is expanded.** A document type declaration ends the parse; entities other than XML's own five stay text.
//! * **What can be read is read.** Illegal characters, wrong encodings, stray `<` and `&`, missing end tags and a cut tail
//!   are repaired, and every repair is told as a warning. Only a file that is no report at all is an error.
//!
//! The way through: [`parse`] looks at the head ([`detect`]; [`parse_as`] is told the format), decodes to UTF-8 (`input`), and
//! hands the bytes to the parser of the format; that calls the [`Sink`] with one [`ParsedCase`] after another. [`Attempts`]
//! then tells apart attempts, rows and copies of one test. An archive of Allure results has to be jumped in: [`parse_seekable`]
//! takes that and everything else.
//!
//! `walk` reads documents of XML other than JUnit, `document` those of JSON, `input::Lines` what is read line by line. XML and JSON are
//! read by tokenizers of our own: the usual readers buffer a whole text node or tag before anybody can
//! look at its length, and stop at the first stray `&`.

mod allure;
mod attempts;
mod ctrf;
mod cucumber;
mod detect;
mod document;
mod error;
mod fill;
mod format;
mod go_test;
mod held;
mod input;
mod jest;
mod junit;
mod libtest;
mod limits;
mod mocha;
mod model;
mod nunit;
mod output;
mod playwright;
mod read;
mod robot;
mod tap;
mod testng;
mod trx;
mod walk;
mod warnings;
mod words;
mod xunit;

#[cfg(test)]
mod tests;

pub use allure::parse_archive;
pub use attempts::{Attempts, CaseKey, Placement, TestVerdict};
pub use detect::{detect, is_archive};
pub use error::ParseError;
pub use format::Format;
pub use input::Text;
pub(in crate::reports) use junit::names_spec_file;
pub use limits::{Limits, Stop};
pub use model::{
    Counts, Outcome, ParsedCase, Repeat, Resolution, RetryAttempt, SuiteInfo, Summary,
};
pub use read::{Sink, parse, parse_as, parse_seekable};
pub use warnings::Warning;
