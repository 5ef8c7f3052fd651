//! Projects: the border of visibility.
//!
//! Owns projects and their names. Promises: a name belongs to one project, however it is written; who makes a project may do
//! everything in it from that commit on; a project that a caller may not see answers like one that does not exist.

mod create;
mod error;
mod find;
mod handle;
mod model;
mod routes;
#[cfg(test)]
mod routes_tests;
mod rules;
mod store;
mod update;

pub use error::ProjectsError;
pub use handle::Projects;
pub use routes::routes;
pub use rules::{BadProject, is_name};
pub use store::TABLES;
