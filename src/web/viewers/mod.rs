//! Everybody who looks at the server for longer than a moment: how many there may be, and how much they may take while agents deliver.
//!
//! Long polls, live sockets and downloads take a [`Seat`]; a server without a free one says so instead of growing. Whoever reads waits for
//! a [`Turn`] first: what agents deliver is never slowed by those who watch it, so readers share what the agents leave of the machine,
//! and a tenth of it at least.

mod handle;
mod seats;
mod share;

pub use handle::{Delivery, Turn, ViewerLimits, Viewers};
pub use seats::Seat;
