//! The wall clock, which is shown, the monotonic one, which measures, and the one of an attempt's work, which can stand still.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use testhide_protocol::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// The wall clock now.
pub(crate) fn now() -> Timestamp {
    #[cfg(feature = "simulation")]
    if let Some(now) = crate::threads::simulated_now() {
        return now;
    }
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
pub(crate) fn millis_since(start: std::time::Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// The time in which an attempt could work: it stands still while its output waits for room on this machine.
#[derive(Debug, Clone)]
pub(crate) struct WorkClock {
    began: Instant,
    pauses: Arc<watch::Sender<Pauses>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Pauses {
    /// Of those that are over.
    total: Duration,
    /// When the one that lasts began.
    since: Option<Instant>,
    /// Who waits now.
    waiting: u32,
}

/// Its clock stands still as long as this lives.
#[derive(Debug)]
pub(crate) struct Pause {
    clock: WorkClock,
    began: Instant,
}

/// A moment by a work clock. Of two of the same clock the earlier one is less.
#[derive(Debug, Clone)]
pub(crate) struct Deadline {
    clock: WorkClock,
    at: Duration,
}

impl WorkClock {
    /// A clock that runs from now on.
    pub(crate) fn start() -> Self {
        Self {
            began: Instant::now(),
            pauses: Arc::new(watch::Sender::new(Pauses::default())),
        }
    }

    /// This long from now.
    pub(crate) fn after(&self, limit: Duration) -> Deadline {
        Deadline {
            clock: self.clone(),
            at: self.worked().saturating_add(limit),
        }
    }

    /// It stands still until this is dropped.
    pub(crate) fn pause(&self) -> Pause {
        let began = Instant::now();
        self.pauses.send_modify(|pauses| {
            pauses.since.get_or_insert(began);
            pauses.waiting += 1;
        });
        Pause {
            clock: self.clone(),
            began,
        }
    }

    /// Waits until it stands still.
    #[cfg(test)]
    pub(crate) async fn paused(&self) {
        let mut pauses = self.pauses.subscribe();
        let paused = pauses.wait_for(|pauses| pauses.since.is_some()).await;
        drop(paused.expect("the sender lives in `self`"));
    }

    fn worked(&self) -> Duration {
        let pauses = *self.pauses.borrow();
        let until = pauses.since.unwrap_or_else(Instant::now);
        (until - self.began).saturating_sub(pauses.total)
    }
}

impl Pause {
    /// How long it lasts so far.
    pub(crate) fn stood(&self) -> Duration {
        self.began.elapsed()
    }
}

impl Drop for Pause {
    fn drop(&mut self) {
        self.clock.pauses.send_modify(|pauses| {
            pauses.waiting -= 1;
            if pauses.waiting == 0
                && let Some(since) = pauses.since.take()
            {
                pauses.total += since.elapsed();
            }
        });
    }
}

impl Deadline {
    /// How much time is left.
    pub(crate) fn left(&self) -> Duration {
        self.at.saturating_sub(self.clock.worked())
    }

    /// Whether no time is left.
    pub(crate) fn is_passed(&self) -> bool {
        self.left().is_zero()
    }

    /// Waits until no time is left.
    pub(crate) async fn passed(&self) {
        let mut pauses = self.clock.pauses.subscribe();
        loop {
            let is_paused = pauses.borrow_and_update().since.is_some();
            let left = self.left();
            if left.is_zero() {
                return;
            }
            // Too far to be a moment of this clock is never.
            let end = Instant::now().checked_add(left).filter(|_| !is_paused);
            tokio::select! {
                () = until(end) => {}
                // The sender lives in `self`.
                changed = pauses.changed() => drop(changed),
            }
        }
    }

    /// The earlier of two moments of one clock.
    pub(crate) fn earlier(self, other: Self) -> Self {
        if other.at < self.at { other } else { self }
    }

    /// The later of two moments of one clock.
    pub(crate) fn later(self, other: Self) -> Self {
        if other.at > self.at { other } else { self }
    }
}

/// Waits for a moment that may never come.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pause_moves_every_deadline() {
        let clock = WorkClock::start();
        let deadline = clock.after(Duration::from_secs(3600));
        let (pause, other) = (clock.pause(), clock.pause());
        let left = deadline.left();
        let later = clock.after(Duration::from_secs(1));
        drop(pause);
        assert_eq!(deadline.left(), left, "somebody waits still");
        assert_eq!(later.left(), Duration::from_secs(1));
        drop(other);
        assert!(deadline.left() <= left);
        let sooner = later.at;
        assert_eq!(deadline.clone().earlier(later.clone()).at, sooner);
        let apart = later.later(deadline).at - sooner;
        assert!(apart > Duration::from_secs(3000), "{apart:?}");
    }

    #[tokio::test]
    async fn a_deadline_passes_only_while_the_clock_runs() {
        let clock = WorkClock::start();
        let deadline = clock.after(Duration::from_millis(20));
        let pause = clock.pause();
        let early = tokio::time::timeout(Duration::from_millis(60), deadline.passed()).await;
        assert!(early.is_err() && !deadline.is_passed());
        drop(pause);
        crate::tests::within(deadline.passed()).await;
        assert!(deadline.is_passed());
    }
}
