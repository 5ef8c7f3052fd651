//! JSON of Playwright Test.

mod attempt;
mod errors;
mod read;
mod suite;
mod test;

pub(in crate::reports::parse) use read::read;
