//! Keys: fixed-width parts, big-endian, so that byte order is the order of the scan that reads them.

use crate::kit::to_hex;
use testhide_protocol::{
    AgentId, AliasId, ArtifactId, BuildId, GateId, JobId, ProjectId, ReportId, ResultId, SessionId,
    TestId, TokenId, UserId,
};

/// A key of a table.
pub trait Key: Sized {
    /// Appends the key's bytes.
    fn push(&self, to: &mut KeyBuilder);

    /// Reads the key back; `None` when the bytes are not such a key.
    fn pull(from: &mut KeyReader<'_>) -> Option<Self>;

    /// The key as a person reads it.
    fn show(&self) -> String {
        to_hex(&self.bytes())
    }

    /// The key's bytes.
    fn bytes(&self) -> Vec<u8> {
        let mut builder = KeyBuilder::default();
        self.push(&mut builder);
        builder.0
    }
}

/// Collects the bytes of a key.
#[derive(Default)]
pub struct KeyBuilder(Vec<u8>);

impl KeyBuilder {
    /// Appends bytes as they are.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

/// Reads the parts of a key.
pub struct KeyReader<'a>(pub(super) &'a [u8]);

impl<'a> KeyReader<'a> {
    /// Reads `bytes` from their start.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next `N` bytes.
    pub fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    /// Everything that is left.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0).to_vec()
    }
}

macro_rules! id_keys {
    ($($id:ty),*) => {
        $(impl Key for $id {
            fn push(&self, to: &mut KeyBuilder) {
                to.raw(&<$id>::bytes(*self));
            }

            fn pull(from: &mut KeyReader<'_>) -> Option<Self> {
                from.take::<16>().map(<$id>::from_bytes)
            }

            fn show(&self) -> String {
                self.to_string()
            }
        })*
    };
}
id_keys!(
    AgentId, AliasId, ArtifactId, BuildId, GateId, JobId, ProjectId, ReportId, ResultId, TestId,
    TokenId, UserId, SessionId
);

macro_rules! number_keys {
    ($($number:ty => $width:literal),*) => {
        $(impl Key for $number {
            fn push(&self, to: &mut KeyBuilder) {
                to.raw(&self.to_be_bytes());
            }

            fn pull(from: &mut KeyReader<'_>) -> Option<Self> {
                from.take::<$width>().map(<$number>::from_be_bytes)
            }

            fn show(&self) -> String {
                self.to_string()
            }
        })*
    };
}
number_keys!(u8 => 1, u32 => 4, u64 => 8);

impl<const N: usize> Key for [u8; N] {
    fn push(&self, to: &mut KeyBuilder) {
        to.raw(self);
    }

    fn pull(from: &mut KeyReader<'_>) -> Option<Self> {
        from.take::<N>()
    }
}

/// Text may only be the last part of a key.
impl Key for String {
    fn push(&self, to: &mut KeyBuilder) {
        to.raw(self.as_bytes());
    }

    fn pull(from: &mut KeyReader<'_>) -> Option<Self> {
        Self::from_utf8(from.rest()).ok()
    }

    fn show(&self) -> String {
        self.escape_debug().to_string()
    }
}

impl Key for () {
    fn push(&self, _: &mut KeyBuilder) {}

    fn pull(_: &mut KeyReader<'_>) -> Option<Self> {
        Some(())
    }
}

macro_rules! tuple_keys {
    ($(($($part:ident $index:tt),+)),*) => {
        $(impl<$($part: Key),+> Key for ($($part,)+) {
            fn push(&self, to: &mut KeyBuilder) {
                $(self.$index.push(to);)+
            }

            fn pull(from: &mut KeyReader<'_>) -> Option<Self> {
                Some(($($part::pull(from)?,)+))
            }

            fn show(&self) -> String {
                [$(self.$index.show()),+].join(" ")
            }
        })*
    };
}
tuple_keys!((A 0, B 1), (A 0, B 1, C 2), (A 0, B 1, C 2, D 3), (A 0, B 1, C 2, D 3, E 4));

/// The smallest byte string greater than every string that starts with `prefix`; `None` when there is none.
pub(super) fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|byte| *byte != 0xff)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::{Key, KeyReader, after_prefix};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn byte_order_is_key_order(a in any::<(u64, u32)>(), b in any::<(u64, u32)>()) {
            prop_assert_eq!(a.cmp(&b), a.bytes().cmp(&b.bytes()));
        }

        #[test]
        fn a_key_reads_back(key in any::<(u64, u32, [u8; 3])>(), text in ".*") {
            let whole = (key.0, key.1, key.2, text);
            let bytes = whole.bytes();
            prop_assert_eq!(<(u64, u32, [u8; 3], String)>::pull(&mut KeyReader(&bytes)), Some(whole));
        }

        #[test]
        fn the_end_of_a_prefix_is_after_everything_in_it(prefix in proptest::collection::vec(any::<u8>(), 1..6),
                                                         rest in proptest::collection::vec(any::<u8>(), 0..6)) {
            let inside = [prefix.clone(), rest].concat();
            match after_prefix(&prefix) {
                Some(end) => prop_assert!(inside < end && prefix < end),
                None => prop_assert!(prefix.iter().all(|byte| *byte == 0xff)),
            }
        }
    }
}
