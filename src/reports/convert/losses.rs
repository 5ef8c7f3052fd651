//! What did not fit into a format.

use std::collections::BTreeMap;
use std::fmt;

/// Things that were left out or written as something else, each with how often.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Losses(BTreeMap<&'static str, u64>);

impl Losses {
    /// Counts one; `what` is a noun in the plural with what became of it.
    pub(super) fn add(&mut self, what: &'static str) {
        self.add_many(what, 1);
    }

    /// Counts several.
    pub(super) fn add_many(&mut self, what: &'static str, many: u64) {
        if many > 0 {
            *self.0.entry(what).or_default() += many;
        }
    }

    /// Whether everything fitted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Losses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (what, count)) in self.0.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{what} ({count})")?;
        }
        Ok(())
    }
}
