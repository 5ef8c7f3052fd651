//! How long to wait before the next connection.

use std::time::Duration;

use super::uplink::Uplink;

/// The first wait.
const FIRST: Duration = Duration::from_millis(250);

/// The longest wait: an agent that was away comes back within half a minute of its server.
const LONGEST: Duration = Duration::from_secs(30);

/// Waits that double, with chance in them, so that a hundred agents do not come back at the same moment.
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    /// Begins with short waits.
    pub(super) fn new() -> Self {
        Self { next: FIRST }
    }

    /// The last connection was a good one.
    pub(super) fn reset(&mut self) {
        self.next = FIRST;
    }

    /// The next wait: between half of it and all of it.
    pub(super) fn wait(&mut self, uplink: &dyn Uplink) -> Duration {
        let wait = jitter(self.next, uplink);
        self.next = (self.next * 2).min(LONGEST);
        wait
    }
}

/// Between half of `wait` and all of it.
fn jitter(wait: Duration, uplink: &dyn Uplink) -> Duration {
    wait.mul_f64(0.5 + uplink.chance() / 2.0)
}

/// A wait that the server asked for, spread over a fifth more.
pub(super) fn asked(millis: u64, uplink: &dyn Uplink) -> Duration {
    let wait = Duration::from_millis(millis).min(Duration::from_secs(600));
    wait + jitter(wait / 5, uplink)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::uplink::Tcp;

    #[test]
    fn waits_grow_to_half_a_minute_and_begin_again() {
        let mut backoff = Backoff::new();
        let waits: Vec<_> = (0..20).map(|_| backoff.wait(&Tcp)).collect();
        assert!(
            waits
                .iter()
                .all(|wait| *wait >= FIRST / 2 && *wait <= LONGEST)
        );
        assert!(waits[19] >= LONGEST / 2);
        backoff.reset();
        assert!(backoff.wait(&Tcp) <= FIRST);
    }
}
