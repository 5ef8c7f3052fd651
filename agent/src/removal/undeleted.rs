//! What could not be deleted, and why.

use std::io;

/// What could not be deleted; everything else was.
#[derive(Debug, thiserror::Error)]
#[error("`{first}`{more} cannot be deleted: {why}", more = more(*.count))]
pub(crate) struct Undeleted {
    /// How many entries stay.
    pub(crate) count: u64,
    /// Name of one of them, without its folders.
    pub(crate) first: String,
    /// Why that one stays.
    #[source]
    pub(crate) why: io::Error,
}

fn more(count: u64) -> String {
    match count {
        0 | 1 => String::new(),
        count => format!(" and {} more", count - 1),
    }
}

impl Undeleted {
    /// One entry that stays.
    pub(crate) fn one(name: impl Into<String>, why: impl Into<io::Error>) -> Self {
        Self {
            count: 1,
            first: name.into(),
            why: why.into(),
        }
    }
}

impl From<Undeleted> for io::Error {
    fn from(undeleted: Undeleted) -> Self {
        Self::new(undeleted.why.kind(), undeleted)
    }
}
