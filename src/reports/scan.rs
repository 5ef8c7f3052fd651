//! Reading results and rows out of their blocks.

use super::block::unpack;
use super::error::ReportsError;
use super::model::{CompactRow, ResultBlock, RowBlock, StoredRow, bits_of};
use super::store::{RESULTS, ROWS, block_of};
use crate::storage::{StorageError, Transaction, Volumes};
use testhide_protocol::ReportId;

/// Hands the results of a report that have one of the bits in `wanted` to `take`, from number `from` on, until it says `false`.
/// Answers whether it got through. Blocks for disk reads.
pub(super) fn scan<T: Transaction>(
    txn: &T,
    volumes: &Volumes,
    report: ReportId,
    from: u32,
    wanted: u8,
    mut take: impl FnMut(u32, CompactRow) -> Result<bool, ReportsError>,
) -> Result<bool, ReportsError> {
    let Some((start, _)) = block_of(txn, &RESULTS, report, from)? else {
        return Ok(true);
    };
    for row in RESULTS.read(txn)?.prefix_from(&report, &(report, start))? {
        let ((_, first), block) = row?;
        if block.outcomes & wanted == 0 {
            continue;
        }
        let results = unpack::<ResultBlock>(volumes, &block)?.results;
        for (number, result) in (first..).zip(results) {
            if number >= from && bits_of(&result) & wanted != 0 && !take(number, result)? {
                return Ok(false);
            }
        }
    }
    Ok(true)
}

/// Reads single rows of a report; keeps the last block, because neighbours are asked for in a row.
pub(super) struct RowReader<'a, T> {
    txn: &'a T,
    volumes: &'a Volumes,
    report: ReportId,
    kept: Option<(u32, RowBlock)>,
}

impl<'a, T: Transaction> RowReader<'a, T> {
    pub(super) fn new(txn: &'a T, volumes: &'a Volumes, report: ReportId) -> Self {
        Self {
            txn,
            volumes,
            report,
            kept: None,
        }
    }

    /// The row with this number. Blocks for a disk read.
    ///
    /// # Errors
    /// Failures of the store, a row that is missing.
    pub(super) fn row(&mut self, number: u32) -> Result<StoredRow, StorageError> {
        if let Some(row) = self.kept_row(number) {
            return Ok(row);
        }
        if let Some((first, block)) = block_of(self.txn, &ROWS, self.report, number)? {
            self.kept = Some((first, unpack(self.volumes, &block)?));
        }
        self.kept_row(number).ok_or_else(|| {
            let what = format!("row {number} of report {} is missing", self.report);
            StorageError::Corrupt {
                table: "report_rows".into(),
                what,
            }
        })
    }

    fn kept_row(&self, number: u32) -> Option<StoredRow> {
        let (first, block) = self.kept.as_ref()?;
        block
            .rows
            .get(number.checked_sub(*first)? as usize)
            .cloned()
    }
}
