//! testhide's operator terminal: builds, logs, failures, search and agents over the public API and feed.
//!
//! State, change and picture are apart: [`update`] is pure and turns an [`event::Event`] into a changed
//! [`model::Model`] and a list of [`event::Effect`]s, [`draw`] only reads the model, [`client`] performs the effects
//! and follows the feed, [`run`] owns the terminal. Every text that came from a server passes [`text::sanitise`]
//! before it reaches a cell of the screen. The crate knows a server only by `testhide_protocol`.

mod client;
mod draw;
mod event;
mod model;
mod paint;
mod run;
mod screens;
#[cfg(test)]
mod tests;
mod text;
mod update;
mod words;

pub use run::{TuiError, run};

/// What [`run`] needs to know.
#[derive(Clone)]
pub struct Options {
    /// The server's address without `/api/v3`, e.g. `http://localhost:8080`.
    pub server: String,
    /// An access token or API token.
    pub token: String,
    /// Hides and refuses everything that changes something.
    pub readonly: bool,
    /// The first screen.
    pub start: Start,
}

/// The first screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The list of builds.
    Builds,
    /// One build, by its number.
    Build(u64),
    /// The log of a build's last attempt, by the build's number.
    Log(u64),
}
