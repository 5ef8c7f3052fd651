//! Tests of all parsers together: real files with known answers, hostile files, limits.

mod corpus;
mod dialects;
mod hostile;
mod json_documents;
mod json_formats;
mod limit;
mod lines;
mod xml_documents;
mod xml_formats;
