//! The formats that can be written.

use super::losses::Losses;
use super::{ctrf, junit, testhide};
use crate::reports::digest::Digest;
use std::io::{self, Write};
use testhide_protocol::Timestamp;

/// A format that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetFormat {
    /// Common Test Report Format, JSON.
    Ctrf,
    /// JUnit XML as Surefire writes it.
    Junit,
    /// Testhide XML, version 1.
    Testhide,
}

impl TargetFormat {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ctrf => "ctrf",
            Self::Junit => "junit",
            Self::Testhide => "testhide",
        }
    }
}

/// Writes a digest and says what did not fit. `now` stands where a format wants the time of writing.
///
/// # Errors
/// A writer that fails, a temporary file that cannot be read. What was written so far is no report.
pub fn write_report(
    digest: &Digest,
    format: TargetFormat,
    now: Timestamp,
    out: &mut dyn Write,
) -> io::Result<Losses> {
    let mut out = io::BufWriter::with_capacity(128 * 1024, out);
    let losses = match format {
        TargetFormat::Ctrf => ctrf::write(digest, now, &mut out),
        TargetFormat::Junit => junit::write(digest, &mut out),
        TargetFormat::Testhide => testhide::write(digest, &mut out),
    }?;
    out.flush()?;
    Ok(losses)
}
