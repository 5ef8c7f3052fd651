//! From bytes to tokens: decoding, XML and JSON tokenizers, texts that are cut while they are read, numbers and times.

mod base64;
mod bytes;
mod clean;
mod decode;
mod json;
mod json_value;
mod lines;
mod scalar;
mod xml;

pub(in crate::reports::parse) use base64::from_base64;
pub use clean::Text;
pub(in crate::reports::parse) use clean::{Piece, TextBuilder};
pub(in crate::reports::parse) use decode::{Decoded, Sniffed, decode_head, sniff};
pub(in crate::reports::parse) use json::{Event, Fault, Json};
pub(in crate::reports::parse) use json_value::{Budget, Value};
pub(in crate::reports::parse) use lines::{LONGEST_LINE, Lines, record};
pub(in crate::reports::parse) use scalar::{
    duration_to_ms, epoch_ms, float_ms, seconds_to_ms, timestamp,
};
pub(in crate::reports::parse) use xml::{Tag, Token, Xml};
