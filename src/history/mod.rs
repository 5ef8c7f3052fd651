//! Tests over time: who a test is, and every run of it that a report told of.
//!
//! Owns tests, their counters and their runs. Promises: a test is the same test on every machine ([`identify`], [`test_id`]);
//! the runs of a report become visible together, in the transaction that stores the report ([`record`]); pages of runs
//! are newest first, in the order in which reports were stored, so an old file that arrives late is a late run.
//!
//! Runs are written in the order of arrival, packed into blocks by test: a report of 100,000 tests adds some 700 neighbouring rows
//! instead of touching 100,000 places of a table that is keyed by test. Whenever a project has 64 reports more, their runs are also put
//! together by test ([`History::pack`]), so a test's history is a few neighbouring rows and a look into the newest reports.
//!
//! A test that is renamed or moved becomes another test. When that was seen, it is proposed as an alias; once somebody accepts it,
//! every reader here takes both for one.

mod aliases;
mod details;
mod error;
mod identity;
mod lane;
mod list;
mod marks;
mod model;
mod numbering;
mod pack;
mod place;
mod record;
mod rounds;
mod routes;
mod rules;
mod runs;
mod store;
mod view;

#[cfg(test)]
mod history_tests;
#[cfg(test)]
mod identity_tests;

pub use aliases::{Aliases, Decision, renamed_tests, store_proposals};
pub use error::HistoryError;
pub use identity::{Identity, identify};
pub use model::{BuildOrigin, NewRun, Origin, Run, RunPage, RunPlace};
pub use numbering::{new_report_id, place_of_result, result_id, test_id};
pub use record::record;
pub use rounds::{origin_of_report, reports_before};
pub use routes::{alias_routes, routes};
pub use rules::{Candidate, Proposal, propose};
pub use runs::{
    MarkedRun, ReportRun, RunFilter, failing_runs_with_signature, last_runs_before,
    passed_durations, place_of_report, runs, runs_of_report,
};
pub use store::{History, TABLES, TestName, names_of};
