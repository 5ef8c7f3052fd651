//! The text index: which blocks can hold a line that a query asks for.
//!
//! A document is a block: one chunk of a log, or one failure. The index keeps the set of a block's terms and a
//! few facets; it keeps no text, no positions and no counts, so it stays a small share of the raw bytes. An
//! answer is a superset: the caller loads the blocks and looks for the lines. The rules that cut text into terms
//! ([`part_starts`], [`fold`], …) are public because that second look must follow the same rules.
//!
//! A line is found only if one block holds all of it: the caller indexes whole lines.

mod ansi;
mod block;
mod candidates;
mod collect;
mod compile;
mod error;
mod reader;
mod scan;
mod schema;
mod terms;
mod tokenizer;
mod writer;

pub use ansi::Stripped;
pub use block::{BlockDoc, BlockHit, BlockKey, Cursor, Kind};
pub use candidates::{Candidates, Compare, Facet, Filter, Projects, facet_value};
pub use error::IndexError;
pub use reader::TextIndex;
pub use terms::TermSet;
pub use tokenizer::{MAX_RUN_CHARS, cut_run, fold, fold_text, is_joinable, is_word, part_starts};
pub use writer::TextWriter;
