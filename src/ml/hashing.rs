//! One stable, fast hash for feature hashing and seeded shuffles.
//!
//! Vectors and models on disk depend on these numbers, so the functions never change. They are not made to withstand an
//! attacker who looks for collisions; a name that must not collide (a signature) uses blake3.

/// Hashes `bytes` under `seed`: FNV-1a for the walk, the finaliser of MurmurHash3 so that every bit depends on all.
pub(super) fn stable_hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325 ^ scramble(seed);
    for byte in bytes {
        hash ^= u64::from(*byte);
        hash = hash.wrapping_mul(0x0000_0100_0000_01b3);
    }
    scramble(hash)
}

/// The 64-bit finaliser of MurmurHash3: a permutation without fixed patterns except zero.
pub(super) fn scramble(mut value: u64) -> u64 {
    value ^= value >> 33;
    value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^= value >> 33;
    value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

/// The slot of a token in a vector of `slots` numbers, and the sign it is added with.
///
/// The sign comes from a bit the slot does not use: collisions then cancel on average instead of adding up
/// (Weinberger et al., "Feature Hashing for Large Scale Multitask Learning", ICML 2009).
pub(super) fn slot_and_sign(hash: u64, slots: usize) -> (usize, f32) {
    let slots = u64::try_from(slots).expect("a slice's length fits 64 bits");
    let slot =
        usize::try_from((hash & 0xffff_ffff) % slots).expect("smaller than a slice's length");
    (slot, if hash >> 63 == 0 { 1.0 } else { -1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_stored_vectors_were_made_with() {
        fn check(seed: u64, text: &str, expected: u64) {
            assert_eq!(
                stable_hash(seed, text.as_bytes()),
                expected,
                "{seed} {text}"
            );
        }
        check(0, "", 0xefd0_1f60_ba99_2926);
        check(1, "timeout", 0xad58_d1b3_1023_bb9d);
        assert_ne!(stable_hash(0, b"timeout"), stable_hash(1, b"timeout"));
        assert_ne!(stable_hash(0, b"ab"), stable_hash(0, b"ba"));
    }

    #[test]
    fn both_signs_and_all_slots_are_used() {
        let mut used = [[false; 2]; 16];
        for number in 0..2_000_u32 {
            let (slot, sign) = slot_and_sign(stable_hash(0, &number.to_le_bytes()), 16);
            used[slot][usize::from(sign > 0.0)] = true;
        }
        assert!(used.iter().flatten().all(|hit| *hit));
    }
}
