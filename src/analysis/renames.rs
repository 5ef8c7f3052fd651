//! Looks for renamed and moved tests in every report that is stored: which tests are gone since the round before, which came, and
//! which of them are alike. What it finds is proposed; people decide.
//!
//! Here and not in `history`, because what a round is takes builds (their last attempt, their end) and reports (their names).

use super::error::AnalysisError;
use super::handle::{Analysis, blocking};
use crate::builds::BuildsError;
use crate::events::{Attempted, Consumer};
use crate::history::{
    self, Candidate, Proposal, ReportRun, TestName, names_of, place_of_report, propose,
    renamed_tests, reports_before, runs_of_report, store_proposals,
};
use crate::reports::ReportsError;
use crate::storage::ReadTxn;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use testhide_protocol::api::{BuildState, Event, EventRecord};
use testhide_protocol::{BuildId, ProjectId, ReportId, TestId};

/// Tests that may be gone, and that may have come. Where there are more, another suite ran, or everything was moved.
const MAX_CANDIDATES: usize = 2_000;

/// Runs of a test that is gone whose failures are compared.
const RECENT: usize = 20;

/// The consumer `renames`.
pub(super) struct Renames(pub(super) Analysis);

impl Consumer for Renames {
    fn name(&self) -> &'static str {
        "renames"
    }

    fn consume<'a>(
        &'a self,
        batch: &'a [EventRecord],
    ) -> Pin<Box<dyn Future<Output = Attempted> + Send + 'a>> {
        Box::pin(async move {
            for (done, record) in batch.iter().enumerate() {
                if let Err(error) = self.0.look_for_renames(&record.event).await {
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

/// What is proposed because of a report.
struct Seen {
    project: ProjectId,
    report: ReportId,
    proposals: Vec<Proposal>,
}

impl Analysis {
    async fn look_for_renames(&self, event: &Event) -> Result<(), AnalysisError> {
        let (build, report) = match event {
            // A build is looked at when it has ended, whole; an ended one again when somebody adds a report.
            Event::BuildFinished {
                build,
                status: BuildState::Passed | BuildState::Failed,
                ..
            } => (Some(*build), None),
            Event::ReportStored { report, build, .. } => (*build, Some(*report)),
            _ => return Ok(()),
        };
        let this = self.clone();
        let look = move || {
            let head = match (build, report) {
                (Some(build), _) => this.reports_of_round(build)?,
                (None, report) => report.into_iter().collect(),
            };
            this.renames(&head)
        };
        let Some(seen) = blocking(look).await? else {
            return Ok(());
        };
        let (seen, now) = (Arc::new(seen), self.clock.now());
        let write = move |wtxn: &_| {
            store_proposals(wtxn, seen.project, seen.report, &seen.proposals, now)?;
            Ok(())
        };
        self.storage.write(write).await
    }

    /// The reports of a build's last attempt, oldest first; none while it goes on or when it broke off.
    fn reports_of_round(&self, build: BuildId) -> Result<Vec<ReportId>, AnalysisError> {
        let record = match self.builds.get(build) {
            Err(BuildsError::NotFound(_)) => return Ok(Vec::new()),
            found => found?,
        };
        if !matches!(record.state, BuildState::Passed | BuildState::Failed) {
            return Ok(Vec::new());
        }
        let reports = self.reports.of_build(build)?;
        let of_attempt = reports
            .iter()
            .filter(|report| report.attempt == Some(record.attempt));
        Ok(of_attempt.map(|report| report.id).collect())
    }

    /// What `head` says of renames; `None` when it says nothing.
    fn renames(&self, head: &[ReportId]) -> Result<Option<Seen>, AnalysisError> {
        let Some(report) = head.first().copied() else {
            return Ok(None);
        };
        let rtxn = self.storage.begin_read()?;
        let (Some(origin), Some(place)) = (
            history::origin_of_report(&rtxn, report)?,
            place_of_report(&rtxn, report)?,
        ) else {
            return Ok(None);
        };
        let name = self.reports.get(report)?.name;
        let base = reports_before(&rtxn, report, |other| match self.reports.get(other) {
            Err(ReportsError::NotFound(_)) => Ok(false),
            found => Ok::<_, AnalysisError>(found?.name == name),
        })?;
        if base.is_empty() {
            return Ok(None);
        }
        let project = origin.project;
        let (old, new) = (
            tests_of(&rtxn, project, &base)?,
            tests_of(&rtxn, project, head)?,
        );
        let without = |tests: &Tests, others: &Tests| {
            let ids = tests.keys().filter(|test| !others.contains_key(*test));
            ids.copied().collect::<Vec<TestId>>()
        };
        let (gone, came) = (without(&old, &new), without(&new, &old));
        let most = gone.len().max(came.len());
        if gone.is_empty() || came.is_empty() || most > MAX_CANDIDATES {
            return Ok(None);
        }
        // A test that was seen before has come back; it is not a new name of another one.
        let mut came = names_of(&rtxn, &came)?;
        came.retain(|name| name.first >= place);
        let mut candidates = Vec::with_capacity(gone.len());
        for name in names_of(&rtxn, &gone)? {
            let recent = history::runs(&rtxn, name.test, None, Some(place), RECENT)?;
            let signatures = recent.runs.iter().filter_map(|run| run.signature);
            candidates.push(candidate(name, &old, signatures.collect()));
        }
        let came: Vec<Candidate> = came
            .into_iter()
            .map(|name| candidate(name, &new, BTreeSet::new()))
            .collect();
        let proposals = propose(&candidates, &came);
        Ok((!proposals.is_empty()).then_some(Seen {
            project,
            report,
            proposals,
        }))
    }
}

type Tests = BTreeMap<TestId, ReportRun>;

/// The tests of some reports; old names count as the test that they go on as.
fn tests_of(
    rtxn: &ReadTxn,
    project: ProjectId,
    reports: &[ReportId],
) -> Result<Tests, AnalysisError> {
    let renamed = renamed_tests(rtxn, project)?;
    let mut tests = Tests::new();
    for report in reports {
        for run in runs_of_report(rtxn, *report)? {
            let test = renamed.get(&run.test).copied().unwrap_or(run.test);
            tests.insert(test, run);
        }
    }
    Ok(tests)
}

fn candidate(
    name: TestName,
    tests: &Tests,
    mut signatures: BTreeSet<crate::ml::Signature>,
) -> Candidate {
    let run = &tests[&name.test];
    signatures.extend(run.signature);
    Candidate {
        test: name.test,
        display: name.display,
        file: name.file,
        outcome: run.outcome,
        duration_ms: run.duration_ms,
        signatures,
    }
}
