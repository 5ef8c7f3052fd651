//! Settings: one table of names, one way to read them.
//!
//! Precedence: flag, environment, config file (`testhide.toml`), default. A secret may also stand in a file named by
//! `NAME_FILE`. Unknown keys in the file are errors that name the nearest known one. Every value keeps where it came from.

mod check;
mod error;
mod load;
mod settings;
mod table;

pub use check::check;
pub use error::ConfigError;
pub use load::{Environment, Overrides};
pub use settings::{Row, Settings};
