//! The query language: from what a person types to the lines that match. Everything here is pure.
//!
//! | written | finds |
//! | --- | --- |
//! | `timeout` | the word, or a part of a name: `ReadTimeout`, `read_timeout` |
//! | `src/app/Main.java`, `place_order` | this text, between characters that are no letter or digit |
//! | `"connection refused"` | these words in a row, whatever white space is between them |
//! | `time*` | words and parts that start so |
//! | `*meou*` | the text anywhere, at least 3 characters |
//! | `/took \d{4,} ms/` | a regular expression that holds 3 letters or digits in a row |
//! | `job:nightly`, `branch:release*` | blocks of this job; of branches that start so |
//! | `test:checkout`, `step:compile` | blocks of tests and steps whose name contains it |
//! | `status:` `agent:` `project:` `build:421` `kind:log` | blocks with this property |
//! | `before:2026-11-21`, `after:2026-11-20T18:00:00Z` | blocks of the time; a date is its first moment in UTC |
//! | `a b`, `a AND b`, `a OR b`, `NOT a`, `-a`, `( )` | `AND` binds closer than `OR` |
//!
//! Case never matters. In a log all conditions hold for one line, in a failure for its whole text.
//!
//! [`Query::parse`] reads, [`plan`] asks the index for candidate blocks, [`Matcher`] finds the lines in them. What
//! the matcher accepts, the plan finds: both cut text by the index's own rules.

mod ast;
mod error;
mod lex;
mod literal;
mod matcher;
mod parse;
mod pattern;
mod plan;
mod print;

pub use ast::{Expr, Name, Query};
pub use error::QueryError;
pub use matcher::{BlockMatcher, BlockProperties, Matcher};
pub use plan::plan;
