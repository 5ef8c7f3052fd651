//! NUnit's XML: the format of version 3, and the one of versions up to 2.

mod case;
mod read;
mod suite;

pub(in crate::reports::parse) use read::read;
