//! Runs attempts: a clean workspace, the source, the steps, and everything they leave ended.
//!
//! A step is one process group with an environment of its own; what it writes goes to the spool as it comes. Nothing here
//! knows of a connection: an attempt runs the same while the server is away. All of this happens in the attempt's runner, except
//! `attempts`, `care` and `ending`, which are the agent's view of its runners.

mod attempt;
mod attempts;
mod care;
mod confine;
mod ending;
mod environment;
mod exec;
mod harvest;
mod leftovers;
mod log;
mod output;
mod slot;
mod source;
mod steps;
mod stop;
mod workspace;

pub(crate) use attempt::Attempt;
pub(crate) use attempts::{Attempts, Setup};
pub use confine::Limits;
pub(crate) use confine::{Base, Home, Means, Seen, Way};
pub(crate) use log::Log;
pub(crate) use stop::{Stop, StopSignal, StopSwitch};
pub(crate) use workspace::{Discarded, Kind, Workspaces};
