//! The screens, one file each: they read the model and write on a canvas.

mod agents;
mod build;
mod builds;
mod common;
mod failure;
mod log;
mod search;
mod title;

pub(crate) use agents::agents;
pub(crate) use build::build;
pub(crate) use builds::builds;
pub(crate) use failure::{failure, failure_rows};
pub(crate) use log::log;
pub(crate) use search::search;
pub(crate) use title::title;
