//! The only place that asks the machine for the time.
//!
//! Code that needs the time takes a [`Clock`]; tests hand in a manual one and move it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use testhide_protocol::Timestamp;

/// A source of time; clones share it.
#[derive(Clone)]
pub struct Clock(Arc<Source>);

enum Source {
    System {
        started: std::time::Instant,
    },
    Manual {
        started: i64,
        now: AtomicI64,
    },
    /// Goes with the time of a paused runtime.
    #[cfg(test)]
    Simulated {
        started: tokio::time::Instant,
        wall: AtomicI64,
    },
}

impl Clock {
    /// The machine's clock.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    pub fn system() -> Self {
        Self(Arc::new(Source::System {
            started: std::time::Instant::now(),
        }))
    }

    /// A clock that stands still until [`Clock::advance`] moves it.
    #[must_use]
    pub fn manual(start: Timestamp) -> Self {
        Self(Arc::new(Source::Manual {
            started: start.0,
            now: AtomicI64::new(start.0),
        }))
    }

    /// A clock that goes with the runtime's time, which a simulation pauses; its wall clock begins at `start`.
    #[cfg(test)]
    pub(crate) fn simulated(start: Timestamp) -> Self {
        Self(Arc::new(Source::Simulated {
            started: tokio::time::Instant::now(),
            wall: AtomicI64::new(start.0),
        }))
    }

    /// The wall clock; may jump. For what people read.
    #[must_use]
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the machine's clock"
    )]
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System { .. } => Timestamp(jiff::Timestamp::now().as_millisecond()),
            Source::Manual { now, .. } => Timestamp(now.load(Ordering::SeqCst)),
            #[cfg(test)]
            Source::Simulated { wall, .. } => {
                Timestamp(wall.load(Ordering::SeqCst)).plus_millis(millis(self.monotonic()))
            }
        }
    }

    /// Time since the clock was made; never jumps. For everything that is a duration.
    #[must_use]
    pub fn monotonic(&self) -> Duration {
        match &*self.0 {
            Source::System { started } => started.elapsed(),
            Source::Manual { started, now } => {
                Duration::from_millis((now.load(Ordering::SeqCst) - started).unsigned_abs())
            }
            #[cfg(test)]
            Source::Simulated { started, .. } => started.elapsed(),
        }
    }

    /// Moves a manual clock; does nothing to the machine's.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { now, .. } = &*self.0 {
            now.fetch_add(millis(by), Ordering::SeqCst);
        }
    }

    /// Lets the wall clock of a simulation jump; durations go on as before.
    #[cfg(test)]
    pub(crate) fn jump(&self, millis: i64) {
        if let Source::Simulated { wall, .. } = &*self.0 {
            wall.fetch_add(millis, Ordering::SeqCst);
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
