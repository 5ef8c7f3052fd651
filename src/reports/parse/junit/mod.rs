//! JUnit XML in all its dialects, Testhide's own among them.

mod case;
mod element;
mod read;
mod suite;
mod testhide;
mod writers;

pub(in crate::reports::parse) use read::Junit;
pub(in crate::reports) use testhide::names_spec_file;
pub(in crate::reports::parse) use testhide::resolution_kind;
