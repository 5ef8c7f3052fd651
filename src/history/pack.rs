//! Older runs are put together by test, so that the history of one test is read in one place.
//!
//! Reports come as blocks of runs by report, because that is quick to write. Whenever [`SEGMENT`] reports of a project are not packed yet, the
//! consumer merges their blocks, which are in the order of tests, into one row a test. Rows are written a few thousand at a time
//! and nobody reads them before the last commit moves the project's mark; a pass that broke off begins again and writes the same.
//! The blocks stay: comparisons read them, and the rows can be made from them.

use super::error::HistoryError;
use super::model::{PackedRun, RunContext, StoredRun, TestRuns, test_of};
use super::store::{BATCHES, BATCHES_OF_PROJECT, History, PACKED, RUNS, TEST_RUNS, branch_hash};
use crate::events::{Attempted, Consumer};
use crate::storage::StorageError;
use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use testhide_protocol::api::{Event, EventRecord};
use testhide_protocol::{ProjectId, TestId};

/// Reports in one row of a test. A page of history looks into at most so many reports one by one; each takes some ten microseconds.
const SEGMENT: usize = 64;

/// Runs in one commit, so that the writer is free again within some ten milliseconds.
const RUNS_A_COMMIT: usize = 50_000;

/// The consumer `test_runs`.
pub(super) struct Packer(pub(super) History);

impl Consumer for Packer {
    fn name(&self) -> &'static str {
        "test_runs"
    }

    fn consume<'a>(
        &'a self,
        batch: &'a [EventRecord],
    ) -> Pin<Box<dyn Future<Output = Attempted> + Send + 'a>> {
        Box::pin(async move {
            let stored = |record: &EventRecord| matches!(record.event, Event::ReportStored { .. });
            let projects: BTreeSet<ProjectId> = batch
                .iter()
                .filter(|record| stored(record))
                .filter_map(|record| record.project_id)
                .collect();
            for project in projects {
                let history = self.0.clone();
                let packing = tokio::task::spawn_blocking(move || history.pack(project)).await;
                let error = match packing {
                    Ok(Ok(())) => continue,
                    Ok(Err(error)) => error.into(),
                    Err(error) => anyhow::Error::from(error),
                };
                let of_project =
                    |record: &EventRecord| stored(record) && record.project_id == Some(project);
                return Attempted {
                    done: batch.iter().position(of_project).unwrap_or(0),
                    error: Some(error),
                };
            }
            Attempted::all(batch)
        })
    }
}

impl History {
    /// Packs what there is to pack of a project. Blocks for the store.
    ///
    /// # Errors
    /// Failures of the store; what was packed before stays.
    pub fn pack(&self, project: ProjectId) -> Result<(), HistoryError> {
        while self.pack_segment(project, SEGMENT)? {}
        Ok(())
    }

    /// Packs the next `size` reports of a project; `false` when it has fewer.
    pub(super) fn pack_segment(
        &self,
        project: ProjectId,
        size: usize,
    ) -> Result<bool, HistoryError> {
        let rtxn = self.storage.begin_read()?;
        let packed = PACKED.read(&rtxn)?.get(&project)?.unwrap_or(0);
        let of_project = BATCHES_OF_PROJECT.read(&rtxn)?;
        let batches = of_project
            .prefix_after(&project, &(project, packed))?
            .take(size)
            .map(|row| row.map(|((_, batch), ())| batch))
            .collect::<Result<Vec<u64>, _>>()?;
        let Some(last) = batches.last().copied().filter(|_| batches.len() == size) else {
            return Ok(false);
        };
        let (blocks, origins) = (RUNS.read(&rtxn)?, BATCHES.read(&rtxn)?);
        let mut lanes = Vec::new();
        for batch in batches {
            let Some(stored) = origins.get(&batch)? else {
                continue;
            };
            let runs = blocks.prefix(&batch)?.flat_map(|row| match row {
                Ok((_, block)) => block.runs.into_iter().map(Ok).collect::<Vec<_>>(),
                Err(error) => vec![Err(error)],
            });
            lanes.push(Lane {
                batch,
                context: RunContext {
                    branch: branch_hash(&stored.origin.branch),
                    job: stored.origin.build.as_ref().map(|build| build.job),
                },
                runs: runs.peekable(),
            });
        }

        let mut rows = Vec::new();
        let mut waiting = 0;
        while let Some((key, row)) = next_row(&mut lanes)? {
            waiting += row.runs.len();
            rows.push((key, row));
            if waiting >= RUNS_A_COMMIT {
                self.put(std::mem::take(&mut rows), None)?;
                waiting = 0;
            }
        }
        self.put(rows, Some((project, last)))?;
        Ok(true)
    }

    fn put(&self, rows: Vec<Row>, packed: Option<(ProjectId, u64)>) -> Result<(), StorageError> {
        let rows = Arc::new(rows);
        self.storage.write_blocking(move |wtxn| {
            let mut table = TEST_RUNS.write(wtxn)?;
            for (key, row) in rows.iter() {
                table.put(key, row)?;
            }
            if let Some((project, last)) = packed {
                PACKED.write(wtxn)?.put(&project, &last)?;
            }
            Ok(())
        })
    }
}

/// A row of [`TEST_RUNS`] with its key.
type Row = ((TestId, u64), TestRuns);

/// The runs of one report, in the order of tests.
struct Lane<I: Iterator<Item = Result<StoredRun, StorageError>>> {
    batch: u64,
    context: RunContext,
    runs: std::iter::Peekable<I>,
}

/// The runs of the next test in all reports; `lanes` are in the order of their reports.
fn next_row<I: Iterator<Item = Result<StoredRun, StorageError>>>(
    lanes: &mut [Lane<I>],
) -> Result<Option<Row>, StorageError> {
    let mut least: Option<u128> = None;
    for lane in lanes.iter_mut() {
        // A failed read is met below, when the run is taken.
        if let Some(Ok(run)) = lane.runs.peek() {
            least = Some(least.map_or(run.test, |least| least.min(run.test)));
        } else if let Some(Err(error)) = lane.runs.next_if(Result::is_err) {
            return Err(error);
        }
    }
    let Some(test) = least else {
        return Ok(None);
    };
    let mut row = TestRuns::default();
    let mut first = None;
    for lane in lanes {
        while let Some(run) = lane
            .runs
            .next_if(|run| run.as_ref().is_ok_and(|run| run.test == test))
        {
            let run = run?;
            let first = *first.get_or_insert(lane.batch);
            row.push(lane.batch - first, &lane.context, &run);
        }
    }
    Ok(first.map(|first| ((test_of(test), first), row)))
}

impl TestRuns {
    fn push(&mut self, after: u64, context: &RunContext, run: &StoredRun) {
        let known = self.contexts.iter().position(|known| known == context);
        let context = known.unwrap_or_else(|| {
            self.contexts.push(*context);
            self.contexts.len() - 1
        });
        self.runs.push(PackedRun {
            after: u32::try_from(after).expect("a segment spans fewer than four billion reports"),
            row: run.row,
            context: u16::try_from(context).expect("a segment has few reports"),
            outcome: run.outcome,
            recovered: run.recovered,
            duration_ms: run.duration_ms,
            signature: run.signature,
        });
    }
}
