//! Builds as the API shows them.

use super::error::BuildsError;
use super::model::{AttemptRecord, BuildRecord, StepRecord};
use super::queue::why_waiting;
use super::store::{ATTEMPTS, BUILDS, BY_JOB, BY_NUMBER, BY_PROJECT, Builds};
use crate::accounts::Visible;
use testhide_protocol::api::{Attempt, Build, BuildState, Finding, StepResult, TestCounts, Tps};
use testhide_protocol::{BuildId, JobId, ProjectId};

/// Rows that one page may look at before it ends early; a page of rare matches goes on with the next request.
const MAX_SCAN: usize = 20_000;

/// Which builds are wanted.
#[derive(Debug, Clone, Default)]
pub(super) struct Wanted {
    pub project: Option<ProjectId>,
    pub job: Option<JobId>,
    pub branch: Option<String>,
    pub state: Option<BuildState>,
}

impl Builds {
    /// A build with the steps of its present attempt and all earlier attempts.
    ///
    /// # Errors
    /// Failures of the store.
    pub fn show(&self, record: BuildRecord) -> Result<Build, BuildsError> {
        let mut attempts: Vec<(u32, AttemptRecord)> = self.storage.read(|rtxn| {
            ATTEMPTS
                .read(rtxn)?
                .prefix(&record.id)?
                .map(|row| row.map(|((_, number), attempt)| (number, attempt)))
                .collect::<Result<_, _>>()
                .map_err(BuildsError::from)
        })?;
        let present = attempts
            .iter()
            .find(|(number, _)| *number == record.attempt);
        let steps = present
            .map(|(_, attempt)| attempt.steps.iter().enumerate().map(step).collect())
            .unwrap_or_default();
        attempts.retain(|(number, _)| *number != record.attempt);
        let mut build = self.summary(record);
        build.steps = steps;
        build.attempts = attempts.into_iter().map(earlier).collect();
        Ok(build)
    }

    /// A build as lists show it.
    pub(super) fn summary(&self, record: BuildRecord) -> Build {
        let until = record.finished_at.unwrap_or_else(|| self.clock.now());
        let millis = record
            .started_at
            .map(|started| until.millis_since(started).max(0).unsigned_abs());
        let reason = match (record.state, record.reason.clone()) {
            (BuildState::Queued, None) => {
                Some(why_waiting(&record.definition().labels, &self.workforce()))
            }
            (BuildState::Running, _) => record.cancel_requested.clone(),
            (_, reason) => reason,
        };
        let gates = record.gate_summary();
        let tps = record.tps;
        Build {
            id: record.id,
            status: record.state,
            build_number: record.number,
            project_id: record.project,
            job_id: record.job,
            job_name: record.job_name,
            branch: record.branch,
            commit: record.commit,
            attempt: record.attempt,
            triggered_by: record.triggered_by,
            duration: millis.map(|millis| millis / 1000),
            duration_ms: millis,
            queued_at: record.queued_at,
            started_at: record.started_at,
            finished_at: record.finished_at,
            agent_id: record.agent,
            agent_name: record.agent_name,
            reason,
            parameters: record.parameters,
            findings: record.findings.into_iter().map(Finding::from).collect(),
            tests: TestCounts {
                passed: record.counts.passed,
                failed: record.counts.failed + record.counts.error,
                skipped: record.counts.skipped,
                flaky: tps.flaky.len() as u64,
            },
            tps: Tps {
                flaky_tests: tps.flaky,
                new_failures: tps.new,
                known_failures: tps.known,
                fixed: tps.fixed,
                probable_cause: tps.cause,
                analysed: record.state.is_final() && record.reports_pending == 0,
            },
            gates,
            steps: Vec::new(),
            attempts: Vec::new(),
        }
    }

    /// Up to `limit` builds with numbers below `before`, newest first; and where the next page begins.
    pub(super) fn list(
        &self,
        visible: &Visible,
        wanted: &Wanted,
        before: Option<u64>,
        limit: usize,
    ) -> Result<(Vec<Build>, Option<u64>), BuildsError> {
        let before = before.unwrap_or(u64::MAX);
        self.storage.read(|rtxn| {
            let builds = BUILDS.read(rtxn)?;
            let mut found = Vec::new();
            let mut next = None;
            let mut take = |number: u64, id: [u8; 16]| -> Result<bool, BuildsError> {
                let Some(record) = builds.get(&BuildId::from_bytes(id))? else {
                    return Ok(true);
                };
                if visible.contains(record.project) && wanted.matches(&record) {
                    if found.len() == limit {
                        return Ok(false);
                    }
                    found.push(self.summary(record));
                }
                next = Some(number);
                Ok(true)
            };
            let mut ended = true;
            let mut scanned = 0;
            let mut visit = |number: u64, id: [u8; 16]| -> Result<bool, BuildsError> {
                scanned += 1;
                let more = scanned <= MAX_SCAN && take(number, id)?;
                ended &= more;
                Ok(more)
            };
            match (wanted.job, wanted.project) {
                (Some(job), _) => {
                    let table = BY_JOB.read(rtxn)?;
                    for row in table.prefix_before(&job, &(job, before))?.rev() {
                        let ((_, number), id) = row?;
                        if !visit(number, id)? {
                            break;
                        }
                    }
                }
                (None, Some(project)) => {
                    let table = BY_PROJECT.read(rtxn)?;
                    for row in table.prefix_before(&project, &(project, before))?.rev() {
                        let ((_, number), id) = row?;
                        if !visit(number, id)? {
                            break;
                        }
                    }
                }
                (None, None) => {
                    for row in BY_NUMBER.read(rtxn)?.prefix_before(&(), &before)?.rev() {
                        let (number, id) = row?;
                        if !visit(number, id)? {
                            break;
                        }
                    }
                }
            }
            Ok((found, if ended { None } else { next }))
        })
    }
}

impl Wanted {
    fn matches(&self, record: &BuildRecord) -> bool {
        self.project.is_none_or(|project| project == record.project)
            && self.job.is_none_or(|job| job == record.job)
            && self
                .branch
                .as_ref()
                .is_none_or(|branch| *branch == record.branch)
            && self.state.is_none_or(|state| state == record.state)
    }
}

fn step((index, record): (usize, &StepRecord)) -> StepResult {
    StepResult {
        index: u32::try_from(index).unwrap_or(u32::MAX),
        name: record.name.clone(),
        status: record.state,
        exit_code: record.exit_code,
        message: record.message.clone(),
        duration_ms: record.duration_ms,
    }
}

fn earlier((number, record): (u32, AttemptRecord)) -> Attempt {
    Attempt {
        attempt: number,
        status: record.state,
        agent_name: Some(record.agent_name),
        started_at: record.started_at,
        finished_at: record.finished_at,
        reason: record.reason,
    }
}
