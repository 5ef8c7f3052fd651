//! The words of the terminal: states, times, hints and help, one file a kind.

mod help;
mod hints;
mod states;
mod times;

pub(crate) use help::help;
pub(crate) use hints::{hints, prompt_sign};
pub(crate) use states::{agent_state, build_state, counted, root_cause, step_state, verdict};
pub(crate) use times::{age, clock, duration, moment, took};
