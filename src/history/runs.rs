//! Reading runs: the history of one test, the results of one report, and the failures with one signature.

use super::error::HistoryError;
use super::lane::{Blocks, Scope, each_run};
use super::marks::Marker;
use super::model::{LightRun, Origin, Run, RunPage, RunPlace, test_of};
use super::store::{
    BATCH_OF_REPORT, BATCHES, BY_SIGNATURE, History, Loaded, RUNS, goes_on_as, load,
};
use crate::ml::Signature;
use crate::storage::{StorageError, Transaction};
use std::collections::BTreeMap;
use std::sync::Arc;
use testhide_protocol::api::Outcome;
use testhide_protocol::{JobId, ProjectId, ReportId, TestId, Timestamp};

/// Which runs of a test are wanted.
#[derive(Debug, Clone, Default)]
pub struct RunFilter {
    /// Of this branch.
    pub branch: Option<String>,
    /// Of this job.
    pub job: Option<JobId>,
    /// That ended so.
    pub outcome: Option<Outcome>,
}

/// A run with what the runs before it make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedRun {
    /// The run.
    pub run: Run,
    /// Whether it failed and the run before it on its branch had passed.
    pub first_failure_after_pass: bool,
}

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

    /// Up to `limit` runs of `test` that a filter wants, before a place (or the newest), newest first; and where the older ones begin.
    /// A page may be short and still have a next one.
    ///
    /// # Errors
    /// [`HistoryError::TestNotFound`], failures of the store.
    pub fn history(
        &self,
        test: TestId,
        filter: &RunFilter,
        before: Option<RunPlace>,
        limit: usize,
    ) -> Result<(Vec<MarkedRun>, Option<RunPlace>), HistoryError> {
        self.storage.read(|rtxn| {
            let loaded = load(rtxn, test)?;
            // Runs of other jobs are no less before a run, so what it is after does not depend on who asks.
            let scope = Scope {
                branch: filter.branch.as_deref(),
            };
            let mut marker = Marker::default();
            let mut found: Vec<LightRun> = Vec::new();
            let mut full = false;
            let before = before.unwrap_or(RunPlace::NEWEST);
            let gave_up = each_run(rtxn, &loaded, &scope, before, |run| {
                let wanted = filter.outcome.is_none_or(|outcome| outcome == run.outcome)
                    && filter.job.is_none_or(|job| run.context.job == Some(job));
                full |= wanted && found.len() == limit;
                let number = (wanted && !full).then_some(found.len());
                marker.add(run.context.branch, run.place.batch, run.outcome, number);
                if number.is_some() {
                    found.push(*run);
                }
                !full || marker.is_waiting()
            })?;
            let next = match full {
                true => found.last().map(|last| last.place),
                false => gave_up,
            };
            let first = marker.finish();
            let whole = Whole::new(rtxn).runs(loaded.id, &found)?;
            let marked = |(number, run)| MarkedRun {
                run,
                first_failure_after_pass: first.binary_search(&number).is_ok(),
            };
            Ok((whole.into_iter().enumerate().map(marked).collect(), next))
        })
    }
}

/// Up to `limit` runs of `test` before a place (or the newest), newest first; of one branch or of all. The runs of its old names are
/// among them.
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
    let scope = Scope { branch };
    page(txn, &load(txn, test)?, &scope, before, limit)
}

pub(super) fn page<T: Transaction>(
    txn: &T,
    loaded: &Loaded,
    scope: &Scope<'_>,
    before: Option<RunPlace>,
    limit: usize,
) -> Result<RunPage, HistoryError> {
    let mut found: Vec<LightRun> = Vec::new();
    let mut full = false;
    let gave_up = each_run(
        txn,
        loaded,
        scope,
        before.unwrap_or(RunPlace::NEWEST),
        |run| {
            full = found.len() == limit;
            if !full {
                found.push(*run);
            }
            !full
        },
    )?;
    let next = match full {
        true => found.last().map(|last| last.place),
        false => gave_up,
    };
    let runs = Whole::new(txn).runs(loaded.id, &found)?;
    Ok(RunPage { runs, next })
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
    let before = place_of_report(txn, report)?.unwrap_or(RunPlace::NEWEST);
    Ok(runs(txn, test, branch, Some(before), limit)?.runs)
}

/// Milliseconds of up to `limit` runs of `test` that passed before a place, on one branch, newest first; the durations alone, without
/// looking up where they come from. Looks at ten times as many runs at most.
///
/// # Errors
/// [`HistoryError::TestNotFound`], failures of the store.
pub fn passed_durations<T: Transaction>(
    txn: &T,
    test: TestId,
    branch: &str,
    before: RunPlace,
    limit: usize,
) -> Result<Vec<u64>, HistoryError> {
    let scope = Scope {
        branch: Some(branch),
    };
    let mut found = Vec::new();
    let mut looked_at = 0;
    each_run(txn, &load(txn, test)?, &scope, before, |run| {
        looked_at += 1;
        let clean = run.outcome == Outcome::Passed && !run.recovered;
        found.extend(run.duration_ms.filter(|_| clean));
        found.len() < limit && looked_at < 10 * limit
    })?;
    Ok(found)
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

/// A result of a report, without its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportRun {
    /// The test, as the report has it: aliases are not followed.
    pub test: TestId,
    /// Its row in the report.
    pub row: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Milliseconds.
    pub duration_ms: Option<u64>,
    /// Signature of its failure, or of the failure that it recovered from.
    pub signature: Option<Signature>,
}

/// All results of a report in the order of their tests.
///
/// # Errors
/// Failures of the store.
pub fn runs_of_report<T: Transaction>(
    txn: &T,
    report: ReportId,
) -> Result<Vec<ReportRun>, StorageError> {
    let Some(batch) = BATCH_OF_REPORT.read(txn)?.get(&report)? else {
        return Ok(Vec::new());
    };
    let mut all = Vec::new();
    for row in RUNS.read(txn)?.prefix(&batch)? {
        let (_, block) = row?;
        all.extend(block.runs.iter().map(|run| ReportRun {
            test: test_of(run.test),
            row: run.row,
            outcome: run.outcome,
            duration_ms: run.duration_ms,
            signature: run.signature,
        }));
    }
    Ok(all)
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
    let RunPlace { batch, row } = before.unwrap_or(RunPlace::NEWEST);
    let prefix = (project, *signature.as_bytes());
    let table = BY_SIGNATURE.read(txn)?;
    let blocks = Blocks::new(txn)?;
    let mut whole = Whole::new(txn);
    let mut found = Vec::new();
    for entry in table
        .prefix_before(&prefix, &(prefix.0, prefix.1, batch, row))?
        .rev()
    {
        if found.len() == limit {
            break;
        }
        let ((.., batch, row), test) = entry?;
        let test = TestId::from_bytes(test);
        let mut light = blocks.runs_of(&[test], batch)?;
        light.retain(|run| run.place.row == row);
        found.extend(whole.runs(goes_on_as(txn, project, test)?, &light)?);
    }
    Ok(found)
}

/// Adds reports to runs; neighbours of one report share it.
struct Whole<'txn, T: Transaction> {
    txn: &'txn T,
    known: BTreeMap<u64, Known>,
}

/// What runs show of their report.
#[derive(Clone)]
struct Known {
    report: ReportId,
    origin: Arc<Origin>,
    time: Timestamp,
}

impl<'txn, T: Transaction> Whole<'txn, T> {
    fn new(txn: &'txn T) -> Self {
        Self {
            txn,
            known: BTreeMap::new(),
        }
    }

    fn runs(&mut self, test: TestId, light: &[LightRun]) -> Result<Vec<Run>, StorageError> {
        let table = BATCHES.read(self.txn)?;
        let mut whole = Vec::with_capacity(light.len());
        for run in light {
            let batch = run.place.batch;
            let known = match self.known.get(&batch) {
                Some(known) => known.clone(),
                None => {
                    let stored = table.get(&batch)?.ok_or_else(|| StorageError::Corrupt {
                        table: "run_batches".into(),
                        what: format!("report {batch} is missing"),
                    })?;
                    let known = Known {
                        report: stored.report,
                        origin: Arc::new(stored.origin),
                        time: stored.time,
                    };
                    self.known.insert(batch, known.clone());
                    known
                }
            };
            whole.push(Run {
                place: run.place,
                test,
                report: known.report,
                origin: known.origin,
                time: known.time,
                outcome: run.outcome,
                recovered: run.recovered,
                signature: run.signature,
                duration_ms: run.duration_ms,
            });
        }
        Ok(whole)
    }
}
