//! Robot Framework's `output.xml`, as written by its versions 3 to 7, by `robot` and by `rebot`.

mod merge;
mod read;
mod step;
mod suite;

pub(in crate::reports::parse) use read::Robot;
