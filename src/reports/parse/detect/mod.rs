//! Finds out what a file is from its first bytes.

mod allure;
mod json;
mod lines;
mod look;
mod xml;

pub(in crate::reports::parse) use look::{ARCHIVE_MAGIC, HEAD_BYTES, Head, look};
pub use look::{detect, is_archive};
