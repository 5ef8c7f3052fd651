//! What is known of a build when its gates are evaluated. Pure values.

use std::collections::BTreeMap;
use testhide_protocol::TestId;
use testhide_protocol::api::{BuildState, Finding, Outcome};

/// Everything that rules decide by.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// How the build stands.
    pub state: BuildState,
    /// How long its present attempt took; absent until it has ended.
    pub duration_ms: Option<u64>,
    /// The branch that no rule has to name.
    pub default_branch: String,
    /// The tests of the present attempt, each once, by name.
    pub tests: Vec<TestFact>,
    /// Why those may not be all tests, or why there are none: a sentence without its first letter and full stop.
    pub doubt: Option<String>,
    /// For each branch that a rule compares with: what its history says of the tests that fail here, or why it cannot be read.
    pub base: BTreeMap<String, Result<BaseHistory, String>>,
    /// What does not fit together in the build, or why that is not known.
    pub findings: Result<Vec<Finding>, String>,
}

/// One test, with what all reports of the attempt add up to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TestFact {
    /// The test.
    pub id: TestId,
    /// What people call it.
    pub name: String,
    /// The worst of its outcomes.
    pub outcome: Outcome,
    /// Whether it passed after an attempt that failed.
    pub recovered: bool,
    /// Its longest duration.
    pub duration_ms: Option<u64>,
}

/// What the history of a branch says of the tests that fail in a build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct BaseHistory {
    /// Failing tests that the branch knows, with how many of its builds ago each failed last: 1 is the last build there that reports
    /// the test; `None` when it did not fail as far back as was looked.
    pub failed_ago: BTreeMap<TestId, Option<u32>>,
}

impl Default for Facts {
    /// Nothing is known.
    fn default() -> Self {
        Self {
            state: BuildState::Queued,
            duration_ms: None,
            default_branch: "main".to_owned(),
            tests: Vec::new(),
            doubt: Some("nothing is known of its tests".to_owned()),
            base: BTreeMap::new(),
            findings: Err("its findings are not known".to_owned()),
        }
    }
}

impl TestFact {
    /// Whether it ran at all.
    pub(super) fn ran(&self) -> bool {
        !matches!(self.outcome, Outcome::Skipped | Outcome::NotRun)
    }
}
