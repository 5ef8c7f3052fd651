//! Judges every report that is stored: reads first, then one transaction.

use super::cause::Causes;
use super::error::AnalysisError;
use super::essence::Essence;
use super::handle::{Analysis, blocking};
use super::judge::Judge;
use super::model::StoredVerdict;
use super::store::{JUDGED, VERDICTS, verdicts_of};
use super::summary::summary;
use crate::builds;
use crate::events::{self, Attempted, Consumer};
use crate::history::place_of_result;
use crate::reports::{LightFailure, ReportsError};
use crate::storage::{ReadTxn, WriteTxn};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use testhide_protocol::api::{Event, EventRecord, Outcome, Report, Tps};
use testhide_protocol::{BuildId, ProjectId, ReportId, Timestamp};

/// Failures of one report that are judged, and passes. A report in which more fails tells of one cause, not of ten thousand.
const MAX_JUDGED: usize = 10_000;

/// Failures that are read from a report at once; each can hold 64 KiB of trace.
const PAGE: usize = 200;

/// Failures of a build whose cause is worked out for its summary.
const MAX_CAUSES: usize = 500;

/// The consumer `analysis`.
pub(super) struct Verdicts(pub(super) Analysis);

impl Consumer for Verdicts {
    fn name(&self) -> &'static str {
        "analysis"
    }

    fn consume<'a>(
        &'a self,
        batch: &'a [EventRecord],
    ) -> Pin<Box<dyn Future<Output = Attempted> + Send + 'a>> {
        Box::pin(async move {
            for (done, record) in batch.iter().enumerate() {
                if let Event::ReportStored { report, .. } = record.event
                    && let Err(error) = self.0.analyse(report).await
                {
                    return Attempted {
                        done,
                        error: Some(error.into()),
                    };
                }
            }
            Attempted::all(batch)
        })
    }
}

/// What is written about a report.
struct Found {
    project: ProjectId,
    report: ReportId,
    verdicts: Vec<StoredVerdict>,
    build: Option<(BuildId, Tps)>,
}

impl Analysis {
    /// Judges a report, unless that was done before.
    async fn analyse(&self, report: ReportId) -> Result<(), AnalysisError> {
        let _alone = self.judging.lock().await;
        let this = self.clone();
        let Some(found) = blocking(move || this.look_at(report)).await? else {
            return Ok(());
        };
        let (found, now) = (Arc::new(found), self.clock.now());
        self.storage.write(move |wtxn| put(wtxn, &found, now)).await
    }

    /// Everything that is to be said of a report; `None` when it was said or the report is gone.
    fn look_at(&self, id: ReportId) -> Result<Option<Found>, AnalysisError> {
        let rtxn = self.storage.begin_read()?;
        if JUDGED.read(&rtxn)?.contains(&id)? {
            return Ok(None);
        }
        let report = match self.reports.get(id) {
            Err(ReportsError::NotFound(_)) => return Ok(None),
            found => found?,
        };
        let mut verdicts = Vec::new();
        if let Some(judge) = self.judge(&rtxn, id)? {
            self.judge_failures(&judge, id, &mut verdicts)?;
            self.judge_passes(&judge, id, &mut verdicts)?;
        }
        let build = match report.build_id {
            Some(build) => Some((build, self.summarise(&rtxn, build, &report, &verdicts)?)),
            None => None,
        };
        Ok(Some(Found {
            project: report.project_id,
            report: id,
            verdicts,
            build,
        }))
    }

    fn judge_failures(
        &self,
        judge: &Judge<'_>,
        report: ReportId,
        verdicts: &mut Vec<StoredVerdict>,
    ) -> Result<(), AnalysisError> {
        let mut after = None;
        while verdicts.len() < MAX_JUDGED {
            let page = self.reports.failures_of(report, after, PAGE)?;
            let Some(last) = page.last() else {
                return Ok(());
            };
            after = Some(last.id);
            for failure in &page {
                verdicts.extend(judge_failure(judge, failure)?);
            }
        }
        tracing::warn!(report.id = %report, "report {report} has more than {MAX_JUDGED} failures; the others get no verdict");
        Ok(())
    }

    /// Passes of tests that failed before. Recovered ones are among the failures.
    fn judge_passes(
        &self,
        judge: &Judge<'_>,
        report: ReportId,
        verdicts: &mut Vec<StoredVerdict>,
    ) -> Result<(), AnalysisError> {
        let most = verdicts.len() + MAX_JUDGED;
        let mut rows = self.reports.compact_rows(report)?;
        rows.retain(|row| row.outcome == Outcome::Passed && !row.recovered);
        let project = self.reports.get(report)?.project_id;
        let tests = rows.iter().map(|row| row.test);
        let failed = self.history.ever_failed(project, tests)?;
        for row in rows {
            if !failed.contains(&row.test) || verdicts.len() >= most {
                continue;
            }
            if let Some((run, judgement)) = judge.run_of(row.test)? {
                verdicts.push(StoredVerdict::new(
                    &run,
                    &row.display_name,
                    Essence::default(),
                    &judgement,
                ));
            }
        }
        Ok(())
    }

    /// The summary of a build's present attempt with the verdicts of one more report.
    fn summarise(
        &self,
        rtxn: &ReadTxn,
        build: BuildId,
        report: &Report,
        verdicts: &[StoredVerdict],
    ) -> Result<Tps, AnalysisError> {
        let attempt = self.builds.get(build)?.attempt;
        let mut earlier: Vec<StoredVerdict> = Vec::new();
        for other in self.reports.of_build(build)? {
            if other.attempt == Some(attempt) && other.id != report.id {
                earlier.extend(verdicts_of(rtxn, other.id, 2 * MAX_JUDGED)?);
            }
        }
        let of_this = if report.attempt == Some(attempt) {
            verdicts
        } else {
            &[]
        };
        let all = || earlier.iter().chain(of_this);
        let causes = Causes::load(rtxn, report.project_id, self.settings.root_cause)?;
        let mut known = Vec::new();
        for verdict in all().filter(|verdict| verdict.failed).take(MAX_CAUSES) {
            known.extend(causes.of(rtxn, verdict)?.category);
        }
        Ok(summary(all(), &known))
    }
}

/// The verdict on a failure, or on a test that recovered from one.
pub(super) fn judge_failure(
    judge: &Judge<'_>,
    failure: &LightFailure,
) -> Result<Option<StoredVerdict>, AnalysisError> {
    let Some((run, judgement)) = judge.run_of(failure.test)? else {
        return Ok(None);
    };
    let essence = Essence::of(
        failure.kind.as_deref(),
        failure.message.as_deref(),
        failure.trace.as_deref(),
    );
    Ok(Some(StoredVerdict::new(
        &run,
        &failure.display_name,
        essence,
        &judgement,
    )))
}

/// Verdicts, the build's summary and the event, unless the report is judged already.
fn put(wtxn: &WriteTxn, found: &Found, now: Timestamp) -> Result<(), AnalysisError> {
    let mut judged = JUDGED.write(wtxn)?;
    if judged.contains(&found.report)? {
        return Ok(());
    }
    judged.put(&found.report, &())?;
    let mut table = VERDICTS.write(wtxn)?;
    for verdict in &found.verdicts {
        if let Some(place) = place_of_result(verdict.run.result) {
            table.put(&place, verdict)?;
        }
    }
    if let Some((build, tps)) = &found.build {
        builds::set_tps(wtxn, *build, tps.clone())?;
    }
    let build = found.build.as_ref().map(|(build, _)| *build);
    events::append(
        wtxn,
        now,
        Some(found.project),
        &Event::VerdictsReached {
            report: found.report,
            build,
        },
    )?;
    Ok(())
}
