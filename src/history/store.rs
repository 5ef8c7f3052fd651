//! Tables of tests and runs, and the handle to them.

use super::error::HistoryError;
use super::model::{RunBlock, StoredBatch, StoredTest, Tally};
use crate::storage::{Storage, StorageError, Table, Transaction};
use testhide_protocol::{ProjectId, ReportId, TestId};

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

/// Failing runs by (project, signature, batch, row) to the test.
pub(super) const BY_SIGNATURE: Table<(ProjectId, [u8; 16], u64, u32), [u8; 16]> =
    Table::new("runs_by_signature");

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
}

/// A test with its counters.
pub(super) fn load<T: Transaction>(
    txn: &T,
    id: TestId,
) -> Result<(StoredTest, Tally), HistoryError> {
    let missing = || HistoryError::TestNotFound(id);
    let test = TESTS.read(txn)?.get(&id)?.ok_or_else(missing)?;
    let tally = TALLIES.read(txn)?.get(&id)?.ok_or_else(missing)?;
    Ok((test, tally))
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
