//! Finds gates and evaluations.

use super::error::GatesError;
use super::handle::Gates;
use super::store::{self, EVALUATIONS};
use crate::accounts::{Principal, require};
use testhide_protocol::api::{Gate, GateEvaluation, ProjectPermission};
use testhide_protocol::{GateId, ProjectId};

impl Gates {
    /// The gate with this id, if the caller may see its project.
    ///
    /// # Errors
    /// [`GatesError::NotFound`] also for a gate that the caller may not see.
    pub fn resolve(&self, principal: &Principal, id: GateId) -> Result<Gate, GatesError> {
        let gate = self.storage.read(|rtxn| store::gate(rtxn, id))?;
        let gate = gate.ok_or(GatesError::NotFound(id))?;
        match require(principal, ProjectPermission::Read, gate.project_id) {
            Ok(()) => self.with_job(gate),
            Err(_) => Err(GatesError::NotFound(id)),
        }
    }

    /// Up to `limit` gates of a project after `after`, oldest first.
    ///
    /// # Errors
    /// [`GatesError::Refused`] without READ in the project.
    pub fn list(
        &self,
        principal: &Principal,
        project: ProjectId,
        after: Option<GateId>,
        limit: usize,
    ) -> Result<Vec<Gate>, GatesError> {
        require(principal, ProjectPermission::Read, project)?;
        let gates = self
            .storage
            .read(|rtxn| store::gates(rtxn, project, after, limit))?;
        gates.into_iter().map(|gate| self.with_job(gate)).collect()
    }

    /// The last evaluation of a build.
    ///
    /// # Errors
    /// No such build for the caller, [`GatesError::NotEvaluated`].
    pub fn last_evaluation(
        &self,
        principal: &Principal,
        build: &str,
    ) -> Result<GateEvaluation, GatesError> {
        let build = self.builds.resolve(principal, build)?;
        let stored = self
            .storage
            .read(|rtxn| EVALUATIONS.read(rtxn)?.get(&build.id))?;
        let stored = stored.ok_or(GatesError::NotEvaluated(build.number))?;
        Ok(stored.shown(build.id)?)
    }

    /// The gate with the name that its job has now.
    pub(super) fn with_job(&self, mut gate: Gate) -> Result<Gate, GatesError> {
        if let Some(job) = gate.job_id {
            gate.job_name = self.jobs.get(job)?.map(|job| job.name);
        }
        Ok(gate)
    }
}
