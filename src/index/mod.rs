//! Search structures made from the stored facts: they may be deleted at any time and are built again.
//!
//! [`text`] finds blocks of logs and failures by their words, [`vector`] finds neighbours of a vector.
//! Nothing here is the truth: an answer names what to look up in the store.

pub mod text;
pub mod vector;

pub use text::{
    BlockDoc, BlockHit, BlockKey, Candidates, Compare, Cursor, Facet, Filter, IndexError, Kind,
    MAX_RUN_CHARS, Projects, Stripped, TermSet, TextIndex, TextWriter, cut_run, facet_value, fold,
    fold_text, is_joinable, is_word, part_starts,
};
pub use vector::{Opened, VectorError, VectorIndex};
