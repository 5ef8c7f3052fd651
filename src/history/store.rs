//! Tables of tests and runs, and the handle to them.

use super::error::HistoryError;
use super::model::{RunBlock, RunPlace, StoredAlias, StoredBatch, StoredTest, Tally, TestRuns};
use super::pack::Packer;
use crate::events::Consumer;
use crate::storage::{Storage, StorageError, Table, TableCheck, Transaction};
use std::collections::BTreeSet;
use std::sync::Arc;
use testhide_protocol::{AliasId, ProjectId, ReportId, TestId};

pub(super) const TESTS: Table<TestId, StoredTest> = Table::new("tests");
pub(super) const TALLIES: Table<TestId, Tally> = Table::new("test_tallies");

/// Tests of a project by name: (project, start of the name in lower case, test) to the whole name.
pub(super) const BY_NAME: Table<(ProjectId, NameStart, TestId), Vec<u8>> =
    Table::new("tests_by_name");

/// Reports in the order of storing.
pub(super) const BATCHES: Table<u64, StoredBatch> = Table::new("run_batches");
pub(super) const BATCH_OF_REPORT: Table<ReportId, u64> = Table::new("run_batch_of_report");
pub(super) const BATCHES_OF_PROJECT: Table<(ProjectId, u64), ()> =
    Table::new("run_batches_of_project");
pub(super) const BATCHES_OF_BRANCH: Table<(ProjectId, BranchHash, u64), ()> =
    Table::new("run_batches_of_branch");

/// Runs, under (batch, first test of the block).
pub(super) const RUNS: Table<(u64, TestId), RunBlock> = Table::new("runs");

/// Older runs by test, under (test, batch of the first run in the row). Rows behind [`PACKED`] are not to be read yet.
pub(super) const TEST_RUNS: Table<(TestId, u64), TestRuns> = Table::new("test_runs");

/// The last batch of each project whose runs are in [`TEST_RUNS`].
pub(super) const PACKED: Table<ProjectId, u64> = Table::new("test_runs_packed");

/// Proposals that two tests are one, whatever became of them.
pub(super) const ALIASES: Table<AliasId, StoredAlias> = Table::new("test_aliases");

/// They in lists: (project, state, milliseconds when proposed, alias).
pub(super) const ALIASES_OF_PROJECT: Table<(ProjectId, u8, u64, AliasId), ()> =
    Table::new("test_aliases_of_project");

/// They by test: (one of the two, alias).
pub(super) const ALIASES_OF_TEST: Table<(TestId, AliasId), ()> = Table::new("test_aliases_of_test");

/// Accepted ones: (project, old test) to the new one, and (project, new test, old test).
pub(super) const GOES_ON_AS: Table<(ProjectId, TestId), [u8; 16]> = Table::new("test_goes_on_as");
pub(super) const WAS_BEFORE: Table<(ProjectId, TestId, TestId), ()> = Table::new("test_was_before");

/// Failing runs by (project, signature, batch, row) to the test.
pub(super) const BY_SIGNATURE: Table<(ProjectId, [u8; 16], u64, u32), [u8; 16]> =
    Table::new("runs_by_signature");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[
    TESTS.check(),
    TALLIES.check(),
    BY_NAME.check(),
    BATCHES.check(),
    BATCH_OF_REPORT.check(),
    BATCHES_OF_PROJECT.check(),
    BATCHES_OF_BRANCH.check(),
    RUNS.check(),
    TEST_RUNS.check(),
    PACKED.check(),
    ALIASES.check(),
    ALIASES_OF_PROJECT.check(),
    ALIASES_OF_TEST.check(),
    GOES_ON_AS.check(),
    WAS_BEFORE.check(),
    BY_SIGNATURE.check(),
];

/// Bytes of a test's name that order the list of tests.
pub(super) type NameStart = [u8; 48];

/// Stands for a branch in keys, which have a fixed width.
pub(super) type BranchHash = [u8; 16];

/// Tests and their runs; clones share them.
#[derive(Clone)]
pub struct History {
    pub(super) storage: Storage,
}

impl History {
    /// The history in `storage`.
    #[must_use]
    pub fn new(storage: Storage) -> Self {
        Self { storage }
    }

    /// The follower of the event log that puts older runs together by test; to be started once.
    #[must_use]
    pub fn consumer(&self) -> Arc<dyn Consumer> {
        Arc::new(Packer(self.clone()))
    }
}

impl History {
    /// Those of some tests of a project that ever failed, under whatever name; quicker than asking for one after the other.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn ever_failed(
        &self,
        project: ProjectId,
        tests: impl IntoIterator<Item = TestId>,
    ) -> Result<BTreeSet<TestId>, HistoryError> {
        self.storage.read(|rtxn| {
            let tallies = TALLIES.read(rtxn)?;
            let renames = WAS_BEFORE.read(rtxn)?.prefix(&project)?.next().is_some();
            let mut failed = BTreeSet::new();
            for test in tests {
                let alone = tallies.get(&test)?.is_some_and(|tally| tally.failures > 0);
                if alone || (renames && load(rtxn, test)?.tally.failures > 0) {
                    failed.insert(test);
                }
            }
            Ok(failed)
        })
    }
}

/// What people call tests, their files and where they came first; in the order
/// of `ids`, without those that nobody knows.
///
/// # Errors
/// Failures of the store.
pub fn names_of<T: Transaction>(txn: &T, ids: &[TestId]) -> Result<Vec<TestName>, StorageError> {
    let table = TESTS.read(txn)?;
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        found.extend(table.get(id)?.map(|test| TestName {
            test: *id,
            display: test.display,
            file: test.file,
            first: RunPlace {
                batch: test.first_batch,
                row: 0,
            },
        }));
    }
    Ok(found)
}

/// Who a test is, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestName {
    /// The test.
    pub test: TestId,
    /// What people call it.
    pub display: String,
    /// Its file, where known.
    pub file: Option<String>,
    /// The place of the report that had it first.
    pub first: RunPlace,
}

/// A test with everything that accepted aliases say it was before.
pub(super) struct Loaded {
    /// Itself: where all of its aliases lead.
    pub id: TestId,
    pub test: StoredTest,
    /// Of all members together.
    pub tally: Tally,
    /// First run of any member.
    pub first_batch: u64,
    /// Itself and its old names.
    pub members: Vec<TestId>,
}

/// A test by its id or that of one of its old names.
pub(super) fn load<T: Transaction>(txn: &T, id: TestId) -> Result<Loaded, HistoryError> {
    let asked = load_alone(txn, id)?;
    let project = asked.0.project;
    let (asked_id, id) = (id, goes_on_as(txn, project, id)?);
    let members = members(txn, project, id)?;
    let (mut test, mut tally) = match id == asked_id {
        true => asked,
        false => load_alone(txn, id)?,
    };
    let mut first_batch = test.first_batch;
    for member in members.iter().filter(|member| **member != id) {
        let (old, of_old) = load_alone(txn, *member)?;
        first_batch = first_batch.min(old.first_batch);
        test.first_seen_at = test.first_seen_at.min(old.first_seen_at);
        tally.runs += of_old.runs;
        tally.failures += of_old.failures;
        if of_old.last_batch > tally.last_batch {
            tally.last_batch = of_old.last_batch;
            tally.last_seen_at = of_old.last_seen_at;
            tally.last_outcome = of_old.last_outcome;
        }
    }
    Ok(Loaded {
        id,
        test,
        tally,
        first_batch,
        members,
    })
}

/// A test by its own runs, whatever aliases say.
pub(super) fn load_alone<T: Transaction>(
    txn: &T,
    id: TestId,
) -> Result<(StoredTest, Tally), HistoryError> {
    let missing = || HistoryError::TestNotFound(id);
    let test = TESTS.read(txn)?.get(&id)?.ok_or_else(missing)?;
    let tally = TALLIES.read(txn)?.get(&id)?.ok_or_else(missing)?;
    Ok((test, tally))
}

/// The test that `id` is by now; most are what they always were.
pub(super) fn goes_on_as<T: Transaction>(
    txn: &T,
    project: ProjectId,
    id: TestId,
) -> Result<TestId, StorageError> {
    let table = GOES_ON_AS.read(txn)?;
    let mut id = id;
    // Aliases that would close a circle are refused, so this ends.
    while let Some(next) = table.get(&(project, id))? {
        id = TestId::from_bytes(next);
    }
    Ok(id)
}

/// A test and its old names.
fn members<T: Transaction>(
    txn: &T,
    project: ProjectId,
    id: TestId,
) -> Result<Vec<TestId>, StorageError> {
    let table = WAS_BEFORE.read(txn)?;
    let mut all = vec![id];
    let mut looked_at = 0;
    while let Some(test) = all.get(looked_at).copied() {
        for row in table.prefix(&(project, test))? {
            let ((.., old), ()) = row?;
            all.push(old);
        }
        looked_at += 1;
    }
    Ok(all)
}

/// Number of the last report that is in the history; 0 when there is none.
pub(super) fn last_batch<T: Transaction>(txn: &T) -> Result<u64, StorageError> {
    Ok(BATCHES.read(txn)?.last()?.map_or(0, |(batch, _)| batch))
}

pub(super) fn branch_hash(branch: &str) -> BranchHash {
    let hash = blake3::hash(branch.as_bytes());
    *hash.as_bytes().first_chunk().expect("BLAKE3 has 32 bytes")
}

/// The part of a name that goes into a key.
pub(super) fn name_start(name: &str) -> NameStart {
    let mut start = [0; size_of::<NameStart>()];
    for (to, byte) in start.iter_mut().zip(name.bytes()) {
        *to = byte.to_ascii_lowercase();
    }
    start
}
