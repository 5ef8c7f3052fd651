//! An attempt has a process of its own, so that the death of the agent's process does not end it.
//!
//! The agent writes a spool directory and has a [`Runner`] run what stands in it; from then on the two know each other by the files of
//! that directory only (`spool/mod.rs`). A runner goes on while its agent is away, and ends its attempt when nobody comes back.

mod launch;
mod listen;
mod log;
mod work;

pub use launch::{InProcess, Program, Runner};
pub(crate) use listen::ALIVE;
pub use log::log_to_stderr;
pub(crate) use work::run_alone;
pub use work::run_attempt;
