//! What testhide says of failures: verdicts, similar earlier failures, and their causes.
//!
//! Owns verdicts with their evidence, people's labels, the model that learns from them, and the index of failures' vectors.
//! Promises: every failure of a report gets exactly one verdict, stored with the version of the rules that said it, in the
//! transaction that appends `VerdictsReached`; nothing of one project shows in another; where the data does not decide, the
//! answer says so and why.
//!
//! Four followers of the event log do the work ([`Analysis::consumers`]): `analysis` judges reports, `similar_failures` fills the
//! vector index (which may be deleted at any time), `root_cause` trains a project's model anew when its labels changed, `renames`
//! proposes that a test which is gone goes on as one that came.
//!
//! Bounds: of one report 10,000 failures and 10,000 passes are judged, and of each failure some 2,000 characters are kept and
//! compared, whatever the report holds.

mod cause;
mod consumer;
mod error;
mod essence;
mod handle;
mod judge;
mod labels;
mod model;
mod renames;
mod rounds;
mod routes;
mod rules;
mod similar;
mod store;
mod summary;
mod train;
mod view;

#[cfg(test)]
mod analysis_tests;

pub use error::AnalysisError;
pub use handle::{Analysis, AnalysisSettings};
pub use routes::routes;
pub use store::TABLES;
