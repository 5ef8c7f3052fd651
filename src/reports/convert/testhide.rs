//! Testhide XML, version 1: JUnit XML with a resolution and a failure id on every case.
//!
//! Readers of this format know rows of one test as attempts where Playwright's reporter writes them so; there, attempts are rows. In all
//! other places they stand inside their case as Surefire writes them, which readers of JUnit understand and others pass by.

use super::junit::{Dialect, write_as};
use super::losses::Losses;
use crate::reports::digest::Digest;
use std::io::{self, Write};

/// Writes Testhide XML.
pub(super) fn write(digest: &Digest, out: &mut dyn Write) -> io::Result<Losses> {
    write_as(digest, Dialect::Testhide, out)
}
