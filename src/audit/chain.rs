//! The chain of hashes over the entries: how one is made and how it is checked. Pure.
//!
//! An entry's hash is BLAKE3 over its JSON line without the field `hash`; the line holds the hash of the entry before. Lines are stored
//! and exported as they were hashed, byte for byte, so that they can be checked without testhide, by any later version too.

use serde::Deserialize;

/// What stands for the hash of an entry before the first.
pub(super) const BEFORE_FIRST: [u8; 32] = [0; 32];

/// Between a line's body and its hash.
const HASH_FIELD: &[u8] = b",\"hash\":\"";

/// Why an entry does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("entry {seq} {what}")]
pub struct Broken {
    /// The first entry that does not fit.
    pub seq: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

/// What has been checked of a chain so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chain {
    /// Entries that fit.
    pub entries: u64,
    /// Number of the last of them; 0 before the first.
    pub last_seq: u64,
    head: Option<[u8; 32]>,
}

/// What the chain needs to know of an entry.
#[derive(Deserialize)]
struct Link {
    seq: u64,
    previous: String,
}

impl Chain {
    /// Hash of the last entry, hex.
    #[must_use]
    pub fn head(&self) -> String {
        hex(&self.head.unwrap_or(BEFORE_FIRST))
    }

    /// Adds the next entry, given as its stored bytes and hash.
    ///
    /// # Errors
    /// [`Broken`] when it is not what was hashed or does not follow the one before; the chain stays as it was.
    pub(super) fn add(&mut self, body: &[u8], hash: [u8; 32]) -> Result<(), Broken> {
        let link: Option<Link> = serde_json::from_slice(body).ok();
        // A part of a chain may begin anywhere.
        let is_first = self.entries == 0;
        let expected = match &link {
            Some(link) if is_first => link.seq,
            _ => self.last_seq.saturating_add(1),
        };
        let broken = |what| Broken {
            seq: expected,
            what,
        };
        if hash_of(body) != hash {
            return Err(broken("was changed: its hash does not fit"));
        }
        let link = link.ok_or_else(|| broken("cannot be read as an entry"))?;
        if !is_first {
            if link.seq != expected {
                return Err(broken("is missing"));
            }
            if link.previous != self.head() {
                return Err(broken("does not carry the hash of the one before"));
            }
        } else if link.seq == 1 && link.previous != hex(&BEFORE_FIRST) {
            return Err(broken("is the first and carries the hash of another"));
        }
        self.entries += 1;
        self.last_seq = link.seq;
        self.head = Some(hash);
        Ok(())
    }

    /// Adds the next line of an export.
    ///
    /// # Errors
    /// As the entries of the store.
    pub fn add_line(&mut self, line: &[u8]) -> Result<(), Broken> {
        let broken = Broken {
            seq: self.last_seq.saturating_add(1),
            what: "is not a line of an export",
        };
        let rest = line.strip_suffix(b"\"}").ok_or_else(|| broken.clone())?;
        let at = rest.len().checked_sub(64).ok_or_else(|| broken.clone())?;
        let (start, hash) = rest.split_at(at);
        let start = start
            .strip_suffix(HASH_FIELD)
            .ok_or_else(|| broken.clone())?;
        let hash = data_encoding::HEXLOWER.decode(hash).ok();
        let hash = hash.and_then(|hash| <[u8; 32]>::try_from(hash).ok());
        let body = [start, b"}"].concat();
        self.add(&body, hash.ok_or(broken)?)
    }
}

/// The line of an export.
pub(super) fn line(body: &[u8], hash: &[u8; 32]) -> Vec<u8> {
    let mut line = body.strip_suffix(b"}").unwrap_or(body).to_vec();
    line.extend_from_slice(HASH_FIELD);
    line.extend_from_slice(hex(hash).as_bytes());
    line.extend_from_slice(b"\"}");
    line
}

pub(super) fn hash_of(body: &[u8]) -> [u8; 32] {
    *blake3::hash(body).as_bytes()
}

pub(super) fn hex(hash: &[u8; 32]) -> String {
    data_encoding::HEXLOWER.encode(hash)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chain(reasons: &[String]) -> Vec<Vec<u8>> {
        let mut previous = BEFORE_FIRST;
        let lines = (1u64..).zip(reasons).map(|(seq, reason)| {
            let body =
                serde_json::json!({"reason": reason, "seq": seq, "previous": hex(&previous)});
            let body = serde_json::to_vec(&body).unwrap();
            previous = hash_of(&body);
            line(&body, &previous)
        });
        lines.collect()
    }

    fn check(lines: &[Vec<u8>]) -> Result<Chain, Broken> {
        let mut checked = Chain::default();
        for line in lines {
            checked.add_line(line)?;
        }
        Ok(checked)
    }

    proptest! {
        #[test]
        fn any_change_in_a_chain_is_found(reasons in proptest::collection::vec(".{0,20}", 2..8), at in any::<prop::sample::Index>(),
                                          place in any::<prop::sample::Index>(), bit in 0u8..8) {
            let lines = chain(&reasons);
            let whole = check(&lines);
            prop_assert_eq!(whole.as_ref().map(|chain| chain.entries), Ok(reasons.len() as u64));
            let mut changed = lines.clone();
            let line = at.get(&lines).clone();
            let at = at.index(lines.len());
            changed[at][place.index(line.len())] ^= 1 << bit;
            prop_assert!(check(&changed).is_err());
            let mut shorter = lines.clone();
            shorter.remove(at);
            // What is cut off at either end cannot be seen from inside: the head is kept elsewhere for that.
            if at > 0 && at + 1 < lines.len() {
                prop_assert!(check(&shorter).is_err());
            }
            if at + 1 < lines.len() {
                let mut swapped = lines;
                swapped.swap(at, at + 1);
                prop_assert!(check(&swapped).is_err());
            }
        }

        #[test]
        fn any_bytes_are_an_error_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Chain::default().add_line(&bytes).is_err());
        }
    }
}
