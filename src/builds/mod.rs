//! Builds: from the trigger to the end of their last attempt.
//!
//! One record says the truth about a build; [`lifecycle`](self) decides every move of it, purely. An attempt belongs to
//! whoever holds its lease (a fencing number that grows with every claim); what arrives under an older number is refused. An
//! attempt's journal is applied record by record, each once, in the transaction that remembers how far it is.

mod apply;
mod cancel;
mod claim;
mod error;
mod finish;
mod gate;
mod lifecycle;
mod lose;
mod model;
mod queue;
mod reports;
mod resume;
mod routes;
mod start;
mod store;
mod view;

pub use apply::{Entry, JournalBatch};
pub use claim::AgentSlots;
pub use error::BuildsError;
pub use gate::set_gates;
pub use lose::{HeldLease, Lost};
pub use model::BuildRecord;
pub use queue::label_matches;
pub use resume::Resumed;
pub use routes::routes;
pub use start::StartRequest;
pub use store::{Builds, load, set_tps};
