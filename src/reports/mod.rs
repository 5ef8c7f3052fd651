//! Test reports and their results.
//!
//! Owns uploaded reports, their results, and the comparison of two runs. Promises: the body of an upload is streamed and parsed
//! in bounded memory; a report becomes visible whole, with its results, its history and its event, in one transaction
//! ([`store`]), or not at all; every row of the file is kept, also those of earlier attempts.
//!
//! The way through: [`Reports::intake`] streams a body into the volumes, [`Reports::prepare`] parses it and packs rows into the
//! volumes (nobody sees them yet), [`store`] writes what points to them. [`Reports::upload`] does all three.
//!
//! Without a server, [`digest`] makes of files what the server would, and [`convert`] writes it in another format.
//!
//! On disk: *rows* are what the file says, one a `<testcase>`, packed into compressed blocks in the order of the file. *Results* are
//! tests: one for each test of the report, with the outcome that its rows and attempts add up to, packed into blocks of their
//! own that lists and comparisons scan. The state holds the report and where its blocks lie.

mod block;
mod collect;
mod compare;
mod compare_stored;
pub mod convert;
pub mod digest;
mod error;
mod evidence;
mod failures;
mod find;
mod intake;
mod model;
pub mod parse;
mod prepare;
mod results;
mod routes;
mod rows;
mod rules;
mod scan;
mod store;
mod transact;
mod upload;
mod view;

#[cfg(test)]
mod generator;
#[cfg(test)]
mod reports_tests;
#[cfg(test)]
mod routes_tests;

pub use compare::compare;
pub use error::ReportsError;
pub use evidence::{Evidence, Names, PrintedFailures};
pub use failures::LightFailure;
pub use intake::MAX_REPORT_BYTES;
pub use model::CompactRow;
pub use prepare::PreparedReport;
pub use routes::{idempotency_key, require_report_type, routes};
pub use rules::weight;
pub use store::{Reports, TABLES};
pub use testhide_agent::pack_allure_folder;
pub use transact::store;
pub use upload::{Upload, Uploaded};
