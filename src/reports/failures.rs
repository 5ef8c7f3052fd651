//! What the analysis reads of a report.

use super::error::ReportsError;
use super::model::{ANY, CompactRow, RECOVERED, bit};
use super::rows::ends_of;
use super::scan::{RowReader, scan};
use super::store::Reports;
use super::view::told;
use crate::history::{place_of_result, result_id};
use crate::ml::Signature;
use testhide_protocol::api::Outcome;
use testhide_protocol::{ReportId, ResultId, TestId};

/// Bytes of a trace that are handed to the analysis, half from its head and half from its tail.
const TRACE_BYTES: usize = 64 * 1024;

/// A result that failed, or that recovered from a failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LightFailure {
    /// The result.
    pub id: ResultId,
    /// The test.
    pub test: TestId,
    /// What people call it.
    pub display_name: String,
    /// How it ended; `passed` when it recovered.
    pub outcome: Outcome,
    /// Whether an earlier attempt in the same report failed and the last passed.
    pub recovered: bool,
    /// Signature of the failure; absent where the file hides the failing attempt.
    pub signature: Option<Signature>,
    /// Exception type of the failure.
    pub kind: Option<String>,
    /// Its message.
    pub message: Option<String>,
    /// Its trace, at most 64 KiB.
    pub trace: Option<String>,
}

impl Reports {
    /// Up to `limit` failures of a report after `after`, in the order of the file: what failed or broke, and what recovered. Blocks
    /// for disk reads.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn failures_of(
        &self,
        report: ReportId,
        after: Option<ResultId>,
        limit: usize,
    ) -> Result<Vec<LightFailure>, ReportsError> {
        let from = match after.and_then(place_of_result) {
            Some((other, row)) if other == report => row.saturating_add(1),
            _ => 0,
        };
        let wanted = bit(Outcome::Failed) | bit(Outcome::Error) | RECOVERED;
        let mut found = Vec::new();
        self.storage.read(|rtxn| {
            let mut rows = RowReader::new(rtxn, &self.volumes, report);
            scan(
                rtxn,
                &self.volumes,
                report,
                from,
                wanted,
                |number, result| {
                    if found.len() >= limit {
                        return Ok(false);
                    }
                    let row = rows.row(result.failed_row.unwrap_or(result.row))?;
                    let (kind, message, trace) = told(row, result.recovered);
                    found.push(LightFailure {
                        id: result_id(report, number),
                        test: result.test,
                        display_name: result.display_name,
                        outcome: result.outcome,
                        recovered: result.recovered,
                        signature: result.signature,
                        kind,
                        message,
                        trace: trace.map(|trace| ends_of(&trace, TRACE_BYTES).into_owned()),
                    });
                    Ok(found.len() < limit)
                },
            )
        })?;
        Ok(found)
    }

    /// Every result of a report without its texts, in order: the one at index `i` is `history::result_id(report, i)`. Blocks for
    /// disk reads.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn compact_rows(&self, report: ReportId) -> Result<Vec<CompactRow>, ReportsError> {
        let mut all = Vec::new();
        self.storage.read(|rtxn| {
            scan(rtxn, &self.volumes, report, 0, ANY, |_, result| {
                all.push(result);
                Ok(true)
            })
        })?;
        Ok(all)
    }
}
