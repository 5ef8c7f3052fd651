//! The parsers, compiled from the server's own files without the server.

#[path = "../../../src/reports/parse/mod.rs"]
pub mod parse;
