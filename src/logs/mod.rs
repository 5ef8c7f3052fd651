//! Logs of builds: every byte that an attempt wrote, once, in order, with any line at hand.
//!
//! One log an attempt. Chunks come compressed from the agent, go to the volumes as they are, and the state keeps for each where
//! it lies, which step and streams it came from, and how many lines stand before it. Promises: a log never has a gap
//! (a chunk must begin where the log ends), a line is at most 64 KiB long, a line range is found by halving and reads a chunk or two, ANSI, carriage
//! returns and invalid UTF-8 are kept as written and made presentable only for [`LogPage`](testhide_protocol::api::LogPage)s. A thousand who
//! follow one log cost it one look at the store a commit and one reading a page, and whoever delivers goes before whoever looks.

mod append;
mod display;
mod error;
mod line;
mod lines;
#[cfg(test)]
mod logs_tests;
mod model;
mod page;
mod raw;
mod running;
mod shared;
mod store;
mod wait;

pub use append::PlacedChunk;
pub use display::shown;
pub use error::LogsError;
pub use line::{LineEnd, MAX_LINE, pieces};
pub use model::LogHead;
pub use page::{Block, Logs};
pub use raw::RawLog;
pub use shared::PageJson;
pub use store::{Appended, TABLES, append, complete, head};
pub use wait::Wanted;
