//! Everything the screen shows and every key depends on. Changed by [`crate::update`] alone.

mod lists;
mod log;
mod shell;

pub(crate) use lists::{Agents, BuildView, Builds, FailureView, Search};
#[cfg(test)]
pub(crate) use log::MAX_HELD;
pub(crate) use log::{Find, LogView, PAGE, Scan};
pub(crate) use shell::{Confirm, Link, Model, Place, Prompt, PromptKind};
