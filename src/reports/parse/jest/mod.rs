//! JSON of Jest (`jest --json`) and of Vitest's `json` reporter, which has the same shape.

mod assertion;
mod file;
mod read;

pub(in crate::reports::parse) use read::read;
