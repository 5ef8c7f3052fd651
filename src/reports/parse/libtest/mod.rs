//! Lines of libtest's JSON, as `cargo test` and nextest write it.

mod name;
mod read;
mod words;

pub(super) use read::read;
