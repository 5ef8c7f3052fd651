//! Keeps the newest matches of a search.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tantivy::collector::{Collector, SegmentCollector};
use tantivy::columnar::Column;
use tantivy::{DocAddress, DocId, Score, SegmentOrdinal, SegmentReader};

use super::block::Cursor;
use super::schema::Fields;

/// Collects the `limit` newest blocks behind a place, newest first.
pub(super) struct Newest {
    pub(super) limit: usize,
    pub(super) after: Option<Cursor>,
}

type Place = (Cursor, DocAddress);

pub(super) struct SegmentNewest {
    limit: usize,
    after: Option<Cursor>,
    segment: SegmentOrdinal,
    times: Column<i64>,
    ties: Column<u64>,
    /// The oldest of the kept stands on top.
    kept: BinaryHeap<Reverse<Place>>,
}

impl Collector for Newest {
    type Fruit = Vec<Place>;
    type Child = SegmentNewest;

    fn for_segment(
        &self,
        segment: SegmentOrdinal,
        reader: &SegmentReader,
    ) -> tantivy::Result<SegmentNewest> {
        Ok(SegmentNewest {
            limit: self.limit,
            after: self.after,
            segment,
            times: reader.fast_fields().i64(Fields::TIME)?,
            ties: reader.fast_fields().u64(Fields::TIE)?,
            kept: BinaryHeap::new(),
        })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, fruits: Vec<Vec<Place>>) -> tantivy::Result<Vec<Place>> {
        let mut all: Vec<Place> = fruits.into_iter().flatten().collect();
        all.sort_unstable_by(|left, right| right.cmp(left));
        all.truncate(self.limit);
        Ok(all)
    }
}

impl SegmentCollector for SegmentNewest {
    type Fruit = Vec<Place>;

    fn collect(&mut self, doc: DocId, _score: Score) {
        let Some(time) = self.times.first(doc) else {
            return;
        };
        let Some(tie) = self.ties.first(doc) else {
            return;
        };
        let cursor = Cursor { time, tie };
        if self.after.is_some_and(|after| cursor >= after) {
            return;
        }
        let place = Reverse((cursor, DocAddress::new(self.segment, doc)));
        if self.kept.len() < self.limit {
            self.kept.push(place);
        } else if let Some(mut oldest) = self.kept.peek_mut()
            && place < *oldest
        {
            *oldest = place;
        }
    }

    fn harvest(self) -> Vec<Place> {
        self.kept.into_iter().map(|Reverse(place)| place).collect()
    }
}
