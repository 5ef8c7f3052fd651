//! Looking for bytes in blocks, which compilers turn into wide instructions.

/// Bytes that are looked at together.
const BLOCK: usize = 32;

/// Where the first byte is that is wanted.
#[inline]
pub(super) fn position(bytes: &[u8], wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let quiet = bytes
        .chunks_exact(BLOCK)
        .take_while(|block| !block.iter().fold(false, |any, &byte| any | wanted(byte)))
        .count();
    let from = quiet * BLOCK;
    bytes[from..]
        .iter()
        .position(|&byte| wanted(byte))
        .map(|at| from + at)
}

/// How many line ends there are.
#[inline]
pub(super) fn line_ends(bytes: &[u8]) -> u64 {
    // As many as one byte can count.
    bytes
        .chunks(255)
        .map(|block| {
            let count = block
                .iter()
                .fold(0_u8, |count, &byte| count + u8::from(byte == b'\n'));
            u64::from(count)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_one_by_one(bytes in proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'\n')], 0..600), quiet in 0usize..300) {
            let bytes = [vec![b'a'; quiet], bytes].concat();
            prop_assert_eq!(position(&bytes, |byte| byte == b'\n'), bytes.iter().position(|&byte| byte == b'\n'));
            prop_assert_eq!(line_ends(&bytes), bytes.iter().filter(|&&byte| byte == b'\n').count() as u64);
        }
    }
}
