//! What the gates say of a build. It stands beside the state, which says what ran.

use super::error::BuildsError;
use super::model::BuildRecord;
use super::store::{load, save};
use crate::storage::WriteTxn;
use serde::{Deserialize, Serialize};
use testhide_protocol::BuildId;
use testhide_protocol::api::GateSummary;

/// A verdict with the attempt that it speaks of; the next attempt has none until it is evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredGates {
    attempt: u32,
    summary: GateSummary,
}

/// Stores what the gates say of an attempt of a build, or that none is for it.
///
/// # Errors
/// [`BuildsError::NotFound`], failures of the store.
pub fn set_gates(
    wtxn: &WriteTxn,
    build: BuildId,
    attempt: u32,
    summary: Option<GateSummary>,
) -> Result<(), BuildsError> {
    let mut record = load(wtxn, build)?;
    record.gates = summary.map(|summary| StoredGates { attempt, summary });
    Ok(save(wtxn, &record)?)
}

impl BuildRecord {
    /// Files that were to be its reports or artifacts and could not be read or taken.
    #[must_use]
    pub fn unread_files(&self) -> u32 {
        self.unreadable_reports
    }

    /// What the gates say of the present attempt.
    pub(super) fn gate_summary(&self) -> Option<GateSummary> {
        let of_present = |gates: &&StoredGates| gates.attempt == self.attempt;
        let gates = self.gates.as_ref().filter(of_present);
        gates.map(|gates| gates.summary.clone())
    }
}
