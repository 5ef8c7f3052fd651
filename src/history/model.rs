//! Where results come from, what a run is, and the stored shapes of both.

use super::identity::Identity;
use super::numbering::result_id;
use crate::ml::Signature;
use crate::storage::{Key, KeyBuilder, KeyReader, Record};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use testhide_protocol::api::{AliasChange, AliasState, Outcome};
use testhide_protocol::{BuildId, JobId, ProjectId, ReportId, ResultId, TestId, Timestamp};

/// Where the results of a report come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// Project.
    pub project: ProjectId,
    /// The build, when a build made it.
    pub build: Option<BuildOrigin>,
    /// Branch; empty when nobody said.
    pub branch: String,
    /// Commit, where known.
    pub commit: Option<String>,
    /// Name of the agent, where known.
    pub agent: Option<String>,
}

/// The build that results come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildOrigin {
    /// Identity.
    pub id: BuildId,
    /// Its number.
    pub number: u64,
    /// Its attempt.
    pub attempt: u32,
    /// Its job.
    pub job: JobId,
    /// The job's name when the build was started.
    pub job_name: String,
}

/// One result, on its way into the history.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The test.
    pub test: TestId,
    /// Who that is, for a test that nobody saw before.
    pub identity: Identity,
    /// Its row in the report.
    pub row: u32,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether an earlier attempt in the same report failed and the last passed.
    pub recovered: bool,
    /// Signature of its failure, or of the failure that it recovered from.
    pub signature: Option<Signature>,
    /// Milliseconds.
    pub duration_ms: Option<u64>,
}

/// A run's place in the order of all runs: that of its report, then its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunPlace {
    /// Number of the report in the history, counted from 1 in the order of storing.
    pub batch: u64,
    /// Row in the report.
    pub row: u32,
}

impl RunPlace {
    /// Behind every run there is.
    pub const NEWEST: Self = Self {
        batch: u64::MAX,
        row: u32::MAX,
    };
}

impl Key for RunPlace {
    fn push(&self, to: &mut KeyBuilder) {
        (self.batch, self.row).push(to);
    }

    fn pull(from: &mut KeyReader<'_>) -> Option<Self> {
        <(u64, u32)>::pull(from).map(|(batch, row)| Self { batch, row })
    }
}

/// A run of a test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its place in the order of runs.
    pub place: RunPlace,
    /// The test.
    pub test: TestId,
    /// Its report.
    pub report: ReportId,
    /// Where it comes from; shared by the runs of one report.
    pub origin: Arc<Origin>,
    /// When it was stored.
    pub time: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Whether an earlier attempt in the same report failed and the last passed.
    pub recovered: bool,
    /// Signature of its failure, or of the failure that it recovered from.
    pub signature: Option<Signature>,
    /// Milliseconds.
    pub duration_ms: Option<u64>,
}

impl Run {
    /// The result with all details.
    #[must_use]
    pub fn result(&self) -> ResultId {
        result_id(self.report, self.place.row)
    }
}

/// Some runs, newest first, and where the older ones begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPage {
    /// The runs.
    pub runs: Vec<Run>,
    /// Give it as `before` to go on; `None` when there are no older runs. A page may be short and still have a next one.
    pub next: Option<RunPlace>,
}

/// What never changes about a test.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredTest {
    pub project: ProjectId,
    pub display: String,
    pub family: String,
    pub file: Option<String>,
    pub first_seen_at: Timestamp,
    pub first_batch: u64,
}
impl Record for StoredTest {}

/// What each run changes about a test; apart from [`StoredTest`], because it is written anew for every test of every report.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Tally {
    pub runs: u64,
    pub failures: u64,
    pub last_batch: u64,
    pub last_seen_at: Timestamp,
    pub last_outcome: Outcome,
}
impl Record for Tally {}

/// A report in the history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredBatch {
    pub report: ReportId,
    pub origin: Origin,
    pub time: Timestamp,
}
impl Record for StoredBatch {}

/// Runs of one report, ordered by test and row. All runs of a test in one report stand in one block.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct RunBlock {
    pub runs: Vec<StoredRun>,
}
impl Record for RunBlock {}

/// One run in a block.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredRun {
    /// The test's id as a number: it is read a hundred thousand times for one comparison, and sixteen single bytes take longer.
    pub test: u128,
    pub row: u32,
    pub outcome: Outcome,
    pub recovered: bool,
    pub duration_ms: Option<u64>,
    pub signature: Option<Signature>,
}

impl StoredRun {
    /// About how many bytes it takes in a block.
    pub(super) fn bytes(&self) -> usize {
        28 + if self.signature.is_some() { 16 } else { 0 }
    }
}

/// A test's id as a number, in the order of ids.
pub(super) fn number_of(test: TestId) -> u128 {
    u128::from_be_bytes(test.bytes())
}

/// The id that a number stands for.
pub(super) fn test_of(number: u128) -> TestId {
    TestId::from_bytes(number.to_be_bytes())
}

impl From<&NewRun> for StoredRun {
    fn from(run: &NewRun) -> Self {
        Self {
            test: number_of(run.test),
            row: run.row,
            outcome: run.outcome,
            recovered: run.recovered,
            duration_ms: run.duration_ms,
            signature: run.signature,
        }
    }
}

/// Older runs of one test together, in their order, under (test, batch of the first). Made from [`RunBlock`]s, which stay.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct TestRuns {
    /// Where runs come from, each once.
    pub contexts: Vec<RunContext>,
    pub runs: Vec<PackedRun>,
}
impl Record for TestRuns {}

/// What a filter wants to know of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunContext {
    pub branch: [u8; 16],
    pub job: Option<JobId>,
}

/// One run among those of its test.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct PackedRun {
    /// Batches after the first one of the row.
    pub after: u32,
    pub row: u32,
    /// Index into the row's contexts.
    pub context: u16,
    pub outcome: Outcome,
    pub recovered: bool,
    pub duration_ms: Option<u64>,
    pub signature: Option<Signature>,
}

/// A run without its report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LightRun {
    pub place: RunPlace,
    pub context: RunContext,
    pub outcome: Outcome,
    pub recovered: bool,
    pub duration_ms: Option<u64>,
    pub signature: Option<Signature>,
}

/// A proposal that two tests are one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredAlias {
    pub project: ProjectId,
    pub old: TestId,
    pub new: TestId,
    pub state: AliasState,
    pub change: AliasChange,
    pub score: f32,
    pub reasons: Vec<String>,
    pub rivals: u32,
    pub report: ReportId,
    pub proposed_at: Timestamp,
    pub decided_at: Option<Timestamp>,
    pub decided_by: Option<String>,
}
impl Record for StoredAlias {}
