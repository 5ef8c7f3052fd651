//! Tests of all parsers together: real files with known answers, hostile files, limits.

mod corpus;
mod hostile;
mod limit;
mod lines;
