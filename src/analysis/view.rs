//! Verdicts as the API shows them.

use super::cause::{Causes, silent};
use super::consumer::judge_failure;
use super::error::AnalysisError;
use super::essence::cut;
use super::handle::{Analysis, blocking};
use super::model::{StoredVector, StoredVerdict};
use super::store::{self, label_of, verdicts_of};
use crate::accounts::Principal;
use crate::builds::BuildRecord;
use crate::history::{self, Run, place_of_result};
use crate::reports::{LightFailure, ReportsError};
use crate::storage::ReadTxn;
use testhide_protocol::api::{BuildVerdicts, FailureVerdict, Report, SimilarFailure, VerdictKind};
use testhide_protocol::{ProjectId, ResultId};

/// Verdicts that one build shows.
const MAX_LISTED: usize = 5_000;

/// Verdicts of a build that come with similar failures and cause; the others have them when asked for alone.
const DETAILED: usize = 100;

/// Characters of a similar failure's message.
const MAX_LINE: usize = 300;

/// Failures with one signature, of whatever test, among which the latest of one test is looked for.
const MAX_LOOKED_AT: usize = 50;

impl Analysis {
    /// What is said of a build's present attempt: new, flaky, known failures, then what recovered.
    ///
    /// # Errors
    /// No such build for the caller, failures of the store.
    pub async fn verdicts_of_build(
        &self,
        principal: &Principal,
        build: &str,
    ) -> Result<BuildVerdicts, AnalysisError> {
        let record = self.builds.resolve(principal, build)?;
        let this = self.clone();
        blocking(move || this.build_verdicts(record)).await
    }

    /// What is said of one failure, or of one test that recovered. A failure that no consumer has come to yet is judged now.
    ///
    /// # Errors
    /// [`AnalysisError::ResultNotFound`] also for a result that the caller may not see, [`AnalysisError::NoVerdict`].
    pub async fn verdict_of(
        &self,
        principal: &Principal,
        id: ResultId,
    ) -> Result<FailureVerdict, AnalysisError> {
        let report = self.report_of(principal, id)?;
        let this = self.clone();
        blocking(move || this.failure_verdict(id, &report)).await
    }

    /// The report of a result, if the caller may see it.
    pub(super) fn report_of(
        &self,
        principal: &Principal,
        id: ResultId,
    ) -> Result<Report, AnalysisError> {
        let (report, _) = place_of_result(id).ok_or(AnalysisError::ResultNotFound(id))?;
        self.reports
            .resolve(principal, report)
            .map_err(|error| match error {
                ReportsError::NotFound(_) => AnalysisError::ResultNotFound(id),
                other => other.into(),
            })
    }

    fn build_verdicts(&self, record: BuildRecord) -> Result<BuildVerdicts, AnalysisError> {
        let (build_id, build_number, project, attempt) =
            (record.id, record.number, record.project, record.attempt);
        let complete = self.builds.show(record)?.tps.analysed;
        let rtxn = self.storage.begin_read()?;
        let mut verdicts: Vec<StoredVerdict> = Vec::new();
        for report in self.reports.of_build(build_id)? {
            if report.attempt == Some(attempt) {
                verdicts.extend(verdicts_of(&rtxn, report.id, usize::MAX)?);
            }
        }
        verdicts.sort_by_key(|verdict| (rank(verdict.kind), verdict.run.result));
        verdicts.truncate(MAX_LISTED);
        let causes = Causes::load(&rtxn, project, self.settings.root_cause)?;
        let mut failures = Vec::with_capacity(verdicts.len());
        for (number, verdict) in verdicts.iter().enumerate() {
            failures.push(if number < DETAILED {
                self.detailed(&rtxn, project, verdict, &causes)?
            } else {
                let reason = format!(
                    "worked out for the first {DETAILED} of a list only; ask for this one alone"
                );
                FailureVerdict {
                    root_cause: silent(reason),
                    ..brief(verdict)
                }
            });
        }
        Ok(BuildVerdicts {
            build_id,
            build_number,
            complete,
            failures,
        })
    }

    fn failure_verdict(
        &self,
        id: ResultId,
        report: &Report,
    ) -> Result<FailureVerdict, AnalysisError> {
        let rtxn = self.storage.begin_read()?;
        let verdict = match store::verdict(&rtxn, id)? {
            Some(verdict) => verdict,
            None => self
                .judge_now(&rtxn, id, report)?
                .ok_or(AnalysisError::NoVerdict(id))?,
        };
        let causes = Causes::load(&rtxn, report.project_id, self.settings.root_cause)?;
        self.detailed(&rtxn, report.project_id, &verdict, &causes)
    }

    /// The verdict on a failure that has none yet.
    fn judge_now(
        &self,
        rtxn: &ReadTxn,
        id: ResultId,
        report: &Report,
    ) -> Result<Option<StoredVerdict>, AnalysisError> {
        let result = match self.reports.result(id) {
            Err(ReportsError::ResultNotFound(_)) => return Err(AnalysisError::ResultNotFound(id)),
            found => found?,
        };
        if !(result.outcome.is_failure() || result.recovered) {
            return Ok(None);
        }
        let Some(judge) = self.judge(rtxn, report.id)? else {
            return Ok(None);
        };
        let failure = LightFailure {
            id,
            test: result.test_id,
            display_name: result.display_name,
            outcome: result.outcome,
            recovered: result.recovered,
            signature: result.signature.parse().ok(),
            kind: result.kind,
            message: result.message,
            trace: result.trace,
        };
        judge_failure(&judge, &failure)
    }

    fn detailed(
        &self,
        rtxn: &ReadTxn,
        project: ProjectId,
        verdict: &StoredVerdict,
        causes: &Causes,
    ) -> Result<FailureVerdict, AnalysisError> {
        let root_cause = match verdict.kind {
            VerdictKind::Fixed => silent("it passes now".to_owned()),
            _ => causes.of(rtxn, verdict)?,
        };
        Ok(FailureVerdict {
            root_cause,
            similar: self.similar_to(rtxn, project, verdict)?,
            ..brief(verdict)
        })
    }

    fn similar_to(
        &self,
        rtxn: &ReadTxn,
        project: ProjectId,
        verdict: &StoredVerdict,
    ) -> Result<Vec<SimilarFailure>, AnalysisError> {
        let Some(similar) = &self.similar else {
            return Ok(Vec::new());
        };
        let mut shown = Vec::new();
        for (entry, similarity) in similar.find(project, verdict.run.result, &verdict.essence)? {
            let result = latest_before(rtxn, &entry, verdict.run.result)?;
            let Some(other) = store::verdict(rtxn, result)? else {
                continue;
            };
            let label = label_of(rtxn, project, result, (entry.test, entry.signature))?;
            shown.push(SimilarFailure {
                run: other.run.into(),
                display_name: other.display_name,
                message: cut(other.essence.first_line(), MAX_LINE).to_owned(),
                similarity,
                label: label.map(|(_, label)| label.category),
            });
        }
        Ok(shown)
    }
}

/// The latest failure of a kind before the report of `result`; the first one when that is long ago.
fn latest_before(
    rtxn: &ReadTxn,
    entry: &StoredVector,
    result: ResultId,
) -> Result<ResultId, AnalysisError> {
    let Some(signature) = entry.signature else {
        return Ok(entry.first);
    };
    let before = match place_of_result(result) {
        Some((report, _)) => history::place_of_report(rtxn, report)?,
        None => None,
    };
    let runs = history::failing_runs_with_signature(
        rtxn,
        entry.project,
        signature,
        before,
        MAX_LOOKED_AT,
    )?;
    Ok(runs
        .iter()
        .find(|run| run.test == entry.test)
        .map_or(entry.first, Run::result))
}

/// A verdict without what has to be looked for.
fn brief(verdict: &StoredVerdict) -> FailureVerdict {
    FailureVerdict {
        result_id: verdict.run.result,
        test_id: verdict.test,
        display_name: verdict.display_name.clone(),
        message: verdict.essence.message.clone(),
        verdict: verdict.verdict(),
        similar: Vec::new(),
        root_cause: silent("not asked for".to_owned()),
    }
}

/// The order of a list.
fn rank(kind: VerdictKind) -> u8 {
    match kind {
        VerdictKind::New => 0,
        VerdictKind::Flaky => 1,
        VerdictKind::Known => 2,
        VerdictKind::Fixed => 3,
    }
}
