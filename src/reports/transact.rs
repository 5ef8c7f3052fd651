//! A prepared report becomes visible: report, blocks, history and event in one transaction.

use super::error::ReportsError;
use super::model::{StoredKey, StoredReport};
use super::prepare::PreparedReport;
use super::store::{BY_BUILD, BY_PROJECT, IDEMPOTENCY, REPORTS, RESULTS, ROWS, load};
use super::view::shown;
use crate::events;
use crate::history;
use crate::storage::{Transaction, WriteTxn};
use testhide_protocol::api::{Event, Report};
use testhide_protocol::{ReportId, Timestamp, UserId};

/// Stores a prepared report with its results, their history and the event that says so. When a report was stored under its
/// `Idempotency-Key` before, answers that one and stores nothing.
///
/// # Errors
/// [`ReportsError::KeyReused`], failures of the store; the caller's transaction must not be committed then.
pub fn store(
    wtxn: &WriteTxn,
    report: &PreparedReport,
    now: Timestamp,
) -> Result<Report, ReportsError> {
    if let Some((user, key)) = &report.key {
        if let Some(earlier) = stored_under(wtxn, *user, key, &report.request)? {
            return Ok(shown(earlier, load(wtxn, earlier)?));
        }
        let stored = StoredKey {
            report: report.id,
            request: report.request,
        };
        IDEMPOTENCY
            .write(wtxn)?
            .put(&(*user, key.clone()), &stored)?;
    }
    let stored = StoredReport {
        created_at: now,
        ..report.report.clone()
    };
    let origin = &stored.origin;
    REPORTS.write(wtxn)?.put(&report.id, &stored)?;
    BY_PROJECT
        .write(wtxn)?
        .put(&(origin.project, report.id), &())?;
    if let Some(build) = &origin.build {
        BY_BUILD
            .write(wtxn)?
            .put(&(build.id, build.attempt, report.id), &())?;
    }
    for (table, blocks) in [(ROWS, &report.rows), (RESULTS, &report.results)] {
        let mut table = table.write(wtxn)?;
        for (first, block) in blocks {
            table.put(&(report.id, *first), block)?;
        }
    }
    history::record(wtxn, origin, report.id, &report.runs, now)?;
    let event = Event::ReportStored {
        report: report.id,
        build: origin.build.as_ref().map(|build| build.id),
        failures: stored.counts.failed + stored.counts.error,
    };
    events::append(wtxn, now, Some(origin.project), &event)?;
    Ok(shown(report.id, stored))
}

/// The report that was stored under a key.
///
/// # Errors
/// [`ReportsError::KeyReused`] when it was another request.
pub(super) fn stored_under<T: Transaction>(
    txn: &T,
    user: UserId,
    key: &str,
    request: &[u8; 32],
) -> Result<Option<ReportId>, ReportsError> {
    match IDEMPOTENCY.read(txn)?.get(&(user, key.to_owned()))? {
        Some(earlier) if earlier.request == *request => Ok(Some(earlier.report)),
        Some(_) => Err(ReportsError::KeyReused),
        None => Ok(None),
    }
}
