//! Evaluates a build: gates and facts are read, each rule is decided, and verdict, summary and event are written together.

use super::error::GatesError;
use super::handle::{Gates, blocking};
use super::model::{StoredEvaluation, summary};
use super::rules::evaluate;
use super::store::{self, EVALUATIONS};
use crate::accounts::Principal;
use crate::builds::{self, BuildRecord, BuildsError};
use crate::events::{self, EventLog};
use crate::storage::WriteTxn;
use testhide_protocol::BuildId;
use testhide_protocol::api::{
    Event, EventRecord, Gate, GateEvaluation, GateResult, GateRule, ProjectPermission,
};

impl Gates {
    /// Holds a build against all enabled gates that are for it, as it is now, and stores the verdict over an older one. With no gate
    /// for it the build passes, and the evaluation says that there was none.
    ///
    /// # Errors
    /// No such build for the caller, no EXECUTE in its project, failures of the store.
    pub async fn evaluate(
        &self,
        principal: &Principal,
        build: &str,
    ) -> Result<GateEvaluation, GatesError> {
        let record = self
            .builds
            .resolve_for(principal, build, ProjectPermission::Execute)?;
        let _alone = self.evaluating.lock().await;
        let evaluation = self.look_at(record.id).await?;
        self.keep(&record, evaluation, None).await
    }

    /// Evaluates a build for an event, unless that was done before.
    pub(super) async fn evaluate_for(&self, event: &EventRecord) -> Result<(), GatesError> {
        let (build, is_end) = match event.event {
            Event::BuildFinished { build, .. } => (build, true),
            Event::ReportStored {
                build: Some(build), ..
            } => (build, false),
            _ => return Ok(()),
        };
        let record = match self.builds.get(build) {
            Err(BuildsError::NotFound(_)) => return Ok(()),
            found => found?,
        };
        let _alone = self.evaluating.lock().await;
        let before = self
            .storage
            .read(|rtxn| EVALUATIONS.read(rtxn)?.get(&build))?;
        let due = match &before {
            Some(before) => before.event < event.seq && (is_end || record.state.is_final()),
            // A report that comes before the end is in the evaluation at the end.
            None => is_end,
        };
        if !due {
            return Ok(());
        }
        // What the log has by now is seen too, and not looked at again: many reports that come at once are few evaluations.
        let seen = EventLog::new(self.storage.clone()).last()?;
        let evaluation = self.look_at(build).await?;
        // A build that no gate is for says nothing, so that a project without gates pays nothing for them.
        if evaluation.gates > 0 || before.is_some() {
            self.keep(&record, evaluation, Some(seen.max(event.seq)))
                .await?;
        }
        Ok(())
    }

    async fn look_at(&self, build: BuildId) -> Result<GateEvaluation, GatesError> {
        let this = self.clone();
        blocking(move || this.judge(&this.builds.get(build)?)).await
    }

    fn judge(&self, record: &BuildRecord) -> Result<GateEvaluation, GatesError> {
        let gates = self
            .storage
            .read(|rtxn| store::gates(rtxn, record.project, None, usize::MAX))?;
        let is_for = |gate: &&Gate| gate.enabled && gate.job_id.is_none_or(|job| job == record.job);
        let gates: Vec<&Gate> = gates.iter().filter(is_for).collect();
        let rules: Vec<&GateRule> = gates.iter().flat_map(|gate| &gate.rules).collect();
        let mut results = Vec::with_capacity(rules.len());
        if !rules.is_empty() {
            let facts = self.gather(record, &rules)?;
            for gate in &gates {
                for rule in &gate.rules {
                    let result = evaluate(rule, &facts);
                    results.push(GateResult {
                        gate_id: gate.id,
                        gate: gate.name.clone(),
                        rule: rule.clone(),
                        passed: result.passed,
                        message: result.message,
                        threshold: result.threshold,
                        actual: result.actual,
                    });
                }
            }
        }
        Ok(GateEvaluation {
            build_id: record.id,
            build_number: record.number,
            attempt: record.attempt,
            passed: results.iter().all(|result| result.passed),
            gates: gates.len() as u64,
            evaluated_at: self.clock.now(),
            results,
        })
    }

    async fn keep(
        &self,
        record: &BuildRecord,
        evaluation: GateEvaluation,
        event: Option<u64>,
    ) -> Result<GateEvaluation, GatesError> {
        let project = record.project;
        self.storage
            .write(move |wtxn| {
                put(wtxn, &evaluation, event)?;
                events::append(
                    wtxn,
                    evaluation.evaluated_at,
                    Some(project),
                    &Event::GateEvaluated {
                        build: evaluation.build_id,
                        number: evaluation.build_number,
                        attempt: evaluation.attempt,
                        passed: evaluation.passed,
                        gates: evaluation.gates,
                    },
                )?;
                Ok(evaluation.clone())
            })
            .await
    }
}

/// The evaluation over an older one, and the build's summary.
fn put(wtxn: &WriteTxn, evaluation: &GateEvaluation, event: Option<u64>) -> Result<(), GatesError> {
    let mut evaluations = EVALUATIONS.write(wtxn)?;
    let before = evaluations.get(&evaluation.build_id)?;
    let event = event.or(before.map(|before| before.event)).unwrap_or(0);
    let stored = StoredEvaluation::new(evaluation, event);
    evaluations.put(&evaluation.build_id, &stored)?;
    drop(evaluations);
    let shown = summary(evaluation);
    Ok(builds::set_gates(
        wtxn,
        evaluation.build_id,
        evaluation.attempt,
        shown,
    )?)
}
