//! Jobs: what a build does.
//!
//! Owns jobs, their names and their definitions. Promises: a stored definition was checked as a whole; a name belongs to one
//! job of its project, however it is written; a job of a project that a caller may not see answers like one that does not
//! exist. A build keeps the definition that it was started with, so a change here never reaches a running one.

mod create;
mod error;
mod find;
mod handle;
mod model;
mod routes;
#[cfg(test)]
mod routes_tests;
mod rules;
#[cfg(test)]
mod rules_tests;
mod store;
mod update;

pub use error::JobsError;
pub use handle::Jobs;
pub use routes::routes;
pub use rules::{BadJob, check_definition};
pub use store::TABLES;
