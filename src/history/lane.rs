//! The runs of a test, newest first, one after the other.
//!
//! Newer ones are looked up in the blocks of their reports, older ones stand together under their test (see `super::pack`). A test
//! with old names is read as one.

use super::error::HistoryError;
use super::model::{
    LightRun, RunBlock, RunContext, RunPlace, StoredBatch, StoredRun, TestRuns, number_of,
};
use super::store::{
    BATCHES, BATCHES_OF_BRANCH, BATCHES_OF_PROJECT, Loaded, PACKED, RUNS, TEST_RUNS, branch_hash,
};
use crate::storage::{Rows, StorageError, Table, TableHandle, Transaction};
use std::iter::Rev;
use testhide_protocol::TestId;

/// Reports that one page may look into; the page of a test that runs rarely ends early and has a next one.
const MAX_REPORTS: usize = 10_000;

/// Older runs that one page may look at, for a filter that few of them match.
pub(super) const MAX_RUNS: usize = 200_000;

/// Which runs are looked at.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scope<'a> {
    /// Of this branch.
    pub branch: Option<&'a str>,
}

impl Scope<'_> {
    fn holds(&self, context: &RunContext) -> bool {
        self.branch
            .is_none_or(|branch| branch_hash(branch) == context.branch)
    }
}

/// Hands the runs of a test before a place to `take`, newest first, until it says `false`. Answers where the rest begins when it
/// gave up before.
pub(super) fn each_run<T: Transaction>(
    txn: &T,
    loaded: &Loaded,
    scope: &Scope<'_>,
    before: RunPlace,
    mut take: impl FnMut(&LightRun) -> bool,
) -> Result<Option<RunPlace>, HistoryError> {
    let packed = PACKED.read(txn)?.get(&loaded.test.project)?.unwrap_or(0);
    let newest = before.batch.min(loaded.tally.last_batch);
    if newest > packed {
        let oldest = loaded.first_batch.max(packed + 1);
        match each_new_run(txn, loaded, scope, before, oldest..=newest, &mut take)? {
            Looked::Through => {}
            Looked::Enough => return Ok(None),
            Looked::TooFar(place) => return Ok(Some(place)),
        }
    }
    each_old_run(txn, loaded, scope, before, packed.min(newest), &mut take)
}

/// How a look at runs ended.
enum Looked {
    Through,
    Enough,
    TooFar(RunPlace),
}

fn each_new_run<T: Transaction>(
    txn: &T,
    loaded: &Loaded,
    scope: &Scope<'_>,
    before: RunPlace,
    batches: std::ops::RangeInclusive<u64>,
    take: &mut impl FnMut(&LightRun) -> bool,
) -> Result<Looked, StorageError> {
    let project = loaded.test.project;
    let (of_branch, of_project) = (BATCHES_OF_BRANCH.read(txn)?, BATCHES_OF_PROJECT.read(txn)?);
    let newest_first: Box<dyn Iterator<Item = Result<u64, StorageError>>> = match scope.branch {
        Some(branch) => {
            let branch = branch_hash(branch);
            let rows =
                of_branch.prefix_up_to(&(project, branch), &(project, branch, *batches.end()))?;
            Box::new(rows.rev().map(|row| row.map(|((.., batch), ())| batch)))
        }
        None => {
            let rows = of_project.prefix_up_to(&project, &(project, *batches.end()))?;
            Box::new(rows.rev().map(|row| row.map(|((_, batch), ())| batch)))
        }
    };
    let blocks = Blocks::new(txn)?;
    for (looked_into, batch) in newest_first.enumerate() {
        let batch = batch?;
        if batch < *batches.start() {
            break;
        }
        if looked_into == MAX_REPORTS {
            let rest = RunPlace {
                batch: batch + 1,
                row: 0,
            };
            return Ok(Looked::TooFar(rest));
        }
        for run in blocks.runs_of(&loaded.members, batch)? {
            if run.place < before && scope.holds(&run.context) && !take(&run) {
                return Ok(Looked::Enough);
            }
        }
    }
    Ok(Looked::Through)
}

fn each_old_run<T: Transaction>(
    txn: &T,
    loaded: &Loaded,
    scope: &Scope<'_>,
    before: RunPlace,
    newest: u64,
    take: &mut impl FnMut(&LightRun) -> bool,
) -> Result<Option<RunPlace>, HistoryError> {
    if newest == 0 {
        return Ok(None);
    }
    let table = TEST_RUNS.read(txn)?;
    let mut lanes = Vec::new();
    for member in &loaded.members {
        let rows = table.prefix_up_to(member, &(*member, newest))?.rev();
        lanes.push(Lane {
            rows,
            loaded: Vec::new(),
        });
    }
    let mut looked_at = 0;
    loop {
        let mut nearest: Option<(RunPlace, usize)> = None;
        for (number, lane) in lanes.iter_mut().enumerate() {
            let place = lane.place()?;
            if place > nearest.map(|(place, _)| place) {
                nearest = place.map(|place| (place, number));
            }
        }
        let Some(run) = nearest.and_then(|(_, number)| lanes[number].loaded.pop()) else {
            return Ok(None);
        };
        if run.place >= before {
            continue;
        }
        if looked_at >= MAX_RUNS {
            return Ok(Some(RunPlace {
                row: run.place.row.saturating_add(1),
                ..run.place
            }));
        }
        looked_at += 1;
        if scope.holds(&run.context) && !take(&run) {
            return Ok(None);
        }
    }
}

/// Older runs of one id.
struct Lane<'a> {
    rows: Rev<Rows<'a, (TestId, u64), TestRuns>>,
    /// Those of the row that was read last, the newest at the end.
    loaded: Vec<LightRun>,
}

impl Lane<'_> {
    /// Where its newest run stands.
    fn place(&mut self) -> Result<Option<RunPlace>, StorageError> {
        while self.loaded.is_empty() {
            let Some(row) = self.rows.next() else {
                return Ok(None);
            };
            let ((_, first), stored) = row?;
            self.loaded = unpacked(first, &stored)?;
        }
        Ok(self.loaded.last().map(|run| run.place))
    }
}

fn unpacked(first: u64, stored: &TestRuns) -> Result<Vec<LightRun>, StorageError> {
    let light = |run: &super::model::PackedRun| {
        let context = stored.contexts.get(usize::from(run.context)).copied();
        Ok(LightRun {
            place: RunPlace {
                batch: first + u64::from(run.after),
                row: run.row,
            },
            context: context.ok_or_else(|| StorageError::Corrupt {
                table: "test_runs".into(),
                what: format!("row {first} names a context that it does not have"),
            })?,
            outcome: run.outcome,
            recovered: run.recovered,
            duration_ms: run.duration_ms,
            signature: run.signature,
        })
    };
    stored.runs.iter().map(light).collect()
}

type Opened<'txn, T, K, V> = TableHandle<<T as Transaction>::Raw<'txn>, K, V>;

/// Finds the runs of a test in the blocks of one report after the other.
pub(super) struct Blocks<'txn, T: Transaction + 'txn> {
    runs: Opened<'txn, T, (u64, TestId), RunBlock>,
    batches: Opened<'txn, T, u64, StoredBatch>,
}

impl<'txn, T: Transaction> Blocks<'txn, T> {
    pub(super) fn new(txn: &'txn T) -> Result<Self, StorageError> {
        Ok(Self {
            runs: open(txn, &RUNS)?,
            batches: open(txn, &BATCHES)?,
        })
    }

    /// The runs of `members` in a report, last row first.
    pub(super) fn runs_of(
        &self,
        members: &[TestId],
        batch: u64,
    ) -> Result<Vec<LightRun>, StorageError> {
        let mut found = Vec::new();
        for member in members {
            self.find(*member, batch, &mut found)?;
        }
        if found.is_empty() {
            return Ok(Vec::new());
        }
        found.sort_unstable_by_key(|run| std::cmp::Reverse(run.row));
        let Some(stored) = self.batches.get(&batch)? else {
            return Ok(Vec::new());
        };
        let context = RunContext {
            branch: branch_hash(&stored.origin.branch),
            job: stored.origin.build.as_ref().map(|build| build.job),
        };
        let light = |run: StoredRun| LightRun {
            place: RunPlace {
                batch,
                row: run.row,
            },
            context,
            outcome: run.outcome,
            recovered: run.recovered,
            duration_ms: run.duration_ms,
            signature: run.signature,
        };
        Ok(found.into_iter().map(light).collect())
    }

    fn find(
        &self,
        test: TestId,
        batch: u64,
        found: &mut Vec<StoredRun>,
    ) -> Result<(), StorageError> {
        let Some(row) = self.runs.prefix_up_to(&batch, &(batch, test))?.next_back() else {
            return Ok(());
        };
        let block = row?.1.runs;
        let wanted = number_of(test);
        let start = block.partition_point(|run| run.test < wanted);
        found.extend(block[start..].iter().take_while(|run| run.test == wanted));
        Ok(())
    }
}

fn open<'txn, T: Transaction, K: crate::storage::Key, V: crate::storage::Value>(
    txn: &'txn T,
    table: &Table<K, V>,
) -> Result<Opened<'txn, T, K, V>, StorageError> {
    table.read(txn)
}
