//! Which reports came before a report on its line, and which tests each side of that step has.

use super::error::HistoryError;
use super::model::{Origin, StoredBatch};
use super::store::{BATCH_OF_REPORT, BATCHES, BATCHES_OF_BRANCH, branch_hash};
use crate::storage::{StorageError, Transaction};
use testhide_protocol::ReportId;

/// Reports of a branch that are looked at for the one before.
const MAX_LOOKED_AT: usize = 1_000;

/// The reports of the round before `report`: of the last attempt of the last earlier build of its job on its branch; without a build,
/// the last report of the branch that `is_alike` says is of the same kind. Empty when there is none among the last thousand.
///
/// # Errors
/// Failures of the store, and whatever `is_alike` answers.
pub fn reports_before<T: Transaction, E: From<StorageError>>(
    txn: &T,
    report: ReportId,
    mut is_alike: impl FnMut(ReportId) -> Result<bool, E>,
) -> Result<Vec<ReportId>, E> {
    let batches = BATCHES.read(txn)?;
    let Some(batch) = BATCH_OF_REPORT.read(txn)?.get(&report)? else {
        return Ok(Vec::new());
    };
    let Some(head) = batches.get(&batch)? else {
        return Ok(Vec::new());
    };
    let line = (head.origin.project, branch_hash(&head.origin.branch));
    let of_branch = BATCHES_OF_BRANCH.read(txn)?;
    let earlier = of_branch
        .prefix_before(&line, &(line.0, line.1, batch))?
        .rev();
    let mut round: Vec<StoredBatch> = Vec::new();
    for row in earlier.take(MAX_LOOKED_AT) {
        let ((.., batch), ()) = row?;
        let Some(stored) = batches.get(&batch)? else {
            continue;
        };
        match round.first() {
            None => {
                let before = is_before(&stored.origin, &head.origin);
                if before && (stored.origin.build.is_some() || is_alike(stored.report)?) {
                    round.push(stored);
                }
            }
            Some(first) if first.origin.build.is_none() => break,
            Some(first) if build_of(&stored.origin) == build_of(&first.origin) => {
                round.push(stored);
            }
            _ => {}
        }
    }
    let attempt = round
        .iter()
        .filter_map(|stored| stored.origin.build.as_ref())
        .map(|build| build.attempt)
        .max();
    round.retain(|stored| stored.origin.build.as_ref().map(|build| build.attempt) == attempt);
    Ok(round.into_iter().map(|stored| stored.report).collect())
}

/// Where a report comes from; `None` for one that is not in the history.
///
/// # Errors
/// Failures of the store.
pub fn origin_of_report<T: Transaction>(
    txn: &T,
    report: ReportId,
) -> Result<Option<Origin>, HistoryError> {
    let Some(batch) = BATCH_OF_REPORT.read(txn)?.get(&report)? else {
        return Ok(None);
    };
    Ok(BATCHES.read(txn)?.get(&batch)?.map(|stored| stored.origin))
}

fn build_of(origin: &Origin) -> Option<testhide_protocol::BuildId> {
    origin.build.as_ref().map(|build| build.id)
}

/// Whether a report on the same branch is of an earlier round of the same job, or both are of none.
fn is_before(earlier: &Origin, head: &Origin) -> bool {
    match (&earlier.build, &head.build) {
        (Some(earlier), Some(head)) => earlier.job == head.job && earlier.number < head.number,
        (None, None) => true,
        _ => false,
    }
}
