//! Texts as unit vectors, for nearest-neighbour search.
//!
//! Words and runs of three characters are hashed into a fixed number of slots; nothing is fitted, so a vector depends on
//! its text alone, never on what came before, and stored vectors stay comparable for as long as this file does not
//! change. Words carry the meaning; character runs make spelling variants and unseen identifiers meet.

use std::collections::BTreeMap;

use super::hashing::{slot_and_sign, stable_hash};
use super::mask::mask;
use super::tokens::words;

/// Numbers in one vector: a kilobyte each, and hashed words of one failure rarely meet in one slot.
pub const DIMENSIONS: usize = 256;

/// Separate seeds keep the word `abc` and the character run `abc` apart.
const WORD_SEED: u64 = 1;
const RUN_SEED: u64 = 2;

/// A word of eight letters has ten character runs; at this weight they count together about as much as the word.
const RUN_WEIGHT: f32 = 0.3;

/// The vector of `texts` taken together (a message and its frames' functions, say): length one, or `None` when they
/// hold no word at all.
///
/// Volatile parts are masked first, so two runs of one failure give the same vector. A token's weight grows with the
/// logarithm of its count; the order of words does not matter.
pub fn embed(texts: &[&str]) -> Option<[f32; DIMENSIONS]> {
    let mut counts: BTreeMap<u64, (u32, f32)> = BTreeMap::new();
    let mut count = |hash: u64, weight: f32| counts.entry(hash).or_insert((0, weight)).0 += 1;
    for text in texts {
        for word in words(&mask(text)) {
            count(stable_hash(WORD_SEED, word.as_bytes()), 1.0);
            each_run(&word, |run| {
                count(stable_hash(RUN_SEED, run.as_bytes()), RUN_WEIGHT);
            });
        }
    }
    let mut vector = [0.0_f32; DIMENSIONS];
    // The map's order fixes the order of additions: rounding is then the same for the same words in any order.
    for (hash, (count, weight)) in counts {
        let (slot, sign) = slot_and_sign(hash, DIMENSIONS);
        vector[slot] += sign * weight * (1.0 + (count as f32).ln());
    }
    normalise(&mut vector).then_some(vector)
}

/// The cosine of the angle between two vectors, within -1 and 1; zero when one of them is zero.
///
/// # Panics
/// When the lengths differ: that is a mistake of the caller, not of the data.
pub fn cosine(left: &[f32], right: &[f32]) -> f32 {
    assert_eq!(
        left.len(),
        right.len(),
        "only vectors of one length can be compared"
    );
    let dot = |left: &[f32], right: &[f32]| -> f32 {
        left.iter()
            .zip(right)
            .map(|(left, right)| left * right)
            .sum()
    };
    let lengths = (dot(left, left) * dot(right, right)).sqrt();
    if lengths > 0.0 {
        (dot(left, right) / lengths).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

/// Scales to length one; `false` and untouched when the vector is zero.
pub(super) fn normalise(vector: &mut [f32]) -> bool {
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    if length <= f32::EPSILON {
        return false;
    }
    for value in vector {
        *value /= length;
    }
    true
}

/// Calls `each` with the runs of three characters of `word`, which is marked at both ends.
fn each_run(word: &str, mut each: impl FnMut(&str)) {
    let marked = format!("^{word}$");
    let starts: Vec<usize> = marked
        .char_indices()
        .map(|(position, _)| position)
        .chain([marked.len()])
        .collect();
    for window in starts.windows(4) {
        each(&marked[window[0]..window[3]]);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_text_without_words_has_no_vector() {
        assert_eq!(embed(&[]), None);
        assert_eq!(embed(&["", "... 12 / 0x7f"]), None);
    }

    #[test]
    fn alike_texts_are_near_and_others_are_far() {
        let near =
            |left: &str, right: &str| cosine(&embed(&[left]).unwrap(), &embed(&[right]).unwrap());
        let refused = "ConnectionError: connection refused by 10.0.0.5:5432 after 3 attempts";
        assert!(
            near(
                refused,
                "ConnectionError: connection refused by 10.9.1.7:6432 after 12 attempts"
            ) > 0.999
        );
        let variant = near(refused, "connection to database refused after attempts");
        let other = near(
            refused,
            "AssertionError: expected total 12.50 to equal 13.00",
        );
        assert!(variant > 0.5, "{variant}");
        assert!(other < 0.3, "{other}");
    }

    #[test]
    fn cosine_of_known_vectors() {
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), 0.0);
        assert_eq!(cosine(&[1.0, 0.0], &[-3.0, 0.0]), -1.0);
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 0.0]), 0.0);
    }

    proptest! {
        #[test]
        fn vectors_have_length_one_and_ignore_order(mut texts in prop::collection::vec("[a-zA-Z_ ]{0,30}", 0..5)) {
            let slices: Vec<&str> = texts.iter().map(String::as_str).collect();
            let vector = embed(&slices);
            if let Some(vector) = vector {
                let length: f32 = vector.iter().map(|value| value * value).sum();
                prop_assert!((length - 1.0).abs() < 1e-4);
            }
            texts.reverse();
            let reversed: Vec<&str> = texts.iter().map(String::as_str).collect();
            prop_assert_eq!(embed(&reversed), vector);
        }

        #[test]
        fn any_text_is_taken(text in "\\PC{0,200}") {
            if let Some(vector) = embed(&[&text]) {
                prop_assert!(vector.iter().all(|value| value.is_finite()));
            }
        }
    }
}
