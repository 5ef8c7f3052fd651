//! Tests over time: who a test is, and every run of it that a report told of.
//!
//! Owns tests, their counters and their runs. Promises: a test is the same test on every machine ([`identify`], [`test_id`]);
//! the runs of a report become visible together, in the transaction that stores the report ([`record`]); pages of runs
//! are newest first, in the order in which reports were stored, so an old file that arrives late is a late run.
//!
//! Runs lie in the order of arrival, packed into blocks by test: a report of 100,000 tests adds some 700 neighbouring rows instead
//! of touching 100,000 places of a table that is keyed by test. A test's history is read by asking one block of each report of
//! its project between the test's last and first run.

mod error;
mod identity;
mod list;
mod model;
mod numbering;
mod place;
mod record;
mod routes;
mod runs;
mod store;
mod view;

#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod identity_tests;

pub use error::HistoryError;
pub use identity::{Identity, identify};
pub use model::{BuildOrigin, NewRun, Origin, Run, RunPage, RunPlace};
pub use numbering::{new_report_id, place_of_result, result_id, test_id};
pub use record::record;
pub use routes::routes;
pub use runs::{failing_runs_with_signature, last_runs_before, place_of_report, runs};
pub use store::History;
