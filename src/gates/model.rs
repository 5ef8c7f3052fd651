//! Stored shapes of gates and of evaluations.

use crate::storage::{Record, StorageError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use testhide_protocol::api::{Gate, GateEvaluation, GateSummary};
use testhide_protocol::{BuildId, GateId, JobId, ProjectId, Timestamp};

/// A gate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredGate {
    pub project: ProjectId,
    pub job: Option<JobId>,
    /// As it was given; compared in its folded form.
    pub name: String,
    pub description: String,
    pub enabled: bool,
    /// The rules as JSON: a tagged enum has no other form, and JSON takes new fields without a rewrite.
    pub rules: Vec<u8>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}
impl Record for StoredGate {}

impl From<&Gate> for StoredGate {
    fn from(gate: &Gate) -> Self {
        Self {
            project: gate.project_id,
            job: gate.job_id,
            name: gate.name.clone(),
            description: gate.description.clone(),
            enabled: gate.enabled,
            rules: json(&gate.rules),
            created_at: gate.created_at,
            updated_at: gate.updated_at,
        }
    }
}

impl StoredGate {
    /// As the API shows it, but for its job's name.
    pub(super) fn shown(self, id: GateId) -> Result<Gate, StorageError> {
        Ok(Gate {
            id,
            project_id: self.project,
            job_id: self.job,
            job_name: None,
            name: self.name,
            description: self.description,
            enabled: self.enabled,
            rules: read("gates", &self.rules)?,
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// The last evaluation of a build.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct StoredEvaluation {
    pub number: u64,
    pub attempt: u32,
    pub passed: bool,
    pub gates: u64,
    pub evaluated_at: Timestamp,
    /// One for each rule of each gate, as JSON for the same reasons as the rules.
    pub results: Vec<u8>,
    /// The last event that the build was evaluated for; an event that comes again changes nothing. 0 when only people asked.
    pub event: u64,
}
impl Record for StoredEvaluation {}

impl StoredEvaluation {
    pub(super) fn new(evaluation: &GateEvaluation, event: u64) -> Self {
        Self {
            number: evaluation.build_number,
            attempt: evaluation.attempt,
            passed: evaluation.passed,
            gates: evaluation.gates,
            evaluated_at: evaluation.evaluated_at,
            results: json(&evaluation.results),
            event,
        }
    }

    /// As the API shows it.
    pub(super) fn shown(self, build: BuildId) -> Result<GateEvaluation, StorageError> {
        Ok(GateEvaluation {
            build_id: build,
            build_number: self.number,
            attempt: self.attempt,
            passed: self.passed,
            gates: self.gates,
            evaluated_at: self.evaluated_at,
            results: read("gate_evaluations", &self.results)?,
        })
    }
}

/// An evaluation in short; `None` when no gate is for the build.
pub(super) fn summary(evaluation: &GateEvaluation) -> Option<GateSummary> {
    let broken = || evaluation.results.iter().filter(|result| !result.passed);
    let rules = evaluation.results.len();
    (evaluation.gates > 0).then(|| GateSummary {
        passed: evaluation.passed,
        gates: evaluation.gates,
        failed_rules: broken().count() as u64,
        message: broken().next().map_or_else(
            || match rules {
                1 => "the rule holds".to_owned(),
                rules => format!("all {rules} rules hold"),
            },
            |result| result.message.clone(),
        ),
    })
}

fn json<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json::to_vec(value).expect("rules and results have no map and no number without a form")
}

fn read<T: DeserializeOwned>(table: &str, bytes: &[u8]) -> Result<T, StorageError> {
    serde_json::from_slice(bytes).map_err(|error| StorageError::Corrupt {
        table: table.to_owned(),
        what: error.to_string(),
    })
}
