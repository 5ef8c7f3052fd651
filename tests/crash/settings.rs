//! What a case is run with: numbers from the environment, chances from a seed, a seat.

use std::time::Duration;
use tokio::sync::{Semaphore, SemaphorePermit};

/// How long anything may take that is expected to happen. Only a test that hangs gets there.
pub(crate) const PATIENCE: Duration = Duration::from_secs(300);

/// Cases that run at once: each has some processes, and a machine may have two cores only.
const SEATS: u32 = 2;

static FREE: Semaphore = Semaphore::const_new(SEATS as usize);

/// A place among the cases that run.
pub(crate) async fn seat() -> SemaphorePermit<'static> {
    FREE.acquire().await.expect("seats are never taken away")
}

/// All places: nothing else runs.
pub(crate) async fn whole_machine() -> SemaphorePermit<'static> {
    FREE.acquire_many(SEATS)
        .await
        .expect("seats are never taken away")
}

/// A number from the environment.
pub(crate) fn number_from(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: `{text}`")),
        Err(_) => default,
    }
}

/// Waits for a fact that nobody tells of, by asking again and again.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let asking = async {
        let mut again = tokio::time::interval(Duration::from_millis(20));
        while !is_so() {
            again.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, asking)
        .await
        .unwrap_or_else(|_| panic!("it does not come about: {what}"));
}

/// SplitMix64 (Steele, Lea, Flood 2014): enough randomness to choose moments, and the same on every machine for a seed.
pub(crate) struct Random(u64);

impl Random {
    /// The choices of this run, which says how to repeat them.
    #[expect(clippy::print_stdout, reason = "a failed test shows what it printed")]
    pub(crate) fn of_run() -> Self {
        let seed = number_from("TESTHIDE_CRASH_SEED", u64::from(std::process::id()));
        println!("TESTHIDE_CRASH_SEED={seed}");
        Self(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % end
    }
}
