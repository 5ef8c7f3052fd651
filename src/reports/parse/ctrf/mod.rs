//! Common Test Report Format, JSON.

mod attempt;
mod own;
mod read;
mod status;
mod test;

pub(in crate::reports::parse) use read::read;
