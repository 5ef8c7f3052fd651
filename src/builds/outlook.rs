//! What is worked out before a transaction: counts, and what earlier builds had. It holds for one state of the build, which the
//! transaction checks; when a report came in between, it is worked out anew.

use super::baseline::Baseline;
use super::batch::{Entry, JournalBatch};
use super::error::BuildsError;
use super::facts::ReportFacts;
use super::model::{AttemptRecord, BuildRecord, StepRecord};
use super::rules::{StepFact, StepKind, is_stale, written_by};
use super::store::{ATTEMPTS, Builds, load};
use super::tally::Tally;
use crate::reports::PreparedReport;
use std::collections::HashMap;
use testhide_protocol::api::{OutcomeCounts, Step};
use testhide_protocol::wire::RecordBody;
use testhide_protocol::{BuildId, Timestamp};

/// What follows from new reports, as long as the build is as it was.
#[derive(Debug, Clone)]
pub(super) struct Outlook {
    /// Attempt, counted reports, and whether the build was over: what this holds for.
    holds_for: (u32, u32, bool),
    /// The last journal record that was stored; none for an upload, which does not care how the journal goes on meanwhile.
    follows: Option<u64>,
    /// The facts of each new report, under its journal record; 0 for an upload.
    pub arrivals: HashMap<u64, ReportFacts>,
    /// Tests of the attempt with the new reports.
    pub counts: OutcomeCounts,
    /// What there used to be; only where the attempt ends or has ended.
    pub baseline: Option<Baseline>,
}

impl Outlook {
    /// Whether it holds for the build as the transaction sees it.
    pub(super) fn holds(&self, record: &BuildRecord, attempt: Option<&AttemptRecord>) -> bool {
        self.holds_for == state_of(record)
            && self.follows.is_none_or(|seq| seq == stored_up_to(attempt))
    }
}

fn state_of(record: &BuildRecord) -> (u32, u32, bool) {
    (record.attempt, record.reports, record.state.is_final())
}

fn stored_up_to(attempt: Option<&AttemptRecord>) -> u64 {
    attempt.map_or(0, |attempt| attempt.journal_seq)
}

impl JournalBatch {
    /// Whether something of it has to be worked out before it is applied.
    pub(super) fn needs_outlook(&self) -> bool {
        self.entries.iter().any(|(_, entry)| {
            matches!(
                entry,
                Entry::Report { .. } | Entry::Body(RecordBody::Ended { .. })
            )
        })
    }
}

impl Builds {
    /// Works out what follows from a batch, and what the next report is added to. Blocks for disk reads.
    ///
    /// # Errors
    /// [`BuildsError::NotFound`], failures of the store.
    pub(super) fn outlook(
        &self,
        batch: &JournalBatch,
        kept: Option<Tally>,
    ) -> Result<(Outlook, Tally), BuildsError> {
        let (record, attempt) = self.present(batch.lease.build)?;
        let mut tally = self.tally(&record, kept)?;
        let mut steps = step_facts(&record, attempt.as_ref());
        let stored = stored_up_to(attempt.as_ref());
        let mut arrivals = HashMap::new();
        let mut ends = false;
        // What belongs to another attempt says nothing about this one; the transaction refuses it.
        let own = record.attempt == batch.lease.attempt;
        for (seq, entry) in batch.entries.iter().filter(|(seq, _)| own && *seq > stored) {
            match entry {
                Entry::Body(RecordBody::StepStarted { step, time }) => {
                    if let Some(step) = steps.get_mut(*step as usize) {
                        step.started_at = Some(*time);
                    }
                }
                Entry::Report {
                    report,
                    step,
                    modified_at,
                    partial,
                } => {
                    let facts = delivered(report, &steps, *step, *modified_at, *partial);
                    tally.add(&facts, report.tests());
                    arrivals.insert(*seq, facts);
                }
                Entry::Body(RecordBody::Ended { .. }) => ends = true,
                _ => {}
            }
        }
        self.look(&record, Some(stored), tally, arrivals, ends)
    }

    /// Works out what follows from an upload for the present attempt, and what the next report is added to. Blocks for disk reads.
    ///
    /// # Errors
    /// [`BuildsError::NotFound`], failures of the store.
    pub(super) fn outlook_of_upload(
        &self,
        build: BuildId,
        report: &PreparedReport,
        kept: Option<Tally>,
    ) -> Result<(Outlook, Tally), BuildsError> {
        let record = self.storage.read(|rtxn| load(rtxn, build))?;
        let mut tally = self.tally(&record, kept)?;
        let mut arrivals = HashMap::new();
        // One that was read for an earlier attempt says nothing about this one.
        if report.build().map(|origin| origin.attempt) == Some(record.attempt) {
            let facts = facts_of(report);
            tally.add(&facts, report.tests());
            arrivals.insert(0, facts);
        }
        let over = record.state.is_final();
        self.look(&record, None, tally, arrivals, over)
    }

    fn look(
        &self,
        record: &BuildRecord,
        follows: Option<u64>,
        tally: Tally,
        arrivals: HashMap<u64, ReportFacts>,
        over: bool,
    ) -> Result<(Outlook, Tally), BuildsError> {
        let baseline = if over {
            self.baseline(record, &tally)?
        } else {
            None
        };
        let outlook = Outlook {
            holds_for: state_of(record),
            follows,
            arrivals,
            counts: tally.counts(),
            baseline,
        };
        Ok((outlook, tally))
    }

    fn present(&self, build: BuildId) -> Result<(BuildRecord, Option<AttemptRecord>), BuildsError> {
        self.storage.read(|rtxn| {
            let record = load(rtxn, build)?;
            let attempt = ATTEMPTS.read(rtxn)?.get(&(build, record.attempt))?;
            Ok((record, attempt))
        })
    }
}

/// The steps of an attempt as the rules look at them.
pub(super) fn step_facts(record: &BuildRecord, attempt: Option<&AttemptRecord>) -> Vec<StepFact> {
    let definition = record.definition();
    let kinds = definition.steps.iter().chain(&definition.post_steps);
    let steps = attempt.map_or(&[][..], |attempt| &attempt.steps);
    let fact = |(step, defined): (&StepRecord, &Step)| StepFact {
        name: step.name.clone(),
        kind: match defined {
            Step::Bash { .. } => StepKind::Script,
            Step::TestProvider { .. } => StepKind::Reports,
            Step::CopyArtifacts { .. } => StepKind::Other,
        },
        state: step.state,
        exit_code: step.exit_code,
        started_at: step.started_at,
    };
    steps.iter().zip(kinds).map(fact).collect()
}

fn delivered(
    report: &PreparedReport,
    steps: &[StepFact],
    step: u32,
    modified_at: Option<Timestamp>,
    partial: bool,
) -> ReportFacts {
    let stale = is_stale(steps, modified_at);
    let mut facts = ReportFacts {
        step: Some(step),
        modified_at,
        partial,
        stale,
        ..facts_of(report)
    };
    if stale {
        facts.report = None;
    } else {
        facts.written_by = written_by(steps, step, modified_at);
    }
    facts
}

fn facts_of(report: &PreparedReport) -> ReportFacts {
    ReportFacts {
        report: Some(report.id()),
        name: report.name().to_owned(),
        reporter: report.reporter().map(str::to_owned),
        step: None,
        written_by: None,
        modified_at: None,
        counts: report.counts(),
        truncated: report.truncated(),
        partial: false,
        stale: false,
        evidence: report.evidence().clone(),
    }
}
