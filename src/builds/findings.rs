//! Findings from stored facts: what was printed is kept, and what does not fit together is told.

use super::baseline::Baseline;
use super::error::BuildsError;
use super::facts::{Printed, PrintedRecord, StoredFinding};
use super::model::{AttemptRecord, BuildRecord};
use super::outlook::step_facts;
use super::rules::{self, Facts};
use super::store::{ATTEMPTS, Builds, PRINTED};
use super::tally::counted_reports;
use crate::reports::PrintedFailures;
use crate::storage::{StorageError, Transaction, WriteTxn};
use std::collections::{HashMap, HashSet};
use testhide_protocol::BuildId;
use testhide_protocol::api::StepState;
use testhide_protocol::wire::{Lease, MAX_PRINTED_FAILURES, PrintedFailure, RecordBody};

/// Longest node id that is kept, in characters.
const NODE_ID_MAX: usize = 4096;

/// Stores in `record` what does not fit together in its present attempt.
///
/// # Errors
/// Failures of the store.
pub(super) fn tell(
    wtxn: &WriteTxn,
    record: &mut BuildRecord,
    attempt: &AttemptRecord,
    baseline: Option<&Baseline>,
) -> Result<(), BuildsError> {
    let reports = counted_reports(wtxn, record.id, record.attempt)?;
    let mut reports: Vec<_> = reports.into_iter().map(|(_, facts)| facts).collect();
    // A file that two steps deliver is one report.
    let mut seen = HashSet::new();
    reports.retain(|facts| match facts.modified_at {
        Some(written) => seen.insert((facts.name.clone(), written)),
        None => true,
    });
    let mut printed = Vec::new();
    for of_step in printed_in(wtxn, record.id, record.attempt)? {
        printed.extend(of_step.failures);
    }
    let facts = Facts {
        steps: &step_facts(record, Some(attempt)),
        reports: &reports,
        printed: &printed,
        total: record.counts.total,
        baseline,
    };
    let findings = rules::findings(&facts);
    record.findings = findings.into_iter().map(StoredFinding::from).collect();
    Ok(())
}

/// Keeps failures that an agent tells of; more than there may be are left out.
///
/// # Errors
/// Failures of the store.
pub(super) fn keep_printed(
    wtxn: &WriteTxn,
    record: &BuildRecord,
    attempt: &mut AttemptRecord,
    step: u32,
    failures: &[PrintedFailure],
) -> Result<(), BuildsError> {
    let room = MAX_PRINTED_FAILURES.saturating_sub(attempt.printed_failures as usize);
    let failures: Vec<Printed> = failures.iter().filter_map(kept).take(room).collect();
    if failures.is_empty() {
        return Ok(());
    }
    attempt.printed_failures += u32::try_from(failures.len()).unwrap_or(u32::MAX);
    let place = (record.id, record.attempt, attempt.printed_records);
    attempt.printed_records += 1;
    let record = PrintedRecord { step, failures };
    Ok(PRINTED.write(wtxn)?.put(&place, &record)?)
}

fn kept(failure: &PrintedFailure) -> Option<Printed> {
    Some(Printed {
        key: key_of(failure)?,
        nodeid: failure.nodeid.chars().take(NODE_ID_MAX).collect(),
    })
}

fn key_of(failure: &PrintedFailure) -> Option<u64> {
    u64::from_str_radix(&failure.key, 16).ok()
}

fn printed_in<T: Transaction>(
    txn: &T,
    build: BuildId,
    attempt: u32,
) -> Result<Vec<PrintedRecord>, StorageError> {
    PRINTED
        .read(txn)?
        .prefix(&(build, attempt))?
        .map(|row| row.map(|(_, record)| record))
        .collect()
}

impl Builds {
    /// The failures that were printed so far in an attempt: those that are stored, and those in records that come after them.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn printed<'a>(
        &self,
        lease: Lease,
        coming: impl Iterator<Item = &'a RecordBody>,
    ) -> Result<PrintedFailures, BuildsError> {
        let (stored, attempt) = self.storage.read(|rtxn| {
            let stored = printed_in(rtxn, lease.build, lease.attempt)?;
            let attempt = ATTEMPTS.read(rtxn)?.get(&(lease.build, lease.attempt))?;
            Ok::<_, StorageError>((stored, attempt))
        })?;
        let mut states: HashMap<u32, StepState> = HashMap::new();
        if let Some(attempt) = attempt {
            states.extend((0..).zip(attempt.steps.iter().map(|step| step.state)));
        }
        let mut keys: Vec<(u32, u64)> = Vec::new();
        for record in stored {
            keys.extend(record.failures.iter().map(|one| (record.step, one.key)));
        }
        for body in coming {
            match body {
                RecordBody::FailuresPrinted { step, failures, .. } => {
                    keys.extend(failures.iter().filter_map(key_of).map(|key| (*step, key)));
                }
                RecordBody::StepFinished { step, status, .. } => {
                    states.insert(*step, *status);
                }
                _ => {}
            }
        }
        let mut printed = PrintedFailures::default();
        for (step, key) in keys {
            printed.add(key, states.get(&step) == Some(&StepState::Passed));
        }
        Ok(printed)
    }
}
