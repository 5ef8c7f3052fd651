//! Tests of all parsers together: real files with known answers, hostile files, limits.

mod corpus;
mod documents;
mod formats;
mod hostile;
mod limit;
