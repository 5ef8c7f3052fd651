//! Lines of `go test -json` (test2json).

mod event;
mod failure;
mod package;
mod read;

pub(super) use read::read;
