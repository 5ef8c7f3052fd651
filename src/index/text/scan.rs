//! Looks for text inside of terms by reading the dictionary.
//!
//! The library's own way, an automaton over the dictionary, refuses patterns of more than some hundred characters
//! and is no faster where every term must be looked at.

use regex::bytes::Regex;
use tantivy::postings::BlockSegmentPostings;
use tantivy::query::{
    BitSetDocSet, ConstScorer, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{BitSet, DocId, DocSet, Score, SegmentReader, TantivyError};

/// Blocks with a term of which a place reads like a text.
#[derive(Clone, Debug)]
pub(super) struct TermScan {
    field: Field,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    Start(Vec<u8>),
    End(Vec<u8>),
    Anywhere(Regex),
}

impl TermScan {
    /// Blocks with a term that starts with `text`; reads only those terms.
    pub(super) fn start(field: Field, text: &str) -> TermScan {
        TermScan {
            field,
            place: Place::Start(text.as_bytes().to_vec()),
        }
    }

    /// Blocks with a term that ends with `text`.
    pub(super) fn end(field: Field, text: &str) -> TermScan {
        TermScan {
            field,
            place: Place::End(text.as_bytes().to_vec()),
        }
    }

    /// Blocks with a term that contains `text`.
    pub(super) fn anywhere(field: Field, text: &str) -> TermScan {
        // A plain text is searched for by the expression engine's substring search.
        let regex =
            Regex::new(&regex::escape(text)).expect("escaped text of a bounded query compiles");
        TermScan {
            field,
            place: Place::Anywhere(regex),
        }
    }

    fn blocks(&self, reader: &SegmentReader) -> tantivy::Result<BitSet> {
        let mut blocks = BitSet::with_max_value(reader.max_doc());
        let inverted = reader.inverted_index(self.field)?;
        let range = inverted.terms().range();
        let mut terms = match &self.place {
            Place::Start(text) => range.ge(text).into_stream()?,
            Place::End(_) | Place::Anywhere(_) => range.into_stream()?,
        };
        while terms.advance() {
            let found = match &self.place {
                // Terms are sorted: behind the first that starts otherwise comes none.
                Place::Start(text) if !terms.key().starts_with(text) => break,
                Place::Start(_) => true,
                Place::End(text) => terms.key().ends_with(text),
                Place::Anywhere(regex) => regex.is_match(terms.key()),
            };
            if found {
                let postings = inverted
                    .read_block_postings_from_terminfo(terms.value(), IndexRecordOption::Basic)?;
                insert_all(postings, &mut blocks);
            }
        }
        Ok(blocks)
    }
}

fn insert_all(mut postings: BlockSegmentPostings, blocks: &mut BitSet) {
    while !postings.docs().is_empty() {
        for &block in postings.docs() {
            blocks.insert(block);
        }
        postings.advance();
    }
}

impl Query for TermScan {
    fn weight(&self, _scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for TermScan {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let blocks = BitSetDocSet::from(self.blocks(reader)?);
        Ok(Box::new(ConstScorer::new(blocks, boost)))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        if self.scorer(reader, 1.0)?.seek(doc) == doc {
            Ok(Explanation::new("TermScan", 1.0))
        } else {
            Err(TantivyError::InvalidArgument(format!(
                "block {doc} does not match"
            )))
        }
    }
}
