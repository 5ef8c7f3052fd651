//! The durable log of what happened, and who follows it.
//!
//! A use case appends its event in the transaction that stores its facts ([`append`]). Followers inside the server are
//! [`Consumer`]s with a durable cursor: they see every event at least once, in order, and resume where they were after a crash;
//! an event that keeps failing is parked and does not hold up those behind it. Clients read the same log by sequence number
//! ([`EventLog::after`], [`EventLog::wait_after`]). A channel only wakes; the log tells.

mod consume;
mod log;
mod model;

pub use consume::{Attempted, Consumer, ConsumerError, Consumers};
pub use log::{EventLog, TABLES, append};
