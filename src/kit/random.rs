//! Randomness and hashes for secrets, all from `ring`.

use ring::digest;
use ring::rand::{SecureRandom, SystemRandom};

/// `N` unpredictable bytes.
///
/// # Panics
/// When the operating system gives no randomness; nothing safe could follow.
#[must_use]
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("the operating system has randomness");
    bytes
}

/// `prefix` and 32 random bytes in base 32: long enough never to be guessed, with a start that secret scanners know.
#[must_use]
pub fn random_token(prefix: &str) -> String {
    let body = data_encoding::BASE32_NOPAD
        .encode(&random_bytes::<32>())
        .to_lowercase();
    format!("{prefix}{body}")
}

/// SHA-256. Enough for random tokens of 256 bits; passwords go through Argon2id.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    let hash = digest::digest(&digest::SHA256, bytes);
    hash.as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Whether two byte strings are equal, in a time that depends on their length alone.
#[must_use]
pub fn constant_time_eq(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

/// Lower-case hex.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
