//! The wall clock, which is shown, and the monotonic one, which measures.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use testhide_protocol::Timestamp;

/// The wall clock now.
pub(crate) fn now() -> Timestamp {
    timestamp(SystemTime::now())
}

/// A system's time as the protocol writes it.
pub(crate) fn timestamp(time: SystemTime) -> Timestamp {
    let millis = match time.duration_since(UNIX_EPOCH) {
        Ok(after) => i64::try_from(after.as_millis()),
        Err(before) => i64::try_from(before.duration().as_millis()).map(|millis| -millis),
    };
    Timestamp(millis.unwrap_or(i64::MAX))
}

/// Milliseconds since `start`.
pub(crate) fn millis_since(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
