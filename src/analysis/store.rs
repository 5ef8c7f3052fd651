//! Tables of the analysis.

use super::model::{StoredLabel, StoredTraining, StoredVector, StoredVerdict};
use crate::history::place_of_result;
use crate::ml::Signature;
use crate::storage::{StorageError, Table, TableCheck, Transaction, WriteTxn};
use testhide_protocol::{ProjectId, ReportId, ResultId, TestId};

/// Verdicts, under (report, row of the result).
pub(super) const VERDICTS: Table<(ReportId, u32), StoredVerdict> = Table::new("analysis_verdicts");

/// Reports that are judged; a report in here is never judged again.
pub(super) const JUDGED: Table<ReportId, ()> = Table::new("analysis_judged_reports");

/// Labels, under (project, result).
pub(super) const LABELS: Table<(ProjectId, ResultId), StoredLabel> = Table::new("analysis_labels");

/// The result whose label speaks for all failures of a test with one signature.
pub(super) const LABELS_BY_FAILURE: Table<(ProjectId, TestId, [u8; 16]), [u8; 16]> =
    Table::new("analysis_labels_by_failure");

/// How often the labels of a project changed.
pub(super) const LABEL_CHANGES: Table<ProjectId, u64> = Table::new("analysis_label_changes");

/// The last training of each project.
pub(super) const TRAININGS: Table<ProjectId, StoredTraining> = Table::new("analysis_trainings");

/// What the keys of the vector index stand for.
pub(super) const VECTORS: Table<u64, StoredVector> = Table::new("analysis_vectors");

/// The key of a test's failures with one signature.
pub(super) const VECTOR_KEYS: Table<(ProjectId, TestId, [u8; 16]), u64> =
    Table::new("analysis_vector_keys");

/// Every table of this slice, for `doctor`.
pub const TABLES: &[TableCheck] = &[
    VERDICTS.check(),
    JUDGED.check(),
    LABELS.check(),
    LABELS_BY_FAILURE.check(),
    LABEL_CHANGES.check(),
    TRAININGS.check(),
    VECTORS.check(),
    VECTOR_KEYS.check(),
];

/// A signature in keys; that of a failure without one is zero.
pub(super) fn signature_key(signature: Option<Signature>) -> [u8; 16] {
    signature.map_or([0; 16], |signature| *signature.as_bytes())
}

pub(super) fn verdict<T: Transaction>(
    txn: &T,
    result: ResultId,
) -> Result<Option<StoredVerdict>, StorageError> {
    match place_of_result(result) {
        Some(place) => VERDICTS.read(txn)?.get(&place),
        None => Ok(None),
    }
}

/// Up to `limit` verdicts of a report, in order of its results.
pub(super) fn verdicts_of<T: Transaction>(
    txn: &T,
    report: ReportId,
    limit: usize,
) -> Result<Vec<StoredVerdict>, StorageError> {
    VERDICTS
        .read(txn)?
        .prefix(&report)?
        .take(limit)
        .map(|row| row.map(|(_, verdict)| verdict))
        .collect()
}

/// The label of a result, or else the last one that was given to the same failure of the same test.
pub(super) fn label_of<T: Transaction>(
    txn: &T,
    project: ProjectId,
    result: ResultId,
    failure: (TestId, Option<Signature>),
) -> Result<Option<(ResultId, StoredLabel)>, StorageError> {
    let labels = LABELS.read(txn)?;
    if let Some(label) = labels.get(&(project, result))? {
        return Ok(Some((result, label)));
    }
    let key = (project, failure.0, signature_key(failure.1));
    let Some(other) = LABELS_BY_FAILURE.read(txn)?.get(&key)? else {
        return Ok(None);
    };
    let other = ResultId::from_bytes(other);
    Ok(labels.get(&(project, other))?.map(|label| (other, label)))
}

/// Stores a label over an earlier one; says whether that changed what the model learns from.
pub(super) fn put_label(
    wtxn: &WriteTxn,
    project: ProjectId,
    result: ResultId,
    label: &StoredLabel,
) -> Result<bool, StorageError> {
    let mut labels = LABELS.write(wtxn)?;
    let before = labels.get(&(project, result))?;
    labels.put(&(project, result), label)?;
    let key = (project, label.test, signature_key(label.signature));
    LABELS_BY_FAILURE.write(wtxn)?.put(&key, &result.bytes())?;
    if before.is_some_and(|before| before.category == label.category) {
        return Ok(false);
    }
    let mut changes = LABEL_CHANGES.write(wtxn)?;
    let count = changes.get(&project)?.unwrap_or(0);
    changes.put(&project, &(count + 1))?;
    Ok(true)
}
