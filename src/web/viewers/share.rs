//! What readers may take while agents deliver: one allowance of the machine for both, from which agents take first. Pure.
//!
//! An allowance grows by a rate. What is delivered is taken from it at once, without asking; what is read is taken when the
//! allowance is above zero. Agents take at most nine tenths of what grows, so readers are slow beside a flood, and never stand still.

use std::time::Duration;

/// What may be saved up: readers who come after a pause are served at once.
const SAVED: Duration = Duration::from_millis(50);

/// The part of what grows that agents cannot take.
const FOR_READERS: f64 = 0.1;

/// The allowance, in bytes of log that are delivered.
pub(super) struct Share {
    per_second: f64,
    /// May be below zero: then readers wait until it has grown.
    allowance: f64,
    /// What agents may still take of what has grown.
    for_agents: f64,
    at: Duration,
}

impl Share {
    /// An allowance that grows by `per_second` from the time zero on.
    pub(super) fn new(per_second: f64) -> Self {
        let saved = per_second * SAVED.as_secs_f64();
        Self {
            per_second,
            allowance: saved,
            for_agents: saved,
            at: Duration::ZERO,
        }
    }

    /// Agents delivered `bytes`.
    pub(super) fn delivered(&mut self, now: Duration, bytes: f64) {
        self.grow(now);
        let taken = bytes.min(self.for_agents);
        self.for_agents -= taken;
        self.allowance -= taken;
    }

    /// A reader takes `bytes`; what is too much is waited for by those who come next.
    pub(super) fn read(&mut self, now: Duration, bytes: f64) {
        self.grow(now);
        self.allowance -= bytes;
    }

    /// How long readers have to wait from now on, if nothing more is delivered.
    pub(super) fn wait(&mut self, now: Duration) -> Option<Duration> {
        self.grow(now);
        (self.allowance <= 0.0)
            .then(|| Duration::from_secs_f64((1.0 - self.allowance) / self.per_second))
    }

    fn grow(&mut self, now: Duration) {
        let grown = self.per_second * now.saturating_sub(self.at).as_secs_f64();
        let saved = self.per_second * SAVED.as_secs_f64();
        self.at = self.at.max(now);
        self.allowance = (self.allowance + grown).min(saved);
        self.for_agents = (self.for_agents + grown * (1.0 - FOR_READERS)).min(saved);
    }
}

#[cfg(test)]
mod tests {
    use super::{SAVED, Share};
    use proptest::prelude::*;
    use std::time::Duration;

    const RATE: f64 = 1_000_000.0;

    /// What readers of `piece` bytes get in `millis` beside a flood of `flood` bytes a millisecond.
    fn read_beside(flood: f64, piece: f64, millis: u64) -> f64 {
        let mut share = Share::new(RATE);
        let mut read = 0.0;
        for millisecond in 0..millis {
            let now = Duration::from_millis(millisecond);
            share.delivered(now, flood);
            while share.wait(now).is_none() {
                share.read(now, piece);
                read += piece;
            }
        }
        read
    }

    proptest! {
        #[test]
        fn readers_get_what_is_left_and_a_tenth_at_least(flood in 0.0f64..3000.0, piece in 1.0f64..20_000.0) {
            let millis = 2_000;
            let saved = RATE * SAVED.as_secs_f64();
            let read = read_beside(flood, piece, millis);
            let seconds = millis as f64 / 1000.0;
            let left = (RATE - flood * 1000.0).max(RATE * 0.1) * seconds;
            prop_assert!(read <= left + 2.0 * saved + piece, "{read} of {left}");
            prop_assert!(read >= left - 2.0 * saved - piece, "{read} of {left}");
        }

        #[test]
        fn the_wait_is_long_enough_and_not_longer(read in 1.0f64..1e8) {
            let mut share = Share::new(RATE);
            share.read(Duration::ZERO, read);
            if let Some(wait) = share.wait(Duration::ZERO) {
                prop_assert!(share.wait(wait.mul_f64(0.9)).is_some() || wait < Duration::from_micros(20));
                prop_assert!(share.wait(wait + Duration::from_micros(1)).is_none());
            } else {
                prop_assert!(read < RATE * SAVED.as_secs_f64());
            }
        }
    }
}
