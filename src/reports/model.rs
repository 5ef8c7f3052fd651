//! Stored shapes of reports, their rows and their results.

use crate::history::Origin;
use crate::ml::Signature;
use crate::storage::{Record, StoredFile, VolumeRef};
use serde::{Deserialize, Serialize};
use testhide_protocol::api::{Outcome, OutcomeCounts};
use testhide_protocol::{ReportId, TestId, Timestamp};

/// A report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredReport {
    pub origin: Origin,
    pub name: String,
    pub format: String,
    pub reporter: Option<String>,
    /// Rows of the file.
    pub rows: OutcomeCounts,
    /// Tests, what their rows add up to.
    pub counts: OutcomeCounts,
    pub warnings: Vec<StoredWarning>,
    pub truncated: bool,
    pub file: StoredFile,
    pub created_at: Timestamp,
}
impl Record for StoredReport {
    fn places(&self) -> Vec<VolumeRef> {
        self.file.parts.clone()
    }
}

/// A warning without the wire's optional field, which the codec cannot leave out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredWarning {
    pub line: Option<u64>,
    pub what: String,
    pub assumed: String,
}

/// Where a block lies, under (report, first row or result in it).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredBlock {
    pub place: VolumeRef,
    /// Bytes before compression.
    pub raw_len: u32,
    /// Of a block of results: which outcomes are in it, as bits, so that a filter can pass it by.
    pub outcomes: u8,
}
impl Record for StoredBlock {
    fn places(&self) -> Vec<VolumeRef> {
        vec![self.place]
    }
}

/// Rows as the file has them.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct RowBlock {
    pub rows: Vec<StoredRow>,
}
impl Record for RowBlock {}

/// One row of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredRow {
    /// Result that it belongs to.
    pub result: u32,
    /// Attempt of the test, from 1.
    pub attempt: u32,
    pub report_line: u64,
    pub outcome: Outcome,
    pub suite: String,
    pub classname: String,
    pub name: String,
    pub nodeid: Option<String>,
    pub file: Option<String>,
    pub line: Option<u32>,
    pub resolution: Option<String>,
    pub fail_id: Option<String>,
    pub duration_ms: Option<u64>,
    pub started_at: Option<Timestamp>,
    pub kind: Option<String>,
    pub message: Option<String>,
    pub trace: Option<String>,
    pub stdout: Option<String>,
    pub stderr: Option<String>,
    pub retries: Vec<StoredRetry>,
    pub properties: Vec<(String, String)>,
    pub attachments: Vec<String>,
    pub tickets: Vec<String>,
    pub docstring: Option<String>,
    pub extra: Vec<(String, String)>,
}

/// Another attempt that stands inside a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredRetry {
    pub attempt: u32,
    pub outcome: Outcome,
    pub duration_ms: Option<u64>,
    pub kind: Option<String>,
    pub message: Option<String>,
    pub trace: Option<String>,
    pub stdout: Option<String>,
    pub stderr: Option<String>,
}

/// Results in the order of their first rows.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct ResultBlock {
    pub results: Vec<CompactRow>,
}
impl Record for ResultBlock {}

/// What a report says of one test, without its texts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompactRow {
    /// The test.
    pub test: TestId,
    /// What people call it.
    pub display_name: String,
    /// How it ended: the worst row of its last attempt.
    pub outcome: Outcome,
    /// Whether an earlier attempt failed and the last passed.
    pub recovered: bool,
    /// Attempts that the report shows.
    pub attempts: u32,
    /// Milliseconds of the last attempt.
    pub duration_ms: Option<u64>,
    /// Signature of its failure, or of the failure that it recovered from.
    pub signature: Option<Signature>,
    /// The row that says how it ended.
    pub(super) row: u32,
    /// The row of the failure that it recovered from.
    pub(super) failed_row: Option<u32>,
    /// The reporter's ids of all its rows, each once.
    pub(super) fail_ids: Vec<String>,
}

/// A report that was sent with an `Idempotency-Key`, under (user, key).
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct StoredKey {
    pub report: ReportId,
    /// BLAKE3 of what was sent: project, build, name, branch, commit and content.
    pub request: [u8; 32],
}
impl Record for StoredKey {}

/// The bit of an outcome in [`StoredBlock::outcomes`].
pub(super) fn bit(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Passed => 1,
        Outcome::Failed => 1 << 1,
        Outcome::Error => 1 << 2,
        Outcome::Skipped => 1 << 3,
        Outcome::KnownIssue => 1 << 4,
        Outcome::NotRun => 1 << 5,
    }
}

/// The bit of results that recovered, whatever their outcome.
pub(super) const RECOVERED: u8 = 1 << 6;

/// Every bit.
pub(super) const ANY: u8 = u8::MAX;

/// The bits of a result.
pub(super) fn bits_of(result: &CompactRow) -> u8 {
    bit(result.outcome) | if result.recovered { RECOVERED } else { 0 }
}
