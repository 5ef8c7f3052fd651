//! Slows down whoever guesses passwords.
//!
//! Kept in memory alone: a restart forgives, and a store that every wrong password writes to would be a weapon itself.

use super::error::AccountsError;
use super::rules::folded;
use crate::kit::{Clock, sha256};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

/// Wrong passwords before the first wait.
const FREE: u32 = 5;

/// Longest wait; short enough that somebody else's guessing does not lock a person out for the day.
const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// After this long without a wrong password everything is forgotten.
const MEMORY: Duration = Duration::from_secs(900);

/// Most that is remembered.
const CAPACITY: usize = 10_000;

/// Wrong passwords of late.
pub(super) struct Tries {
    clock: Clock,
    known: Mutex<HashMap<Guesser, Wrong>>,
}

/// One user name from one address, as a hash, because the name may be long and of anybody's choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Guesser([u8; 32]);

#[derive(Clone, Copy)]
struct Wrong {
    count: u32,
    last: Duration,
}

impl Guesser {
    pub(super) fn new(username: &str, address: Option<IpAddr>) -> Self {
        Self(sha256(
            format!("{address:?} {}", folded(username)).as_bytes(),
        ))
    }
}

impl Tries {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            known: Mutex::default(),
        }
    }

    /// Whether a try is taken now.
    ///
    /// # Errors
    /// [`AccountsError::TooManyTries`] with the seconds to wait.
    pub(super) fn check(&self, guesser: Guesser) -> Result<(), AccountsError> {
        let now = self.clock.monotonic();
        let left = self
            .known
            .lock()
            .get(&guesser)
            .map_or(Duration::ZERO, |wrong| {
                (wrong.last + wait_after(wrong.count)).saturating_sub(now)
            });
        if left.is_zero() {
            return Ok(());
        }
        let seconds = u32::try_from(left.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        Err(AccountsError::TooManyTries { seconds })
    }

    /// A password was wrong.
    pub(super) fn failed(&self, guesser: Guesser) {
        let now = self.clock.monotonic();
        let mut known = self.known.lock();
        if known.len() >= CAPACITY && !known.contains_key(&guesser) {
            make_room(&mut known, now);
        }
        let wrong = known.entry(guesser).or_insert(Wrong {
            count: 0,
            last: now,
        });
        if now.saturating_sub(wrong.last) > MEMORY {
            wrong.count = 0;
        }
        *wrong = Wrong {
            count: wrong.count.saturating_add(1),
            last: now,
        };
    }

    /// A password was right: everything is forgiven.
    pub(super) fn succeeded(&self, guesser: Guesser) {
        self.known.lock().remove(&guesser);
    }
}

fn make_room(known: &mut HashMap<Guesser, Wrong>, now: Duration) {
    known.retain(|_, wrong| now.saturating_sub(wrong.last) <= MEMORY);
    if known.len() >= CAPACITY {
        let oldest = known
            .iter()
            .min_by_key(|(_, wrong)| wrong.last)
            .map(|(guesser, _)| *guesser);
        oldest.map(|guesser| known.remove(&guesser));
    }
}

/// How long after its `count`th wrong password a guesser waits: 1, 2, 4, … seconds from the fifth on.
fn wait_after(count: u32) -> Duration {
    match count.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(more) => {
            Duration::from_secs(1u64.checked_shl(more).unwrap_or(u64::MAX)).min(LONGEST_WAIT)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{AccountsError, CAPACITY, Guesser, Tries, wait_after};
    use crate::kit::Clock;
    use std::time::Duration;
    use testhide_protocol::Timestamp;

    fn wait(tries: &Tries, guesser: Guesser) -> u32 {
        match tries.check(guesser) {
            Ok(()) => 0,
            Err(AccountsError::TooManyTries { seconds }) => seconds,
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn waits_grow_to_a_limit() {
        let check =
            |count, seconds| assert_eq!(wait_after(count), Duration::from_secs(seconds), "{count}");
        check(0, 0);
        check(4, 0);
        check(5, 1);
        check(6, 2);
        check(13, 256);
        check(14, 300);
        check(68, 300);
        check(69, 300);
        check(u32::MAX, 300);
    }

    #[test]
    fn the_sixth_try_waits_and_a_right_one_forgives() {
        let clock = Clock::manual(Timestamp(0));
        let tries = Tries::new(clock.clone());
        let (ann, bob) = (Guesser::new("ann", None), Guesser::new("bob", None));
        for _ in 0..5 {
            assert_eq!(wait(&tries, ann), 0);
            tries.failed(ann);
        }
        assert_eq!((wait(&tries, ann), wait(&tries, bob)), (1, 0));
        clock.advance(Duration::from_millis(999));
        assert_eq!(wait(&tries, ann), 1);
        clock.advance(Duration::from_millis(1));
        assert_eq!(wait(&tries, ann), 0);
        tries.failed(ann);
        assert_eq!(wait(&tries, ann), 2);
        tries.succeeded(ann);
        assert_eq!(wait(&tries, ann), 0);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let clock = Clock::manual(Timestamp(0));
        let tries = Tries::new(clock.clone());
        let ann = Guesser::new("ann", None);
        (0..9).for_each(|_| tries.failed(ann));
        clock.advance(Duration::from_secs(901));
        tries.failed(ann);
        assert_eq!(wait(&tries, ann), 0);
    }

    #[test]
    fn the_memory_is_bounded() {
        let tries = Tries::new(Clock::manual(Timestamp(0)));
        for number in 0..CAPACITY + 10 {
            tries.failed(Guesser::new(&number.to_string(), None));
        }
        assert_eq!(tries.known.lock().len(), CAPACITY);
    }

    #[test]
    fn names_are_folded_and_addresses_told_apart() {
        let here = Some([127, 0, 0, 1].into());
        assert_eq!(Guesser::new("Ann", here), Guesser::new("ann", here));
        assert_ne!(
            Guesser::new("ann", here),
            Guesser::new("ann", Some([127, 0, 0, 2].into()))
        );
    }
}
