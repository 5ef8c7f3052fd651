//! Tables of reports, and the handle to them.

use super::error::ReportsError;
use super::model::{StoredBlock, StoredKey, StoredReport};
use crate::kit::Clock;
use crate::storage::{Storage, StorageError, Table, TableCheck, Transaction, Volumes};
use testhide_protocol::{BuildId, ProjectId, ReportId, UserId};

pub(super) const REPORTS: Table<ReportId, StoredReport> = Table::new("reports");
pub(super) const BY_PROJECT: Table<(ProjectId, ReportId), ()> = Table::new("reports_by_project");
pub(super) const BY_BUILD: Table<(BuildId, u32, ReportId), ()> = Table::new("reports_by_build");

/// Blocks of rows, under (report, first row).
pub(super) const ROWS: Table<(ReportId, u32), StoredBlock> = Table::new("report_rows");

/// Blocks of results, under (report, first result).
pub(super) const RESULTS: Table<(ReportId, u32), StoredBlock> = Table::new("report_results");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[
    REPORTS.check(),
    BY_PROJECT.check(),
    BY_BUILD.check(),
    ROWS.check(),
    RESULTS.check(),
    IDEMPOTENCY.check(),
];
pub(super) const IDEMPOTENCY: Table<(UserId, String), StoredKey> = Table::new("report_idempotency");

/// The reports; clones share them.
#[derive(Clone)]
pub struct Reports {
    pub(super) storage: Storage,
    pub(super) volumes: Volumes,
    pub(super) clock: Clock,
}

impl Reports {
    /// The reports in `storage` and `volumes`.
    #[must_use]
    pub fn new(storage: Storage, volumes: Volumes, clock: Clock) -> Self {
        Self {
            storage,
            volumes,
            clock,
        }
    }
}

pub(super) fn load<T: Transaction>(txn: &T, id: ReportId) -> Result<StoredReport, ReportsError> {
    REPORTS
        .read(txn)?
        .get(&id)?
        .ok_or(ReportsError::NotFound(id))
}

/// The block that holds record `number`, with the number of its first record.
pub(super) fn block_of<T: Transaction>(
    txn: &T,
    table: &Table<(ReportId, u32), StoredBlock>,
    report: ReportId,
    number: u32,
) -> Result<Option<(u32, StoredBlock)>, StorageError> {
    let row = table
        .read(txn)?
        .prefix_up_to(&report, &(report, number))?
        .next_back();
    Ok(row.transpose()?.map(|((_, first), block)| (first, block)))
}

/// The reports of a build, of one attempt or of all, in the order of attempts and of storing.
pub(super) fn of_build<T: Transaction>(
    txn: &T,
    build: BuildId,
    attempt: Option<u32>,
) -> Result<Vec<(u32, ReportId)>, StorageError> {
    let table = BY_BUILD.read(txn)?;
    let rows = match attempt {
        Some(attempt) => table.prefix(&(build, attempt))?,
        None => table.prefix(&build)?,
    };
    rows.map(|row| row.map(|((_, attempt, report), ())| (attempt, report)))
        .collect()
}
