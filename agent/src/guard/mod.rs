//! Keeps the machine usable between builds: free disk, and no stray processes.
//!
//! It looks before each build and once a minute while nothing runs. Everything that it deletes or ends is said, in the agent's log or in
//! that of the build that waited for it. A disk that stays short does not hold a build up, but is told of.

mod directories;
mod keep;
mod room;
mod strays;

pub(crate) use directories::refusal;
pub(crate) use keep::{before_build, keep};
