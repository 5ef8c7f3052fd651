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
    System { started: std::time::Instant },
    Manual { started: i64, now: AtomicI64 },
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
        }
    }

    /// Moves a manual clock; does nothing to the machine's.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual { now, .. } = &*self.0 {
            let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
            now.fetch_add(millis, Ordering::SeqCst);
        }
    }
}
