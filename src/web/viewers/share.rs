//! What readers may take while agents deliver. Pure.
//!
//! Nobody asks agents to wait: they are watched. From how long the server works on what they deliver, and how much that is, follow how busy
//! the machine is and how fast it is now, whatever else it does. Readers get an allowance that grows with what is left, and with a tenth of
//! the machine at least, so that they are slow beside a flood and never stand still.

use std::time::Duration;

/// How far back the past counts.
const WINDOW: Duration = Duration::from_millis(200);

/// What may be saved up: readers who come after a pause are served at once.
const SAVED: Duration = Duration::from_millis(50);

/// The part of the machine that readers always have.
const FOR_READERS: f64 = 0.1;

/// How many times slower than at its best the machine is believed to be: a disk that syncs slowly makes deliveries long, not the processor busy.
const SLOWEST: f64 = 4.0;

/// The readers' allowance, in bytes of log that the machine could take from agents instead.
pub(super) struct Share {
    /// Bytes a second that the machine takes at its best.
    most: f64,
    /// May be below zero: then readers wait until it has grown.
    allowance: f64,
    at: Duration,
    /// Deliveries that are worked on.
    deliveries: usize,
    /// Seconds of the window in which some were.
    busy: f64,
    /// Bytes that were taken in the window.
    bytes: f64,
}

impl Share {
    /// The allowance on a machine that takes `most` bytes a second at its best, from the time zero on.
    pub(super) fn new(most: f64) -> Self {
        Self {
            most,
            allowance: most * SAVED.as_secs_f64(),
            at: Duration::ZERO,
            deliveries: 0,
            busy: 0.0,
            bytes: 0.0,
        }
    }

    /// Work on a delivery begins.
    pub(super) fn delivery_begins(&mut self, now: Duration) {
        self.grow(now);
        self.deliveries += 1;
    }

    /// Work on a delivery of `bytes` is over.
    pub(super) fn delivery_ends(&mut self, now: Duration, bytes: f64) {
        self.grow(now);
        self.deliveries -= 1;
        self.bytes += bytes;
    }

    /// A reader takes `bytes`; what is too much is waited for by those who come next.
    pub(super) fn read(&mut self, now: Duration, bytes: f64) {
        self.grow(now);
        self.allowance -= bytes;
    }

    /// How long readers have to wait as things are now; `None` when one may read.
    pub(super) fn wait(&mut self, now: Duration) -> Option<Duration> {
        self.grow(now);
        let missing = 1.0 - self.allowance;
        (self.allowance <= 0.0).then(|| Duration::from_secs_f64(missing / self.rate()))
    }

    /// What the allowance grows by in a second.
    fn rate(&self) -> f64 {
        let busy_part = self.busy / WINDOW.as_secs_f64();
        let speed = if self.busy > 0.0 {
            (self.bytes / self.busy).clamp(self.most / SLOWEST, self.most)
        } else {
            self.most
        };
        // Half of the time is a full load: agents on other machines do the other half of the work.
        speed * (1.0 - 2.0 * busy_part).max(FOR_READERS)
    }

    fn grow(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = self.at.max(now);
        let grown = self.rate() * passed;
        self.allowance = (self.allowance + grown).min(self.most * SAVED.as_secs_f64());
        let kept = (-passed / WINDOW.as_secs_f64()).exp();
        self.bytes *= kept;
        self.busy *= kept;
        if self.deliveries > 0 {
            self.busy += WINDOW.as_secs_f64() * (1.0 - kept);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{SAVED, SLOWEST, Share, WINDOW};
    use proptest::prelude::*;
    use std::time::Duration;

    const MOST: f64 = 1_000_000.0;

    /// What readers of `piece` bytes get in `millis` while every tenth of a second begins with `busy` milliseconds of work on `bytes` each.
    fn read_beside(busy: u64, bytes: f64, piece: f64, millis: u64) -> f64 {
        let mut share = Share::new(MOST);
        let mut read = 0.0;
        for millisecond in 0..millis {
            let now = Duration::from_millis(millisecond);
            let phase = millisecond % 100;
            if phase > 0 && phase <= busy {
                share.delivery_ends(now, bytes);
            }
            if phase < busy {
                share.delivery_begins(now);
            }
            while share.wait(now).is_none() {
                share.read(now, piece);
                read += piece;
            }
        }
        read
    }

    proptest! {
        #[test]
        fn readers_get_all_of_an_idle_machine_and_a_tenth_of_a_busy_one(
            busy in 0u64..100,
            bytes in 0.0f64..2_000.0,
            piece in 1.0f64..20_000.0,
        ) {
            let seconds = 4.0;
            let read = read_beside(busy, bytes, piece, 4_000);
            let slack = 2.0 * MOST * SAVED.as_secs_f64() + piece;
            prop_assert!(read <= MOST * seconds + slack, "{read}");
            prop_assert!(read >= MOST / SLOWEST * 0.1 * seconds - slack, "{read}");
            if busy == 0 {
                prop_assert!(read >= MOST * seconds - slack, "{read}");
            }
            if busy >= 80 {
                // After a moment in which it was not known how busy the machine is.
                let begin = MOST * WINDOW.as_secs_f64();
                let speed = (bytes * 1000.0).clamp(MOST / SLOWEST, MOST);
                prop_assert!(read <= 0.11 * speed * seconds + begin + slack, "{read} at {speed}");
            }
        }

        #[test]
        fn the_wait_is_long_enough_and_not_longer(read in 1.0f64..1e8) {
            let mut share = Share::new(MOST);
            share.read(Duration::ZERO, read);
            if let Some(wait) = share.wait(Duration::ZERO) {
                prop_assert!(share.wait(wait.mul_f64(0.9)).is_some() || wait < Duration::from_micros(20));
                prop_assert!(share.wait(wait + Duration::from_micros(1)).is_none());
            } else {
                prop_assert!(read < MOST * SAVED.as_secs_f64());
            }
        }
    }
}
