//! What keeps an attempt's processes within bounds and together: limits, a cgroup, adoption.
//!
//! Three means, each used where the system has it. A **cgroup** of the attempt's own (version 2, delegated to this agent) holds every
//! process however it runs away, counts memory and processes over all of them, and is killed whole. **`ulimit`** holds each process by itself.
//! **Adoption** makes a runner the parent of whatever its steps orphan. A limit that nothing here can enforce is
//! told of, never passed over.

mod cgroup;
mod confinement;
mod family;
mod limits;
mod seen;

pub(crate) use cgroup::{Base, end_left};
pub(crate) use confinement::{Confinement, Home};
pub use limits::Limits;
pub(crate) use limits::{Means, Way};
pub(crate) use seen::Seen;
