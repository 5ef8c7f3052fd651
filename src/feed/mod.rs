//! The event log for clients: pages of it, long polls, and a WebSocket that resumes by sequence number.
//!
//! A client sees the events of projects it may read and what concerns everybody. An event only says where to look; what it may
//! not look at, it does not hear of.
//!
//! The HTTP of the audit log is here, too: `audit` stands left of `accounts` and knows no caller.

mod live;
mod routes;
mod visible;

pub use live::socket_routes;
pub use routes::{audit_routes, routes};
pub use visible::Feed;
