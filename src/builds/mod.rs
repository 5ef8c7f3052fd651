//! Builds: from the trigger to the end of their last attempt.
//!
//! One record says the truth about a build; [`lifecycle`](self) decides every move of it, purely. An attempt belongs to
//! whoever holds its lease (a fencing number that grows with every claim); what arrives under an older number is refused. An
//! attempt's journal is applied record by record, each once, in the transaction that remembers how far it is.
//!
//! A report alone is not believed: [`rules`](self) hold it against exit codes, times, what was printed and earlier builds, purely. What
//! does not fit is a finding, stored in the transaction that ends the attempt. A test counts once, however many reports tell of it.

mod apply;
mod baseline;
mod batch;
mod cancel;
mod checks;
mod claim;
mod error;
mod facts;
mod findings;
mod finish;
mod gate;
#[cfg(test)]
mod inspect;
mod lifecycle;
mod lose;
mod merge;
mod model;
mod outlook;
mod queue;
mod reports;
mod resume;
mod routes;
mod rules;
mod start;
mod store;
mod tally;
mod view;

#[cfg(test)]
mod rules_tests;

pub use batch::{AppliedBatch, Entry, JournalBatch};
pub use checks::{Fault, words as plain_words};
pub use claim::AgentSlots;
pub use error::BuildsError;
pub use gate::set_gates;
#[cfg(test)]
pub(crate) use inspect::{Inspected, InspectedAttempt};
pub use lose::{HeldLease, Lost};
pub use model::BuildRecord;
pub use queue::label_matches;
pub use resume::Resumed;
pub use routes::routes;
pub use start::StartRequest;
pub use store::{Builds, TABLES, load, set_tps};
pub use tally::Counted;
