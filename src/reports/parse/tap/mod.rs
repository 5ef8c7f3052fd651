//! Test Anything Protocol, versions 12 to 14, and what its producers make of it.

mod level;
mod line;
mod point;
mod read;
mod yaml;

pub(super) use read::read;
