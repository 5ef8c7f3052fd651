//! Finds results.

use super::error::ReportsError;
use super::model::{ANY, CompactRow, bit};
use super::scan::{RowReader, scan};
use super::store::{REPORTS, Reports, of_build};
use super::view::{in_list, whole};
use crate::history::{place_of_result, result_id};
use crate::storage::Transaction;
use testhide_protocol::api::{Outcome, TestResult};
use testhide_protocol::{BuildId, ReportId, ResultId};

impl Reports {
    /// Up to `limit` results of a report after `after`, in the order of the file; without captured output, long texts shortened.
    /// Blocks for disk reads.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn results(
        &self,
        report: ReportId,
        outcome: Option<Outcome>,
        after: Option<ResultId>,
        limit: usize,
    ) -> Result<Vec<TestResult>, ReportsError> {
        let from = match after.and_then(place_of_result) {
            Some((other, row)) if other == report => row.saturating_add(1),
            _ => 0,
        };
        let mut found = Vec::new();
        self.storage
            .read(|rtxn| self.gather(rtxn, report, from, outcome, limit, &mut found))?;
        Ok(found)
    }

    /// Up to `limit` results of a build after `after`, of one attempt or of all; report by report, each in the order of its file.
    /// Blocks for disk reads.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn results_of_build(
        &self,
        build: BuildId,
        attempt: Option<u32>,
        outcome: Option<Outcome>,
        after: Option<ResultId>,
        limit: usize,
    ) -> Result<Vec<TestResult>, ReportsError> {
        let after = after.and_then(place_of_result);
        let mut found = Vec::new();
        self.storage.read(|rtxn| {
            let reports = of_build(rtxn, build, attempt)?;
            let start = after.map_or(0, |(last, _)| {
                reports
                    .iter()
                    .position(|(_, report)| *report == last)
                    .unwrap_or(reports.len())
            });
            for (_, report) in &reports[start..] {
                let from = after
                    .filter(|(last, _)| last == report)
                    .map_or(0, |(_, row)| row.saturating_add(1));
                if !self.gather(rtxn, *report, from, outcome, limit, &mut found)? {
                    break;
                }
            }
            Ok::<_, ReportsError>(())
        })?;
        Ok(found)
    }

    /// One result with all its details. Blocks for disk reads.
    ///
    /// # Errors
    /// [`ReportsError::ResultNotFound`], failures of the store.
    pub fn result(&self, id: ResultId) -> Result<TestResult, ReportsError> {
        let missing = || ReportsError::ResultNotFound(id);
        let (report, number) = place_of_result(id).ok_or_else(missing)?;
        self.storage.read(|rtxn| {
            if !REPORTS.read(rtxn)?.contains(&report)? {
                return Err(missing());
            }
            let result = self.compact(rtxn, report, number)?.ok_or_else(missing)?;
            let mut rows = RowReader::new(rtxn, &self.volumes, report);
            let row = rows.row(result.row)?;
            let failed = result
                .failed_row
                .map(|number| rows.row(number))
                .transpose()?;
            Ok(whole(id, report, result, row, failed))
        })
    }

    fn compact<T: Transaction>(
        &self,
        txn: &T,
        report: ReportId,
        number: u32,
    ) -> Result<Option<CompactRow>, ReportsError> {
        let mut found = None;
        scan(txn, &self.volumes, report, number, ANY, |at, result| {
            found = Some(result).filter(|_| at == number);
            Ok(false)
        })?;
        Ok(found)
    }

    /// Adds results to `found` until it has `limit`; says whether there is room for more.
    fn gather<T: Transaction>(
        &self,
        txn: &T,
        report: ReportId,
        from: u32,
        outcome: Option<Outcome>,
        limit: usize,
        found: &mut Vec<TestResult>,
    ) -> Result<bool, ReportsError> {
        let mut rows = RowReader::new(txn, &self.volumes, report);
        scan(
            txn,
            &self.volumes,
            report,
            from,
            outcome.map_or(ANY, bit),
            |number, result| {
                if found.len() >= limit {
                    return Ok(false);
                }
                let row = rows.row(result.row)?;
                let failed = result
                    .failed_row
                    .map(|number| rows.row(number))
                    .transpose()?;
                found.push(in_list(
                    result_id(report, number),
                    report,
                    result,
                    row,
                    failed,
                ));
                Ok(found.len() < limit)
            },
        )
    }
}
