//! The roof: builds every handle in floor order, shows every URL on one screen, runs the loops, ends in order.

mod backup;
mod documentation;
mod health;
mod loops;
mod router;
mod serve;
#[cfg(test)]
mod simulation;
mod tables;
mod wire;

pub use router::router;
pub use serve::{Serving, serve};
pub use tables::tables;
pub use wire::App;
