//! What the figures share: the processes, the way to talk to them, inputs, and statistics.

mod client;
mod junit;
mod lab;
mod numbers;
#[path = "../../../tests/it/support/speaker.rs"]
mod speaker;

pub(crate) use client::Client;
pub(crate) use junit::{Case, junit, junit_of};
pub(crate) use lab::Lab;
pub(crate) use numbers::{Goal, Table, percentile};
pub(crate) use speaker::{Spoken, begin, chunk, end, journal};
