//! The audit log: who did what to what, and who was refused, as an append-only chain.
//!
//! A use case appends its entry in the transaction that makes the change ([`append`]), so there is no change without its entry. Each
//! entry carries the hash of the one before: what is changed or taken out later is found ([`Audit::verify`]). Refusals change nothing
//! and are written on their own, few in full and the rest as counts ([`Audit::refused`]), so that nobody can fill the disk by being refused.
//! What must not be read by an operator (secrets, tokens, whole bodies) has no place in an entry: [`Entry`] takes short named fields.
//!
//! It stands left of `accounts`, which uses it; its routes are in `feed`, which knows who is calling.

mod chain;
mod list;
mod model;
mod refusals;
mod store;
mod verify;

pub use chain::{Broken, Chain};
pub use list::{Filter, Found};
pub use model::{Entry, agent, anonymous, object, system, token, user};
pub use store::{Audit, TABLES, append};
