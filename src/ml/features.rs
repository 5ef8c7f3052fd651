//! Features of a text for the classifier: hashed words and word pairs of named fields.

use std::collections::BTreeMap;

use super::embed::normalise;
use super::hashing::{slot_and_sign, stable_hash};
use super::mask::mask;
use super::tokens::words;

/// Slots of a feature vector. The fit is dense, so its cost grows with this number; a few thousand samples hold a few
/// hundred words that tell categories apart.
pub(super) const FEATURES: usize = 512;

/// What the classifier sees of one sample: a vector of length one, or zero when the texts hold no word.
#[derive(Debug, Clone, PartialEq)]
pub struct Features(pub(super) Box<[f32]>);

impl Features {
    /// Features of `(field, text)` pairs, for example `[("type", "TimeoutError"), ("message", "…")]`.
    ///
    /// The same word in two fields makes two features. Volatile parts are masked; masks themselves are left out. A
    /// field that is given twice counts as one longer field.
    pub fn of(fields: &[(&str, &str)]) -> Self {
        let mut counts: BTreeMap<u64, u32> = BTreeMap::new();
        for (field, text) in fields {
            let seed = stable_hash(0, field.as_bytes());
            let words = words(&mask(text));
            for word in &words {
                *counts
                    .entry(stable_hash(seed, word.as_bytes()))
                    .or_default() += 1;
            }
            for pair in words.windows(2) {
                *counts
                    .entry(stable_hash(seed, pair.join(" ").as_bytes()))
                    .or_default() += 1;
            }
        }
        let mut values = vec![0.0; FEATURES].into_boxed_slice();
        for (hash, count) in counts {
            let (slot, sign) = slot_and_sign(hash, FEATURES);
            values[slot] += sign * (1.0 + (count as f32).ln());
        }
        normalise(&mut values);
        Self(values)
    }

    /// The texts held no word.
    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|value| *value == 0.0)
    }

    /// A number that is equal for equal features: copies of one sample must not be split between learning and checking.
    pub(super) fn fingerprint(&self) -> u64 {
        let bytes: Vec<u8> = self
            .0
            .iter()
            .flat_map(|value| value.to_bits().to_le_bytes())
            .collect();
        stable_hash(0, &bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_kept_apart_and_volatile_parts_ignored() {
        let message = Features::of(&[("message", "timeout after 30 s")]);
        assert_eq!(message, Features::of(&[("message", "timeout after 31 s")]));
        assert_eq!(
            message.fingerprint(),
            Features::of(&[("message", "timeout after 31 s")]).fingerprint()
        );
        assert_ne!(message, Features::of(&[("trace", "timeout after 30 s")]));
        assert_ne!(
            message,
            Features::of(&[("message", "after timeout 30 s")]),
            "pairs of words know the order"
        );
        assert!(Features::of(&[("message", "12 / 7")]).is_empty() && !message.is_empty());
    }
}
