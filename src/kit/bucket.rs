//! A bound on how often something may happen: a bucket of tokens that fills again by itself. Pure; the caller brings the time.

use std::time::Duration;

/// How often something may happen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// How often at once.
    pub burst: u32,
    /// How often a second in the long run.
    pub per_second: f64,
}

/// What is left of a [`Rate`].
#[derive(Debug, Clone, Copy)]
pub struct Bucket {
    rate: Rate,
    level: f64,
    /// When `level` was true, on a monotonic clock.
    at: Duration,
}

impl Bucket {
    /// A full bucket.
    #[must_use]
    pub fn new(rate: Rate, now: Duration) -> Self {
        Self {
            rate,
            level: f64::from(rate.burst),
            at: now,
        }
    }

    /// Takes a token; says whether there was one.
    pub fn take(&mut self, now: Duration) -> bool {
        self.fill(now);
        let is_there = self.level >= 1.0;
        if is_there {
            self.level -= 1.0;
        }
        is_there
    }

    /// Whether nothing was taken of late: then a new bucket would be the same.
    pub fn is_full(&mut self, now: Duration) -> bool {
        self.fill(now);
        self.level >= f64::from(self.rate.burst)
    }

    fn fill(&mut self, now: Duration) {
        let seconds = now.saturating_sub(self.at).as_secs_f64();
        self.level = (self.level + seconds * self.rate.per_second).min(f64::from(self.rate.burst));
        self.at = self.at.max(now);
    }
}

#[cfg(test)]
mod tests {
    use super::{Bucket, Rate};
    use proptest::prelude::*;
    use std::time::Duration;

    proptest! {
        #[test]
        fn never_more_than_the_burst_and_what_filled(burst in 1u32..50, per_second in 0.0f64..20.0,
                                                      steps in proptest::collection::vec(0u64..2_000, 1..300)) {
            let mut bucket = Bucket::new(Rate { burst, per_second }, Duration::ZERO);
            let (mut now, mut taken) = (Duration::ZERO, 0u32);
            for step in steps {
                now += Duration::from_millis(step);
                taken += u32::from(bucket.take(now));
                let most = f64::from(burst) + now.as_secs_f64() * per_second;
                prop_assert!(f64::from(taken) <= most + 1e-6, "{taken} of {most}");
            }
            now += Duration::from_secs(1_000_000);
            prop_assert!(per_second == 0.0 || per_second < 1e-3 || bucket.is_full(now));
        }
    }

    #[test]
    fn it_is_empty_after_its_burst_and_fills_again() {
        let rate = Rate {
            burst: 2,
            per_second: 0.5,
        };
        let mut bucket = Bucket::new(rate, Duration::ZERO);
        let at = Duration::from_secs;
        assert!(bucket.take(at(0)) && bucket.take(at(0)) && !bucket.take(at(0)));
        assert!(!bucket.take(at(1)));
        assert!(bucket.take(at(2)));
        // Time that goes back gives nothing and takes nothing.
        assert!(!bucket.take(at(0)));
        assert!(bucket.take(at(4)));
    }
}
