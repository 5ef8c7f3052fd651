//! What people see: clean text, tables, colours, ages and durations, progress bars.
//!
//! Promises: a text that came from a server holds no control sequence when it reaches the terminal ([`clean`], [`clean_log`]).

mod clean;
mod json;
mod measure;
mod printer;
mod progress;
mod signs;
mod table;
mod theme;
mod wrap;

pub(in crate::cli) use clean::{clean, clean_lines, clean_log};
pub(in crate::cli) use measure::{age, bytes, duration, parse_duration, short_commit};
pub(in crate::cli) use printer::{Printer, Wishes};
pub(in crate::cli) use progress::ProgressBar;
pub(in crate::cli) use signs::{gate_sign, outcome_sign, state_sign, step_sign, verdict_sign};
pub(in crate::cli) use table::{Cell, Table, cut};
pub(in crate::cli) use theme::{Colour, Theme};
pub(in crate::cli) use wrap::hanging;
