//! JSON of Mocha's own `json` reporter and of Mochawesome.

mod lists;
mod read;
mod row;
mod tree;

pub(in crate::reports::parse) use read::read;
