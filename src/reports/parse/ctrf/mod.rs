//! Common Test Report Format, JSON.

mod own;
mod read;
mod test;

pub(in crate::reports::parse) use read::read;
