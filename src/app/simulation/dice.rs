//! Chance that can be repeated: everything random of a simulation comes from its seed.

use parking_lot::Mutex;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// A sequence of numbers from a seed (SplitMix64); clones go on with the same sequence.
#[derive(Debug, Clone)]
pub(super) struct Dice(Arc<Mutex<u64>>);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    /// A sequence of its own for one part of the simulation, so that what one part rolls does not shift what another gets.
    pub(super) fn branch(&self, name: u64) -> Self {
        Self::new(mix(self.roll() ^ mix(name)))
    }

    pub(super) fn roll(&self) -> u64 {
        let mut state = self.0.lock();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(*state)
    }

    /// A number of `range`, which is not empty.
    pub(super) fn within(&self, range: Range<u64>) -> u64 {
        range.start + self.roll() % (range.end - range.start)
    }

    /// As [`Self::within`], for counts and places.
    pub(super) fn index(&self, range: Range<usize>) -> usize {
        let span = (range.end - range.start) as u64;
        range.start + usize::try_from(self.roll() % span).expect("it is below a usize")
    }

    /// Whether something happens that happens once in `times`.
    pub(super) fn once_in(&self, times: u64) -> bool {
        self.roll().is_multiple_of(times)
    }

    /// A duration of `range` in milliseconds.
    pub(super) fn millis(&self, range: Range<u64>) -> Duration {
        Duration::from_millis(self.within(range))
    }

    /// Between 0 and 1.
    pub(super) fn part(&self) -> f64 {
        f64::from(u32::try_from(self.roll() >> 32).expect("half of the bits")) / f64::from(u32::MAX)
    }

    /// One of `items`, which are not none.
    pub(super) fn pick<T: Copy>(&self, items: &[T]) -> T {
        items[self.index(0..items.len())]
    }
}

/// A step of SplitMix64: every bit of the input reaches every bit of the result.
pub(super) fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
