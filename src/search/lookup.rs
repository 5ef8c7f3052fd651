//! Looks up the facts of builds and failures, as the store has them now.

use super::error::SearchError;
use super::facts::{AttemptFacts, BuildFacts, FailureFacts, failure_text};
use crate::builds::{Builds, BuildsError};
use crate::history::{HistoryError, RunPlace, place_of_report, place_of_result, result_id, runs};
use crate::reports::{LightFailure, Reports, ReportsError};
use crate::storage::Storage;
use testhide_protocol::api::Report;
use testhide_protocol::{BuildId, ReportId, ResultId, TestId};

/// Asks the slices that keep the facts.
#[derive(Clone)]
pub(super) struct Lookup {
    pub storage: Storage,
    pub builds: Builds,
    pub reports: Reports,
}

impl Lookup {
    /// An attempt of a build; `None` when the build is gone.
    pub(super) fn attempt(
        &self,
        build: BuildId,
        attempt: u32,
    ) -> Result<Option<AttemptFacts>, SearchError> {
        let record = match self.builds.get(build) {
            Err(BuildsError::NotFound(_)) => return Ok(None),
            record => record?,
        };
        let shown = self.builds.show(record)?;
        let earlier = shown
            .attempts
            .into_iter()
            .find(|earlier| earlier.attempt == attempt);
        let (agent, status) = match earlier {
            Some(earlier) => (earlier.agent_name, earlier.status),
            None => (shown.agent_name, shown.status),
        };
        Ok(Some(AttemptFacts {
            project: shown.project_id,
            number: shown.build_number,
            job: shown.job_name,
            branch: shown.branch,
            agent: agent.unwrap_or_default(),
            status: status.as_str().to_owned(),
            steps: shown.steps.into_iter().map(|step| step.name).collect(),
        }))
    }

    /// Up to `limit` failures of a report after `after`, in order; none when the report is gone.
    pub(super) fn failures_of(
        &self,
        report: ReportId,
        after: Option<ResultId>,
        limit: usize,
    ) -> Result<Vec<FailureFacts>, SearchError> {
        let report = match self.reports.get(report) {
            Err(ReportsError::NotFound(_)) => return Ok(Vec::new()),
            report => report?,
        };
        let failures = self.reports.failures_of(report.id, after, limit)?;
        let Some(test) = failures.first().map(|failure| failure.test) else {
            return Ok(Vec::new());
        };
        let origin = self.origin(&report, test)?;
        Ok(failures
            .into_iter()
            .map(|failure| origin.failure(&report, failure))
            .collect())
    }

    /// One failure, exactly as [`Lookup::failures_of`] tells it; `None` when it is gone.
    pub(super) fn failure(&self, result: ResultId) -> Result<Option<FailureFacts>, SearchError> {
        let Some((report, row)) = place_of_result(result) else {
            return Ok(None);
        };
        let before = row.checked_sub(1).map(|before| result_id(report, before));
        let found = self.failures_of(report, before, 1)?.pop();
        Ok(found.filter(|failure| failure.result == result))
    }

    /// Where `report` comes from; `test` is one of its tests.
    fn origin(&self, report: &Report, test: TestId) -> Result<ReportOrigin, SearchError> {
        if let Some((id, attempt)) = report.build_id.zip(report.attempt) {
            let Some(facts) = self.attempt(id, attempt)? else {
                return Ok(ReportOrigin::default());
            };
            let build = BuildFacts {
                id,
                number: facts.number,
                attempt,
                job: facts.job,
            };
            return Ok(ReportOrigin {
                build: Some(build),
                branch: facts.branch,
                agent: facts.agent,
            });
        }
        // A report without a build says its branch to the history alone.
        let run = self.storage.read(|rtxn| {
            let Some(place) = place_of_report(rtxn, report.id)? else {
                return Ok(None);
            };
            let behind = RunPlace {
                row: u32::MAX,
                ..place
            };
            Ok::<_, HistoryError>(runs(rtxn, test, None, Some(behind), 1)?.runs.pop())
        })?;
        let origin = run
            .filter(|run| run.report == report.id)
            .map(|run| run.origin);
        let branch = origin
            .as_ref()
            .map(|origin| origin.branch.clone())
            .unwrap_or_default();
        let agent = origin
            .and_then(|origin| origin.agent.clone())
            .unwrap_or_default();
        Ok(ReportOrigin {
            build: None,
            branch,
            agent,
        })
    }
}

/// Where the failures of a report come from.
#[derive(Default)]
struct ReportOrigin {
    build: Option<BuildFacts>,
    branch: String,
    agent: String,
}

impl ReportOrigin {
    fn failure(&self, report: &Report, failure: LightFailure) -> FailureFacts {
        let LightFailure {
            id,
            display_name,
            outcome,
            kind,
            message,
            trace,
            ..
        } = failure;
        FailureFacts {
            result: id,
            project: report.project_id,
            build: self.build.clone(),
            branch: self.branch.clone(),
            agent: self.agent.clone(),
            text: failure_text(
                &display_name,
                kind.as_deref(),
                message.as_deref(),
                trace.as_deref(),
            ),
            test: display_name,
            status: outcome.as_str().to_owned(),
            time: report.created_at,
        }
    }
}
