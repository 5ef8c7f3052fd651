//! Search: every line of every log and every failure, a moment after it was written.
//!
//! The indexer follows the event log and puts blocks into the text index: the whole lines that begin in one chunk of a log,
//! or one failure. A search asks the index which blocks may hold an answer, loads them from the store and looks for the
//! lines, so the index can be late but an answer is never wrong: what is shown was read from the store a moment ago.
//!
//! Promises: a line is found however its bytes were cut into chunks; of a line longer than 64 KiB only its beginning is
//! looked at, as in the pages of a log. What a caller may not see is neither found nor counted. The index may be deleted at
//! any time; it fills itself again from the first event on.
//!
//! `status:` is answered from the store when asked, never from the index, for logs: a build's state changes after its lines
//! were written, and nothing is indexed again for that. A failure's status is its outcome, which never changes.

mod error;
mod facts;
mod find;
mod handle;
mod indexer;
mod line;
mod log_block;
mod lookup;
pub mod query;
mod routes;
#[cfg(test)]
mod routes_tests;
#[cfg(test)]
mod search_tests;

pub use error::SearchError;
pub use handle::{Search, SearchParts};
pub use indexer::Indexer;
pub use routes::routes;
