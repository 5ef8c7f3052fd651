//! Finds out what a file is from its first bytes.

mod json;
mod lines;
mod look;
mod sketch;
mod xml;

pub use look::detect;
pub(in crate::reports::parse) use look::{HEAD_BYTES, Head, look};
pub(in crate::reports::parse) use xml::format_of_root;
