//! What speaks for or against a report: kept beside its counts, so that a build can hold it against other facts.

use crate::kit::sha256;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Names of tests that are kept of each kind.
const NAMES: usize = 20;

/// What a report says beside its counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// Tests that the file itself says it has; none where it does not say.
    pub declared: Option<u64>,
    /// Rows of the file.
    pub rows: u64,
    /// Whether its rows carry node ids, so that what was printed can be compared with them.
    pub has_nodeids: bool,
    /// Tests that failed or broke.
    pub failing: Names,
    /// Tests that passed after attempts which the file shows as passed too, although they were not.
    pub rerun: Names,
    /// Tests that passed although a failure of theirs was printed.
    pub printed_passed: Names,
    /// Keys of printed failures whose test has a row.
    pub printed: Vec<u64>,
}

/// The first names of some tests, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// At most 20.
    pub first: Vec<String>,
    /// All.
    pub count: u64,
}

impl Names {
    /// Adds one.
    pub fn add(&mut self, name: &str) {
        self.count += 1;
        if self.first.len() < NAMES {
            self.first.push(name.to_owned());
        }
    }

    /// Adds others.
    pub fn extend(&mut self, others: &Self) {
        self.count += others.count;
        let room = NAMES - self.first.len();
        self.first.extend(others.first.iter().take(room).cloned());
    }
}

impl<'a> FromIterator<&'a str> for Names {
    fn from_iter<I: IntoIterator<Item = &'a str>>(names: I) -> Self {
        let mut all = Self::default();
        names.into_iter().for_each(|name| all.add(name));
        all
    }
}

/// Failures that a reporter printed while the steps ran that come before a report.
#[derive(Debug, Clone, Default)]
pub struct PrintedFailures(HashMap<u64, bool>);

impl PrintedFailures {
    /// Notes a failure by its key; `step_succeeded` says how the step ended that printed it.
    pub fn add(&mut self, key: u64, step_succeeded: bool) {
        self.0.insert(key, step_succeeded);
    }

    /// The printed failure of a test: its key, and whether the step that printed it succeeded.
    pub(super) fn of(&self, nodeid: Option<&str>) -> Option<(u64, bool)> {
        if self.0.is_empty() {
            return None;
        }
        let key = key_of(nodeid?);
        self.0.get(&key).map(|succeeded| (key, *succeeded))
    }
}

/// What a printed failure and a row are compared by: the first 8 bytes of SHA-256 over the node id.
fn key_of(nodeid: &str) -> u64 {
    let hash = sha256(nodeid.as_bytes());
    u64::from_be_bytes(*hash.first_chunk().expect("SHA-256 has 32 bytes"))
}
