//! Rows whose identity is not complete yet: tools write the name of a file after its tests.
//!
//! Rows are held while a part of the document is open that may still name them, and never more of them than fit into
//! [`HELD_BYTES`]: a file of so many tests gives up their names and says so.

use crate::reports::parse::model::{ParsedCase, RetryAttempt};

/// Memory for rows that wait for their identity; some thirty thousand ordinary ones.
pub(in crate::reports::parse) const HELD_BYTES: usize = 16 << 20;

/// Rows that wait.
#[derive(Default)]
pub(super) struct Held {
    cases: Vec<ParsedCase>,
    bytes: usize,
    /// Rows that have left before the ones in `cases`.
    left: usize,
    /// Parts of the document that are open and may name rows.
    open: usize,
}

impl Held {
    /// Opens a part; the answer says where its rows begin.
    pub(super) fn open(&mut self) -> usize {
        self.open += 1;
        self.left + self.cases.len()
    }

    /// Closes a part; whether nothing is open any more.
    pub(super) fn close(&mut self) -> bool {
        self.open = self.open.saturating_sub(1);
        self.open == 0
    }

    /// Whether rows have to wait.
    pub(super) fn waits(&self) -> bool {
        self.open > 0
    }

    /// Adds a row; whether there are too many now.
    pub(super) fn push(&mut self, case: ParsedCase) -> bool {
        self.bytes += weight(&case);
        self.cases.push(case);
        self.bytes > HELD_BYTES
    }

    /// The rows from `mark` on that still wait.
    pub(super) fn since(&mut self, mark: usize) -> &mut [ParsedCase] {
        let from = mark.saturating_sub(self.left).min(self.cases.len());
        &mut self.cases[from..]
    }

    /// Takes all rows.
    pub(super) fn take(&mut self) -> Vec<ParsedCase> {
        self.left += self.cases.len();
        self.bytes = 0;
        std::mem::take(&mut self.cases)
    }
}

/// About how much memory a row takes.
pub(in crate::reports::parse) fn weight(case: &ParsedCase) -> usize {
    let pairs = |pairs: &[(String, String)]| -> usize {
        pairs
            .iter()
            .map(|(name, value)| name.len() + value.len() + 48)
            .sum()
    };
    let list =
        |texts: &[String]| -> usize { texts.iter().map(|text| text.len() + 24).sum::<usize>() };
    let texts = [&case.trace, &case.stdout, &case.stderr];
    let retries: usize = case
        .retries
        .iter()
        .map(|retry| {
            let texts = [&retry.trace, &retry.stdout, &retry.stderr];
            size_of::<RetryAttempt>()
                + texts
                    .into_iter()
                    .flatten()
                    .map(|text| text.value.len())
                    .sum::<usize>()
                + retry.message.as_ref().map_or(0, String::len)
        })
        .sum();
    size_of::<ParsedCase>()
        + case.name.len()
        + case.classname.len()
        + case.message.as_ref().map_or(0, String::len)
        + texts
            .into_iter()
            .flatten()
            .map(|text| text.value.len())
            .sum::<usize>()
        + pairs(&case.properties)
        + pairs(&case.extra)
        + list(&case.attachments)
        + list(&case.tickets)
        + retries
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_found_again() {
        let case = |name: &str| ParsedCase {
            name: name.to_owned(),
            ..ParsedCase::default()
        };
        let mut held = Held::default();
        assert!(!held.waits());
        let outer = held.open();
        held.push(case("a"));
        let inner = held.open();
        held.push(case("b"));
        assert_eq!(held.since(outer).len(), 2);
        assert_eq!(held.since(inner)[0].name, "b");
        assert!(!held.close());
        assert_eq!(held.take().len(), 2);
        assert!(held.since(inner).is_empty());
        held.push(case("c"));
        assert_eq!(held.since(outer).len(), 1);
        assert!(held.close());
    }

    #[test]
    fn too_many_are_noticed() {
        let mut held = Held::default();
        held.open();
        let large = ParsedCase {
            message: Some("x".repeat(1 << 20)),
            ..ParsedCase::default()
        };
        let full = (0..20).position(|_| held.push(large.clone()));
        assert_eq!(full, Some(15));
    }
}
