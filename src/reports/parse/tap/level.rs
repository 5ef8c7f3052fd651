//! What is remembered while lines go by: of each open level, and of what comments mean.

use super::line::Point;

/// A level of subtests, or the document.
#[derive(Default)]
pub(super) struct Level {
    pub(super) plan: Option<u64>,
    pub(super) points: u64,
    /// Rows of the level and those below, and how many of them failed.
    pub(super) rows: u64,
    pub(super) failed: u64,
    /// What its parent calls it.
    pub(super) name: Option<String>,
    /// A subtest that was announced and has not come yet.
    pub(super) announced: Option<String>,
    /// Rows of the subtest that has just ended: the next point sums it up.
    pub(super) below: Option<(u64, u64)>,
    /// The point that opened it with a brace, and its line: it stands before the subtest and sums it up.
    pub(super) opened_by: Option<(Point, u64)>,
}

/// Whether comments are the names of tape's tests.
pub(super) enum Tape {
    Unknown,
    /// The file begins with a version; this is the last comment since.
    Maybe(Option<String>),
    Yes,
    No,
}
