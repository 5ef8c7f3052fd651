//! What is kept of an attempt so that its findings can be told: small, stored with the facts themselves.

use crate::reports::Evidence;
use crate::storage::Record;
use serde::{Deserialize, Serialize};
use testhide_protocol::api::{Finding, FindingKind, OutcomeCounts};
use testhide_protocol::{ReportId, Timestamp};

/// One report of an attempt, under (build, attempt, place in the order of arrival).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ReportFacts {
    /// The stored report; none when its results do not count.
    pub report: Option<ReportId>,
    /// File name.
    pub name: String,
    /// Who wrote it, where the file says.
    pub reporter: Option<String>,
    /// The step that delivered it; none for an upload.
    pub step: Option<u32>,
    /// The step during which it was written, as far as its time tells.
    pub written_by: Option<u32>,
    /// When it was written, by the agent's clock.
    pub modified_at: Option<Timestamp>,
    /// Its tests by outcome.
    pub counts: OutcomeCounts,
    /// It broke off.
    pub truncated: bool,
    /// Its agent put it together from what a killed reporter left.
    pub partial: bool,
    /// It is older than the attempt's first step.
    pub stale: bool,
    /// What else it says.
    pub evidence: Evidence,
}
impl Record for ReportFacts {}

impl ReportFacts {
    /// The attempt of its tests that it tells of: reports of one writing step stand beside each other, uploads follow each other.
    pub(super) fn turn(&self, place: u32) -> u32 {
        match self.step {
            Some(step) => self.written_by.unwrap_or(step),
            None => UPLOADS.saturating_add(place),
        }
    }
}

/// Behind every step.
const UPLOADS: u32 = 1 << 16;

/// Failures that a step's reporter printed, under (build, attempt, place in the order of arrival).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PrintedRecord {
    /// The step.
    pub step: u32,
    /// Them.
    pub failures: Vec<Printed>,
}
impl Record for PrintedRecord {}

/// One printed failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Printed {
    /// See `PrintedFailure::key`.
    pub key: u64,
    /// To be shown.
    pub nodeid: String,
}

/// [`Finding`] without the wire's optional fields, which the codec cannot leave out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredFinding {
    pub kind: FindingKind,
    pub message: String,
    pub report: Option<String>,
    pub tests: Vec<String>,
    pub count: u64,
}

impl From<Finding> for StoredFinding {
    fn from(finding: Finding) -> Self {
        let Finding {
            kind,
            message,
            report,
            tests,
            count,
        } = finding;
        Self {
            kind,
            message,
            report,
            tests,
            count,
        }
    }
}

impl From<StoredFinding> for Finding {
    fn from(finding: StoredFinding) -> Self {
        let StoredFinding {
            kind,
            message,
            report,
            tests,
            count,
        } = finding;
        Self {
            kind,
            message,
            report,
            tests,
            count,
        }
    }
}
