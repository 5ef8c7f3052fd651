//! Quality gates: what a build has to hold, and whether it does.
//!
//! Owns gates, their rules and the last evaluation of each build. Promises: a stored gate was checked as a whole; a build is
//! evaluated when it ended, once, in the transaction that appends `GateEvaluated`, and again when somebody asks or when a report
//! comes late; **what cannot be known does not hold**, and each result says in one sentence what was expected and what was found.
//!
//! The way through: [`gather`](self) reads what is known of a build, [`rules`](self) decides, purely, one rule after the other.
//! A gate never changes the state of a build: that says what ran, the gate's verdict stands beside it. A build that no gate is for
//! has no verdict.

mod check;
mod consumer;
mod delete;
mod error;
mod evaluate;
mod facts;
mod find;
mod findings;
mod gather;
mod handle;
mod merge;
mod model;
mod put;
mod routes;
mod rules;
#[cfg(test)]
mod rules_tests;
mod store;
mod words;

pub use check::BadGate;
pub use error::GatesError;
pub use handle::Gates;
pub use routes::routes;
pub use store::TABLES;
