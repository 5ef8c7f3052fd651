//! Writes reports: any digest as CTRF, JUnit XML or Testhide XML, test by test, in bounded memory.
//!
//! Promises: what is written is valid (characters that XML forbids are dropped, counts are those of what is written), everything that
//! has a place in the format is there, and what has none is counted and told ([`Losses`]). What a parser of this program reads
//! from the result has the same tests with the same identities, outcomes, attempts, messages, traces and durations, as far
//! as the format can say it.

mod attributes;
#[cfg(test)]
mod convert_tests;
mod ctrf;
mod junit;
mod losses;
mod target;
mod testhide;
mod xml;

pub use losses::Losses;
pub use target::{TargetFormat, write_report};
