//! `Range` of a request (RFC 9110): a reader that was cut off goes on where it was. Pure.

use std::ops::Range;

/// What of a body is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ByteRange {
    /// Everything: no range was asked for, or one that may be passed over (several ranges, another unit).
    Whole,
    /// A part, not empty.
    Part(Range<u64>),
    /// Nothing that is there.
    Outside,
}

impl ByteRange {
    /// What the header's value asks for of a body with `length` bytes.
    #[must_use]
    pub fn of(header: Option<&str>, length: u64) -> Self {
        let Some((first, last)) = header
            .and_then(|value| value.trim().strip_prefix("bytes="))
            .and_then(|range| range.trim().split_once('-'))
        else {
            return Self::Whole;
        };
        let number = |text: &str| match text.trim() {
            "" => Some(None),
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                // A number past the end of numbers is past the end of the body.
                Some(Some(digits.parse().unwrap_or(u64::MAX)))
            }
            _ => None,
        };
        let range = match (number(first), number(last)) {
            (Some(Some(first)), Some(None)) => first..length,
            (Some(Some(first)), Some(Some(last))) if first <= last => {
                first..length.min(last.saturating_add(1))
            }
            (Some(None), Some(Some(tail))) => length.saturating_sub(tail)..length,
            _ => return Self::Whole,
        };
        if range.is_empty() {
            Self::Outside
        } else {
            Self::Part(range)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::ByteRange::{self, Outside, Part, Whole};
    use proptest::prelude::*;

    #[test]
    fn ranges_of_a_hundred_bytes() {
        let check = |header: &str, expected: ByteRange| {
            assert_eq!(ByteRange::of(Some(header), 100), expected, "{header:?}");
        };
        check("bytes=0-", Part(0..100));
        check("bytes=40-", Part(40..100));
        check("bytes=99-", Part(99..100));
        check("bytes=100-", Outside);
        check("bytes=10-19", Part(10..20));
        check("bytes=10-1000", Part(10..100));
        check("bytes=19-10", Whole);
        check("bytes=-30", Part(70..100));
        check("bytes=-1000", Part(0..100));
        check("bytes=-0", Outside);
        check("bytes=99999999999999999999999-", Outside);
        check("bytes=0-1,5-6", Whole);
        check("bytes=-", Whole);
        check("bytes=a-b", Whole);
        check("lines=1-2", Whole);
        assert_eq!(ByteRange::of(None, 100), Whole);
        assert_eq!(ByteRange::of(Some("bytes=0-"), 0), Outside);
    }

    proptest! {
        #[test]
        fn a_part_is_inside(header in "(bytes=)?[0-9]{0,22}-?[0-9]{0,22}", length in any::<u64>()) {
            if let Part(range) = ByteRange::of(Some(&header), length) {
                prop_assert!(range.start < range.end && range.end <= length);
            }
        }
    }
}
