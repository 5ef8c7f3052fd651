//! Mocha's own shape: all tests in `tests`, and each again in `passes`, `failures` or `pending`.
//!
//! The three lists are the truth; hooks that failed stand in `failures` alone. `tests` comes first, though, and is all
//! that a cut report has, so a test whose outcome shows there is handed on at once, and left out where it comes again.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::BufRead;

use super::read::Mocha;
use super::row::{is_hook, row};
use crate::reports::parse::input::Value;
use crate::reports::parse::model::{Outcome, ParsedCase};
use crate::reports::parse::output::Halt;

/// Rows that are remembered; in longer reports the rest of `tests` is left to the other lists.
const MOST: usize = 1 << 20;

/// How much more often a row was handed on from `tests` than from the other lists.
#[derive(Default)]
pub(super) struct Seen(HashMap<u64, i32>);

impl Seen {
    /// Whether a row of `tests` is new.
    fn in_tests(&mut self, row: u64) -> bool {
        (self.0.len() < MOST || self.0.contains_key(&row)) && self.step(row, 1) > 0
    }

    /// Whether a row of another list is new.
    fn in_outcomes(&mut self, row: u64) -> bool {
        self.step(row, -1) < 0
    }

    fn step(&mut self, row: u64, by: i32) -> i32 {
        let count = self.0.entry(row).or_default();
        *count += by;
        let count = *count;
        if count == 0 {
            self.0.remove(&row);
        }
        count
    }
}

impl<R: BufRead> Mocha<'_, R> {
    /// Reads one of the lists.
    pub(super) fn list(&mut self, name: &str) -> Result<(), Halt> {
        if !self.doc.enter_array(name)? {
            return Ok(());
        }
        while self.doc.json.next_item()? {
            let line = self.doc.json.line();
            let value = self.doc.value(name)?;
            let Value::Object(members) = value else {
                self.doc.out.warn(line, "wrong_type", "left it out", || {
                    format!("`{name}[]` is no object")
                });
                continue;
            };
            let shown = shown(&members);
            let mut case = row(&mut self.doc, members, line);
            let outcome = match name {
                "passes" => Some(Outcome::Passed),
                "failures" if is_hook(&case.name) => Some(Outcome::Error),
                "failures" => Some(Outcome::Failed),
                "pending" => Some(Outcome::Skipped),
                _ => shown,
            };
            let Some(outcome) = outcome else { continue };
            case.outcome = outcome;
            let row = fingerprint(&case);
            let new = if name == "tests" {
                self.seen.in_tests(row)
            } else {
                self.seen.in_outcomes(row)
            };
            if !new {
                continue;
            }
            if is_hook(&case.name) {
                self.doc.put_uncounted(case)?;
            } else {
                self.doc.put(case)?;
            }
        }
        Ok(())
    }
}

/// The outcome that a test in `tests` shows: an error, a speed (which only passed ones have), or no duration. Mocha
/// before version 8 writes no speed, and a test that skips itself has a duration: those are left to the other lists.
fn shown(members: &[(String, Value)]) -> Option<Outcome> {
    let member = |name: &str| {
        members
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
            .filter(|value| **value != Value::Null)
    };
    if member("err").is_some_and(|err| !err.is_blank()) {
        Some(Outcome::Failed)
    } else if member("speed").is_some() {
        Some(Outcome::Passed)
    } else if member("duration").is_none() {
        Some(Outcome::Skipped)
    } else {
        None
    }
}

fn fingerprint(case: &ParsedCase) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&case.file, &case.classname, &case.name, case.outcome).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_both_lists_are_one() {
        let mut seen = Seen::default();
        assert!(seen.in_tests(1) && seen.in_tests(1));
        assert!(!seen.in_outcomes(1) && !seen.in_outcomes(1));
        assert!(seen.in_outcomes(1), "the third is new");
        assert!(!seen.in_tests(1), "lists may come in any order");
        assert!(seen.in_outcomes(2));
    }
}
