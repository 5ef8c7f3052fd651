//! Finds out what a file is from its first bytes.

mod json;
mod lines;
mod look;
mod sketch;
mod xml;

pub(in crate::reports::parse) use look::{ARCHIVE_MAGIC, HEAD_BYTES, Head, look, look_below};
pub use look::{detect, is_archive};
pub(in crate::reports::parse) use xml::format_of_root;
