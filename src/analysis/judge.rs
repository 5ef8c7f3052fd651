//! Brings a run together with its history, for the rules.

use super::error::AnalysisError;
use super::handle::Analysis;
use super::rules::{Judgement, NEAR_ROUNDS, judge};
use crate::history::{self, HistoryError, Run, RunPlace};
use crate::storage::ReadTxn;
use testhide_protocol::api::{Outcome, Source};
use testhide_protocol::{JobId, ReportId, TestId};

/// Runs of a test that are looked at: a few more than the rules want, since a round can have several.
const RECENT: usize = NEAR_ROUNDS + 10;

/// Runs of a test on one branch that are looked at when all recent ones failed. A streak that is longer began before "since".
const LONG: usize = 1_000;

/// The branch that others come from, where no job says otherwise; builds without a source are of this branch too.
const MAIN: &str = "main";

/// Judges the runs of one report.
pub(super) struct Judge<'a> {
    rtxn: &'a ReadTxn,
    /// Everything before this place was there when the report came, and the report itself.
    end: RunPlace,
    base: String,
    flakiness: bool,
}

impl Analysis {
    /// The judge of a report; `None` for a report that is not in the history.
    pub(super) fn judge<'a>(
        &self,
        rtxn: &'a ReadTxn,
        report: ReportId,
    ) -> Result<Option<Judge<'a>>, AnalysisError> {
        let Some(place) = history::place_of_report(rtxn, report)? else {
            return Ok(None);
        };
        let end = RunPlace {
            batch: place.batch + 1,
            row: 0,
        };
        let base = match self.reports.get(report)?.build_id {
            Some(build) => self.base_branch(self.builds.get(build)?.job)?,
            None => None,
        };
        let base = base.unwrap_or_else(|| MAIN.to_owned());
        Ok(Some(Judge {
            rtxn,
            end,
            base,
            flakiness: self.settings.flakiness,
        }))
    }

    fn base_branch(&self, job: JobId) -> Result<Option<String>, AnalysisError> {
        let source = self
            .jobs
            .get(job)?
            .and_then(|job| job.definition.source_management);
        Ok(source.and_then(|Source::Git { branch, .. }| branch))
    }
}

impl Judge<'_> {
    /// What the rules say of the report's run of `test`; `None` when they say nothing.
    pub(super) fn run_of(&self, test: TestId) -> Result<Option<(Run, Judgement)>, AnalysisError> {
        let recent = match history::runs(self.rtxn, test, None, Some(self.end), RECENT) {
            Ok(recent) => recent,
            Err(HistoryError::TestNotFound(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let of_report = |run: &&Run| run.place.batch + 1 == self.end.batch;
        let Some(run) = recent.runs.iter().find(of_report).cloned() else {
            return Ok(None);
        };
        let mut others = recent.runs;
        let branch = run.origin.branch.clone();
        if recent.next.is_some() {
            let of_branch = self.of_branch(test, &branch, RECENT)?;
            let broken = |run: &Run| run.outcome != Outcome::Passed;
            let long = of_branch.len() == RECENT && of_branch.iter().skip(1).all(broken);
            others.extend(if long {
                self.of_branch(test, &branch, LONG)?
            } else {
                of_branch
            });
            if self.base != branch {
                others.extend(self.of_branch(test, &self.base, RECENT)?);
            }
        }
        let judgement = judge(&run, &others, Some(&self.base), self.flakiness);
        Ok(judgement.map(|judgement| (run, judgement)))
    }

    fn of_branch(
        &self,
        test: TestId,
        branch: &str,
        limit: usize,
    ) -> Result<Vec<Run>, AnalysisError> {
        Ok(history::runs(self.rtxn, test, Some(branch), Some(self.end), limit)?.runs)
    }
}
