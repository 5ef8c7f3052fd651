//! testhide's build agent: claims builds, runs their steps, delivers what they say.
//!
//! The agent connects outwards to one server and needs nothing else. Five parts, each usable without the one above it:
//!
//! * `spool` keeps what an attempt produced on this machine's disk until the server has it,
//! * `run` runs attempts and writes the spool,
//! * `runner` gives each attempt a process of its own,
//! * `guard` keeps the machine usable between them,
//! * `session` takes work from the server and delivers the spool; after any break it goes on from the last stored record.
//!
//! An agent that is killed loses nothing: its attempts go on in their own processes, and its next start finds and delivers them. One
//! whose process is gone, too, is ended, says so in the build's log, and is delivered. Deliberately absent: any way for the server to reach this machine by itself, and any secret of the agent in
//! the environment of a step.

mod agent;
mod allure;
pub mod cli;
mod clock;
mod config;
mod crypto;
mod doctor;
mod enroll;
mod error;
mod files;
mod guard;
mod keys;
mod machine;
mod metrics;
mod removal;
mod run;
mod runner;
mod session;
#[cfg(feature = "simulation")]
pub mod simulation;
mod spool;
mod threads;

#[cfg(test)]
mod tests;

pub use agent::{Agent, AgentOptions, run};
pub use allure::pack_allure_folder;
pub use config::{Config, PythonEnv, default_dir};
pub use crypto::install_crypto;
pub use doctor::{Diagnosis, Finding, State as FindingState, diagnose};
pub use enroll::enroll;
pub use error::AgentError;
pub use keys::AgentKey;
pub use machine::MachineRules;
pub use run::Limits;
pub use runner::{InProcess, Program, Runner, log_to_stderr, run_attempt};
pub use session::{ByteStream, Opening, Uplink};
pub use spool::{Boot, SpoolError};
