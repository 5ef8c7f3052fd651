//! What all readers of JSON documents share: walking one, holding rows until their identity is known, texts.

mod held;
mod reader;
mod texts;

pub(super) use held::{HELD_BYTES, weight};
pub(super) use reader::{Document, outside_tests};
pub(super) use texts::{headline, joined};
