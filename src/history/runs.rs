//! Reading runs: the history of one test, and the failures with one signature.

use super::error::HistoryError;
use super::model::{Run, RunBlock, RunPage, RunPlace, StoredBatch, StoredRun};
use super::store::{
    BATCH_OF_REPORT, BATCHES, BATCHES_OF_BRANCH, BATCHES_OF_PROJECT, BY_SIGNATURE, History, RUNS,
    branch_hash, load,
};
use crate::ml::Signature;
use crate::storage::{StorageError, TableHandle, Transaction};
use std::sync::Arc;
use testhide_protocol::{ProjectId, ReportId, TestId};

/// Reports that one page may look into; the page of a test that runs rarely ends early and has a next one.
const MAX_REPORTS: usize = 10_000;

/// Before every run there is.
const NEWEST: RunPlace = RunPlace {
    batch: u64::MAX,
    row: u32::MAX,
};

impl History {
    /// As [`runs`], on what is committed now.
    ///
    /// # Errors
    /// As [`runs`].
    pub fn runs(
        &self,
        test: TestId,
        branch: Option<&str>,
        before: Option<RunPlace>,
        limit: usize,
    ) -> Result<RunPage, HistoryError> {
        self.storage
            .read(|rtxn| runs(rtxn, test, branch, before, limit))
    }
}

/// Up to `limit` runs of `test` before a place (or the newest), newest first; of one branch or of all.
///
/// # Errors
/// [`HistoryError::TestNotFound`], failures of the store.
pub fn runs<T: Transaction>(
    txn: &T,
    test: TestId,
    branch: Option<&str>,
    before: Option<RunPlace>,
    limit: usize,
) -> Result<RunPage, HistoryError> {
    let (stored, tally) = load(txn, test)?;
    let before = before.unwrap_or(NEWEST);
    let newest = before.batch.min(tally.last_batch);
    let project = stored.project;
    let found = match branch {
        Some(branch) => {
            let branch = branch_hash(branch);
            let batches = BATCHES_OF_BRANCH.read(txn)?;
            let rows = batches
                .prefix_up_to(&(project, branch), &(project, branch, newest))?
                .rev();
            collect(
                txn,
                test,
                before,
                limit,
                rows.map(|row| row.map(|((.., batch), ())| batch)),
                stored.first_batch,
            )
        }
        None => {
            let batches = BATCHES_OF_PROJECT.read(txn)?;
            let rows = batches.prefix_up_to(&project, &(project, newest))?.rev();
            collect(
                txn,
                test,
                before,
                limit,
                rows.map(|row| row.map(|((_, batch), ())| batch)),
                stored.first_batch,
            )
        }
    };
    Ok(found?)
}

/// Up to `limit` runs of `test` in reports that were stored before `report`, newest first. Fewer when the test runs so rarely
/// that the last thousands of reports do not hold as many.
///
/// # Errors
/// [`HistoryError::TestNotFound`], failures of the store.
pub fn last_runs_before<T: Transaction>(
    txn: &T,
    test: TestId,
    branch: Option<&str>,
    report: ReportId,
    limit: usize,
) -> Result<Vec<Run>, HistoryError> {
    let before = place_of_report(txn, report)?.unwrap_or(NEWEST);
    Ok(runs(txn, test, branch, Some(before), limit)?.runs)
}

/// The place of a report's first row; `None` for a report that is not in the history.
///
/// # Errors
/// Failures of the store.
pub fn place_of_report<T: Transaction>(
    txn: &T,
    report: ReportId,
) -> Result<Option<RunPlace>, StorageError> {
    Ok(BATCH_OF_REPORT
        .read(txn)?
        .get(&report)?
        .map(|batch| RunPlace { batch, row: 0 }))
}

/// Up to `limit` failing runs of a project with this signature, of whatever test, before a place (or the newest), newest first.
///
/// # Errors
/// Failures of the store.
pub fn failing_runs_with_signature<T: Transaction>(
    txn: &T,
    project: ProjectId,
    signature: Signature,
    before: Option<RunPlace>,
    limit: usize,
) -> Result<Vec<Run>, HistoryError> {
    let RunPlace { batch, row } = before.unwrap_or(NEWEST);
    let prefix = (project, *signature.as_bytes());
    let table = BY_SIGNATURE.read(txn)?;
    let reader = Reader::new(txn)?;
    let mut found = Vec::new();
    for entry in table
        .prefix_before(&prefix, &(prefix.0, prefix.1, batch, row))?
        .rev()
    {
        if found.len() == limit {
            break;
        }
        let ((.., batch, row), test) = entry?;
        found.extend(
            reader
                .runs_of(TestId::from_bytes(test), batch)?
                .into_iter()
                .filter(|run| run.place.row == row),
        );
    }
    Ok(found)
}

/// Runs of `test` in `batches` (newest first), until there are `limit` or the test's first run is passed.
fn collect<T: Transaction>(
    txn: &T,
    test: TestId,
    before: RunPlace,
    limit: usize,
    batches: impl Iterator<Item = Result<u64, StorageError>>,
    first_batch: u64,
) -> Result<RunPage, StorageError> {
    let reader = Reader::new(txn)?;
    let mut found: Vec<Run> = Vec::new();
    for (looked_into, batch) in batches.enumerate() {
        let batch = batch?;
        if batch < first_batch {
            break;
        }
        if looked_into == MAX_REPORTS {
            let next = Some(RunPlace {
                batch: batch + 1,
                row: 0,
            });
            return Ok(RunPage { runs: found, next });
        }
        found.extend(
            reader
                .runs_of(test, batch)?
                .into_iter()
                .filter(|run| run.place < before),
        );
        if found.len() > limit {
            found.truncate(limit);
            let next = found.last().map(|last| last.place);
            return Ok(RunPage { runs: found, next });
        }
    }
    Ok(RunPage {
        runs: found,
        next: None,
    })
}

type Opened<'txn, T, K, V> = TableHandle<<T as Transaction>::Raw<'txn>, K, V>;

/// Finds the runs of a test in one report after the other.
struct Reader<'txn, T: Transaction + 'txn> {
    blocks: Opened<'txn, T, (u64, TestId), RunBlock>,
    batches: Opened<'txn, T, u64, StoredBatch>,
}

impl<'txn, T: Transaction> Reader<'txn, T> {
    fn new(txn: &'txn T) -> Result<Self, StorageError> {
        Ok(Self {
            blocks: RUNS.read(txn)?,
            batches: BATCHES.read(txn)?,
        })
    }

    /// The runs of `test` in a report, last row first.
    fn runs_of(&self, test: TestId, batch: u64) -> Result<Vec<Run>, StorageError> {
        let Some(row) = self
            .blocks
            .prefix_up_to(&batch, &(batch, test))?
            .next_back()
        else {
            return Ok(Vec::new());
        };
        let block = row?.1.runs;
        let wanted = test.bytes();
        let start = block.partition_point(|run| run.test < wanted);
        let of_test: Vec<&StoredRun> = block[start..]
            .iter()
            .take_while(|run| run.test == wanted)
            .collect();
        if of_test.is_empty() {
            return Ok(Vec::new());
        }
        let Some(stored) = self.batches.get(&batch)? else {
            return Ok(Vec::new());
        };
        let origin = Arc::new(stored.origin);
        let run = |run: &&StoredRun| Run {
            place: RunPlace {
                batch,
                row: run.row,
            },
            test,
            report: stored.report,
            origin: origin.clone(),
            time: stored.time,
            outcome: run.outcome,
            recovered: run.recovered,
            signature: run.signature,
            duration_ms: run.duration_ms,
        };
        Ok(of_test.iter().rev().map(run).collect())
    }
}
