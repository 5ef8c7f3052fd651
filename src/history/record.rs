//! The runs of a report become history, inside the transaction that stores the report.

use super::error::HistoryError;
use super::model::{NewRun, Origin, RunBlock, StoredBatch, StoredRun, StoredTest, Tally, test_of};
use super::store::{
    BATCH_OF_REPORT, BATCHES, BATCHES_OF_BRANCH, BATCHES_OF_PROJECT, BY_NAME, BY_SIGNATURE, RUNS,
    TALLIES, TESTS, branch_hash, last_batch, name_start,
};
use crate::storage::{StorageError, WriteTxn};
use std::borrow::Cow;
use testhide_protocol::{ReportId, Timestamp};

/// Bytes of runs in one block: a block and its key fill a page of the store, and finding one run in it takes microseconds.
const BLOCK_BYTES: usize = 3_800;

/// Rows of one test in one report that become runs; the failing ones first. A report that names all its tests alike has as many rows
/// as it likes, and those of one test are read together.
const RUNS_OF_TEST: usize = 1_000;

/// Adds the runs of `report` to the history of their tests. `runs` come in any order; those sorted by test are taken fastest.
///
/// # Errors
/// Failures of the store; the caller's transaction must not be committed then.
pub fn record(
    wtxn: &WriteTxn,
    origin: &Origin,
    report: ReportId,
    runs: &[NewRun],
    now: Timestamp,
) -> Result<(), HistoryError> {
    let batch = last_batch(wtxn)? + 1;
    BATCHES.write(wtxn)?.put(
        &batch,
        &StoredBatch {
            report,
            origin: origin.clone(),
            time: now,
        },
    )?;
    BATCH_OF_REPORT.write(wtxn)?.put(&report, &batch)?;
    BATCHES_OF_PROJECT
        .write(wtxn)?
        .put(&(origin.project, batch), &())?;
    BATCHES_OF_BRANCH
        .write(wtxn)?
        .put(&(origin.project, branch_hash(&origin.branch), batch), &())?;

    // Keys go into each table in their order, so that neighbours share the pages that are written.
    let mut ordered: Vec<&NewRun> = runs.iter().collect();
    ordered.sort_by_key(|run| (run.test, run.row));
    put_blocks(wtxn, batch, &ordered)?;
    count(wtxn, origin, batch, &ordered, now)?;

    let mut failing: Vec<_> = ordered
        .iter()
        .filter(|run| run.outcome.is_failure())
        .filter_map(|run| Some((*run.signature?.as_bytes(), run.row, run.test)))
        .collect();
    failing.sort_unstable();
    let mut by_signature = BY_SIGNATURE.write(wtxn)?;
    for (signature, row, test) in failing {
        by_signature.put(&(origin.project, signature, batch, row), &test.bytes())?;
    }
    Ok(())
}

fn put_blocks(wtxn: &WriteTxn, batch: u64, ordered: &[&NewRun]) -> Result<(), StorageError> {
    let mut table = RUNS.write(wtxn)?;
    let mut block = RunBlock::default();
    let mut bytes = 0;
    let mut put = |block: &mut RunBlock| match block.runs.first() {
        Some(first) => {
            table.put(&(batch, test_of(first.test)), block)?;
            block.runs.clear();
            Ok::<_, StorageError>(())
        }
        None => Ok(()),
    };
    for of_test in ordered.chunk_by(|one, next| one.test == next.test) {
        if bytes >= BLOCK_BYTES {
            put(&mut block)?;
            bytes = 0;
        }
        for run in gravest(of_test).iter() {
            let run = StoredRun::from(*run);
            bytes += run.bytes();
            block.runs.push(run);
        }
    }
    put(&mut block)
}

/// The runs of one test that are kept, in their order.
fn gravest<'a, 'b>(of_test: &'b [&'a NewRun]) -> Cow<'b, [&'a NewRun]> {
    if of_test.len() <= RUNS_OF_TEST {
        return Cow::Borrowed(of_test);
    }
    let mut kept = of_test.to_vec();
    kept.sort_by_key(|run| (!run.outcome.is_failure(), run.row));
    kept.truncate(RUNS_OF_TEST);
    kept.sort_by_key(|run| run.row);
    Cow::Owned(kept)
}

/// Makes the tests that nobody saw before, and counts the runs of all.
fn count(
    wtxn: &WriteTxn,
    origin: &Origin,
    batch: u64,
    ordered: &[&NewRun],
    now: Timestamp,
) -> Result<(), StorageError> {
    let mut tallies = TALLIES.write(wtxn)?;
    let mut tests = TESTS.write(wtxn)?;
    let mut new_names = Vec::new();
    for of_test in ordered.chunk_by(|one, next| one.test == next.test) {
        let Some(last) = of_test.last() else { continue };
        let known = tallies.get(&last.test)?;
        if known.is_none() {
            let identity = &last.identity;
            let test = StoredTest {
                project: origin.project,
                display: identity.display.clone(),
                family: identity.family.clone(),
                file: identity.file.clone(),
                first_seen_at: now,
                first_batch: batch,
            };
            tests.put(&last.test, &test)?;
            new_names.push((name_start(&identity.display), last.test, &identity.display));
        }
        let before = known.map_or((0, 0), |tally| (tally.runs, tally.failures));
        let failures = of_test
            .iter()
            .filter(|run| run.outcome.is_failure())
            .count();
        // Several rows of one test in one report: the one that a person has to look at stands for them.
        let worst = of_test
            .iter()
            .find(|run| run.outcome.is_failure())
            .unwrap_or(last);
        let tally = Tally {
            runs: before.0 + of_test.len() as u64,
            failures: before.1 + failures as u64,
            last_batch: batch,
            last_seen_at: now,
            last_outcome: worst.outcome,
        };
        tallies.put(&last.test, &tally)?;
    }
    new_names.sort_unstable();
    let mut by_name = BY_NAME.write(wtxn)?;
    for (start, test, name) in new_names {
        by_name.put(&(origin.project, start, test), &name.as_bytes().to_vec())?;
    }
    Ok(())
}
