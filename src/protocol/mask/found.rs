//! Places of secrets in a stream, in order and without overlaps.

/// A stretch of the stream that holds a secret, or several that overlap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) start: u64,
    pub(super) end: u64,
    /// The secret that is named: it begins first, and is the longest that begins there.
    pub(super) secret: u32,
    /// Where that one ends.
    pub(super) secret_end: u64,
}

impl Found {
    pub(super) fn new(start: u64, end: u64, secret: u32) -> Self {
        Self {
            start,
            end,
            secret,
            secret_end: end,
        }
    }

    /// One stretch of two. The result doesn't depend on the order in which many are merged.
    fn merge(self, other: Self) -> Self {
        let rank = |found: &Self| (found.start, u64::MAX - found.secret_end, found.secret);
        let named = if rank(&self) <= rank(&other) {
            self
        } else {
            other
        };
        Self {
            end: self.end.max(other.end),
            ..named
        }
    }
}

/// All stretches that were found and not taken yet.
#[derive(Debug, Default)]
pub(super) struct FoundList(Vec<Found>);

impl FoundList {
    /// Adds a stretch. Those that overlap become one, those that touch stay two.
    pub(super) fn add(&mut self, mut found: Found) {
        let mut first = self.0.len();
        while first > 0 && self.0[first - 1].end > found.start {
            first -= 1;
        }
        let mut after = first;
        while self
            .0
            .get(after)
            .is_some_and(|other| other.start < found.end)
        {
            found = found.merge(self.0[after]);
            after += 1;
        }
        self.0.splice(first..after, [found]);
    }

    pub(super) fn as_slice(&self) -> &[Found] {
        &self.0
    }

    /// Forgets the first `count`.
    pub(super) fn remove_first(&mut self, count: usize) {
        self.0.drain(..count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_order_of_adding_does_not_matter(
            places in proptest::collection::vec((0u64..60, 1u64..12, 0u32..5), 0..12), turn in 0usize..12,
        ) {
            let list = |places: &[(u64, u64, u32)]| {
                let mut list = FoundList::default();
                for &(start, len, secret) in places {
                    list.add(Found::new(start, start + len, secret));
                }
                list.0
            };
            let found = list(&places);
            let mut turned = places.clone();
            turned.rotate_left(turn.min(places.len()));
            prop_assert_eq!(&found, &list(&turned));
            prop_assert!(found.windows(2).all(|pair| pair[0].end <= pair[1].start));
            for place in 0..80 {
                let is_in = |start: u64, end: u64| (start..end).contains(&place);
                prop_assert_eq!(found.iter().any(|found| is_in(found.start, found.end)),
                                places.iter().any(|&(start, len, _)| is_in(start, start + len)));
            }
        }
    }
}
