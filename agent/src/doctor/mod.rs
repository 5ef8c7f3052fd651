//! `agent doctor`: what is wrong with an agent and its machine, and what to do about it.
//!
//! It changes nothing, and works beside a running agent. Every check says what it found; one that finds something to do says what.

mod diagnose;
mod files;
mod machine;
mod report;
mod server;

pub use diagnose::diagnose;
pub use report::{Diagnosis, Finding, State};
