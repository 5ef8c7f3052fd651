//! Stored shapes of builds.

use super::error::BuildsError;
use super::facts::StoredFinding;
use super::gate::StoredGates;
use super::lifecycle::Standing;
use super::rules::counted;
use crate::history::{BuildOrigin, Origin};
use crate::storage::Record;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use testhide_protocol::api::{
    BuildState, FindingKind, JobDefinition, OutcomeCounts, StepState, Tps,
};
use testhide_protocol::wire::AttemptEnd;
use testhide_protocol::{AgentId, BuildId, JobId, ProjectId, Timestamp, UserId};

/// A build. Its identity and what it was started with never change; the rest moves by `lifecycle` alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BuildRecord {
    /// Identity.
    pub id: BuildId,
    /// Counts over the whole instance.
    pub number: u64,
    /// Its project.
    pub project: ProjectId,
    /// Its project's name when it was started.
    pub project_name: String,
    /// Its job.
    pub job: JobId,
    /// Its job's name when it was started.
    pub job_name: String,
    /// What it does, as JSON: the definition's enums are tagged, which the codec cannot read back.
    pub(super) definition: Vec<u8>,
    /// Branch.
    pub branch: String,
    /// Commit asked for, then the one that was checked out.
    pub commit: Option<String>,
    /// Parameters with defaults filled in.
    pub parameters: BTreeMap<String, String>,
    /// Who started it.
    pub triggered_by: String,
    /// When it was triggered.
    pub queued_at: Timestamp,
    /// State.
    pub state: BuildState,
    /// Present attempt, or the next one while queued; counts from 1.
    pub attempt: u32,
    /// Fencing number of the present attempt's lease; 0 before the first.
    pub(super) fence: u64,
    /// Times it may still be queued again.
    pub(super) retries_left: u32,
    /// Why somebody wants it to end.
    pub(super) cancel_requested: Option<String>,
    /// When the present attempt began.
    pub started_at: Option<Timestamp>,
    /// When the build ended.
    pub finished_at: Option<Timestamp>,
    /// Who runs or ran the present attempt.
    pub agent: Option<AgentId>,
    /// Its name.
    pub agent_name: Option<String>,
    /// Why it ended as it did.
    pub reason: Option<String>,
    /// Counts over the reports of the present attempt and of uploads.
    pub(super) counts: OutcomeCounts,
    /// What the analysis says.
    pub(super) tps: StoredTps,
    /// Reports that the analysis has not seen yet.
    pub(super) reports_pending: u32,
    /// Files that count against it: reports that could not be read, files that were not taken; such a build never passes.
    pub(super) unreadable_reports: u32,
    /// What the gates say.
    pub(super) gates: Option<StoredGates>,
    /// Reports of the present attempt and of uploads for it: their facts stand under this many places.
    pub(super) reports: u32,
    /// What does not fit together, once the attempt has ended.
    pub(super) findings: Vec<StoredFinding>,
}
impl Record for BuildRecord {}

/// [`Tps`] without the wire's optional fields, which the codec cannot leave out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredTps {
    pub flaky: Vec<String>,
    pub new: Vec<String>,
    pub known: Vec<String>,
    pub fixed: Vec<String>,
    pub cause: Option<String>,
}

impl From<Tps> for StoredTps {
    fn from(tps: Tps) -> Self {
        Self {
            flaky: tps.flaky_tests,
            new: tps.new_failures,
            known: tps.known_failures,
            fixed: tps.fixed,
            cause: tps.probable_cause,
        }
    }
}

impl BuildRecord {
    pub(super) fn definition(&self) -> JobDefinition {
        serde_json::from_slice(&self.definition).unwrap_or_default()
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            state: self.state,
            retries_left: self.retries_left,
            cancel_requested: self.cancel_requested.is_some(),
        }
    }

    /// The attempt that is asked for; the present one when none is.
    ///
    /// # Errors
    /// [`BuildsError::NoAttempt`].
    pub(super) fn attempt_or_present(&self, asked: Option<u32>) -> Result<u32, BuildsError> {
        let attempt = asked.unwrap_or(self.attempt);
        if (1..=self.attempt).contains(&attempt) {
            Ok(attempt)
        } else {
            Err(BuildsError::NoAttempt {
                number: self.number,
                attempt,
            })
        }
    }

    /// Where its results come from, for reports and their history.
    #[must_use]
    pub fn origin(&self) -> Origin {
        Origin {
            project: self.project,
            build: Some(BuildOrigin {
                id: self.id,
                number: self.number,
                attempt: self.attempt,
                job: self.job,
                job_name: self.job_name.clone(),
            }),
            branch: self.branch.clone(),
            commit: self.commit.clone(),
            agent: self.agent_name.clone(),
        }
    }
}

/// One attempt, under (build, attempt).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AttemptRecord {
    pub state: BuildState,
    pub fence: u64,
    pub agent: AgentId,
    pub agent_name: String,
    pub started_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub reason: Option<String>,
    /// Last journal record that is applied.
    pub journal_seq: u64,
    /// Whether the journal's last record was applied.
    pub ended_in_order: bool,
    /// Records of printed failures, and how many failures these hold.
    pub printed_records: u32,
    pub printed_failures: u32,
    /// Files that were kept of it.
    pub files: u32,
    pub steps: Vec<StepRecord>,
}
impl Record for AttemptRecord {}

/// One step of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StepRecord {
    pub name: String,
    pub state: StepState,
    pub exit_code: Option<i32>,
    pub message: Option<String>,
    pub duration_ms: Option<u64>,
    /// When it began, by the agent's clock; comparable with the times of its files.
    pub started_at: Option<Timestamp>,
}

/// A lease, under (agent, build). There is one exactly while the build runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct LeaseRecord {
    pub attempt: u32,
    pub fence: u64,
    pub number: u64,
    pub claimed_at: Timestamp,
}
impl Record for LeaseRecord {}

/// A waiting build, under its number: older builds go first, also when they wait again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct QueueRecord {
    pub build: BuildId,
    pub labels: Vec<String>,
    pub avoid: Option<String>,
}
impl Record for QueueRecord {}

/// A trigger that was given with an `Idempotency-Key`, under (user, key).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct IdempotencyRecord {
    pub build: BuildId,
    /// SHA-256 of what was asked for.
    pub request: [u8; 32],
    pub user: UserId,
}
impl Record for IdempotencyRecord {}

impl AttemptRecord {
    /// Whether it ended by its agent's own last record, not because the agent was given up.
    pub(super) fn ended_by_agent(&self) -> bool {
        self.ended_in_order
    }
}

impl BuildRecord {
    /// Forgets what its reports said: they were another attempt's.
    pub(super) fn forget_reports(&mut self) {
        self.counts = OutcomeCounts::default();
        self.unreadable_reports = 0;
        self.reports = 0;
        self.findings.clear();
    }

    /// Whether its exit codes and its results contradict each other.
    pub(super) fn is_inconsistent(&self) -> bool {
        self.findings
            .iter()
            .any(|finding| finding.kind == FindingKind::InconsistentExit)
    }

    /// What its files hold against it: failures, errors, reports that could not be read, files that were not taken.
    pub(super) fn against(&self) -> u64 {
        self.counts.failed + self.counts.error + u64::from(self.unreadable_reports)
    }

    /// Why it ends as it does, where the agent gave no words.
    pub(super) fn reason_for(
        &self,
        end: AttemptEnd,
        against: u64,
        attempt: &AttemptRecord,
    ) -> Option<String> {
        let failed = || {
            attempt
                .steps
                .iter()
                .find(|step| step.state == StepState::Failed)
        };
        match end {
            AttemptEnd::Passed if self.unreadable_reports > 0 => Some(match failed() {
                Some(step) => {
                    let what = step.message.as_deref().unwrap_or("failed");
                    format!("step `{}`: {what}", step.name)
                }
                None => format!(
                    "{} could not be read",
                    counted(u64::from(self.unreadable_reports), "report")
                ),
            }),
            AttemptEnd::Passed if against > 0 => Some(format!(
                "{} failed although every step succeeded",
                counted(against, "test")
            )),
            AttemptEnd::Passed => self
                .findings
                .iter()
                .find(|finding| finding.kind == FindingKind::InconsistentExit)
                .map(|finding| finding.message.clone()),
            AttemptEnd::Failed => {
                let step = failed()?;
                let what = step.message.as_deref().unwrap_or("failed");
                Some(format!("step `{}`: {what}", step.name))
            }
            _ => None,
        }
    }
}
