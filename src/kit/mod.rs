//! Small tools that know nothing of testhide: clock, tasks, randomness, files, networks, rates.

mod bell;
mod bucket;
mod clock;
mod file;
mod networks;
mod random;
mod task;

pub use bell::{Bell, Hearing};
pub use bucket::{Bucket, Rate};
pub use clock::Clock;
pub use file::{create_private_dir, read_secret, write_atomic, write_atomic_with, write_secret};
pub use networks::{InvalidNetwork, Networks};
pub use random::{constant_time_eq, random_bytes, random_token, sha256, to_hex};
#[cfg(test)]
pub(crate) use task::sequential;
pub use task::{Tasks, off_thread};
