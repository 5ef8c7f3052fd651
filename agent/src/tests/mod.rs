//! What the tests of this crate share, and the tests that need more than one part.

mod durable;
mod journal;
mod recovery;
mod room;
mod runner;
mod session;
mod support;

pub(crate) use support::{Scratch, assignment, bash, entries, lease, within};
