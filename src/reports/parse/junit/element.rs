//! Elements of a JUnit document while they are open: what each is, and which end tag is its own.

use super::case::Class;

/// What an element is, given where it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Root,
    Suite,
    Case,
    Properties,
    Property,
    Problem(Class),
    Retry,
    StackTrace,
    Stdout,
    Stderr,
    Other,
}

/// An element whose end has not come.
pub(super) struct Open {
    pub(super) kind: Kind,
    pub(super) name: Name,
}

/// Enough of a name to find its end tag: its bytes hashed (FNV), so that names of any length cost the same.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Name(u64);

impl Name {
    pub(super) fn of(name: &[u8]) -> Self {
        Self(name.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
        }))
    }
}
