//! Reports read without a server: what one or several files say, ready to be shown, compared, merged or written anew.
//!
//! [`Reading`] takes files one after the other and gives a [`Digest`]. Promises: tests, attempts and signatures are what the server
//! makes of the same file (same parsers, same identity, same fingerprint); memory holds about three hundred bytes a test and
//! forty a row, while the rows themselves lie in a spool that moves from memory to a temporary file when it is large, so a report
//! of any size can be shown and converted.
//!
//! Several files are each for themselves ([`Reading::new`]), or one run ([`Reading::merging`]): then a test that comes again has run
//! again (its next attempt), and a row that comes again word for word is the same row.

#[cfg(test)]
mod digest_tests;
mod facts;
mod findings;
mod groups;
mod json;
mod model;
mod open;
mod reading;
mod spool;
mod told;

pub use facts::{FileFacts, SuiteFacts};
pub use findings::{WhatOneFileShows, findings_of_file};
pub use groups::FailureGroup;
pub use json::digest_json;
pub use model::{Digest, Place, Row, RowAttempt, Test};
pub use open::{
    ReadError, is_allure_folder, looks_like_a_report, read_allure_folder, read_file, read_input,
};
pub use reading::Reading;
pub use told::{ToldAttempt, ToldTest};
