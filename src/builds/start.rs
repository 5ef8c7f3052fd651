//! A build is triggered: one transaction makes it, queues it and says so.

use super::error::BuildsError;
use super::model::{BuildRecord, IdempotencyRecord, QueueRecord, StoredTps};
use super::store::{BUILDS, BY_JOB, BY_NUMBER, BY_PROJECT, Builds, IDEMPOTENCY, QUEUE, load};
use crate::accounts::{Principal, Refusal, require};
use crate::events;
use crate::kit::sha256;
use crate::storage::{StorageError, Transaction, WriteTxn};
use std::collections::BTreeMap;
use testhide_protocol::api::{
    BuildState, Event, Job, JobDefinition, OutcomeCounts, ProjectPermission, Source, Trigger,
};
use testhide_protocol::{BuildId, JobId, UserId};

/// Times a build is queued again after its agent was lost, when its job does not say.
const DEFAULT_INFRA_RETRIES: u32 = 1;

/// Longest branch name, commit or parameter value.
const MAX_TEXT: usize = 4096;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct StartRequest {
    /// Job to build.
    pub job: JobId,
    /// Branch, commit, parameters.
    pub trigger: Trigger,
    /// Who or what asks, for people to read.
    pub triggered_by: String,
    /// A request that comes again under the same key answers the same build.
    pub idempotency_key: Option<String>,
}

impl Builds {
    /// Starts a build; answers it as it waits.
    ///
    /// # Errors
    /// Permission (execute on the job's project), a disabled job, an unknown parameter, a branch or commit that cannot be one;
    /// nothing is stored then.
    pub async fn start(
        &self,
        principal: &Principal,
        request: StartRequest,
    ) -> Result<BuildRecord, BuildsError> {
        let job = self.jobs.resolve(principal, request.job)?;
        require(principal, ProjectPermission::Execute, job.project_id)?;
        let asked = asked_for(&request);
        let key = request.idempotency_key.map(|key| (principal.user, key));
        if let Some(key) = &key
            && let Some(earlier) = self.storage.read(|rtxn| started_under(rtxn, key, &asked))?
        {
            return Ok(earlier);
        }
        if !job.enabled {
            return Err(BuildsError::JobDisabled(job.name));
        }
        let project = self
            .projects
            .get(job.project_id)?
            .ok_or(Refusal::Invisible)?;
        let record = self.new_record(&job, project.name, request.trigger, request.triggered_by)?;
        let labels = job.definition.labels.clone();
        let record = self
            .storage
            .write(move |wtxn| {
                if let Some(key) = &key
                    && let Some(earlier) = started_under(wtxn, key, &asked)?
                {
                    return Ok::<_, BuildsError>(earlier);
                }
                let mut record = record.clone();
                insert(wtxn, &mut record, &labels)?;
                if let Some(key) = &key {
                    let kept = IdempotencyRecord {
                        build: record.id,
                        request: asked,
                        user: key.0,
                    };
                    IDEMPOTENCY.write(wtxn)?.put(key, &kept)?;
                }
                Ok(record)
            })
            .await?;
        self.wake();
        Ok(record)
    }

    fn new_record(
        &self,
        job: &Job,
        project_name: String,
        trigger: Trigger,
        triggered_by: String,
    ) -> Result<BuildRecord, BuildsError> {
        let branch = branch_of(&job.definition, trigger.branch)?;
        if let Some(commit) = &trigger.commit {
            require_plain("commit", commit)?;
        }
        Ok(BuildRecord {
            id: BuildId::generate(),
            number: 0,
            project: job.project_id,
            project_name,
            job: job.id,
            job_name: job.name.clone(),
            definition: serde_json::to_vec(&job.definition)
                .expect("a definition has only text keys"),
            branch,
            commit: trigger.commit,
            parameters: parameters_of(job, trigger.parameters)?,
            triggered_by,
            queued_at: self.clock.now(),
            state: BuildState::Queued,
            attempt: 1,
            fence: 0,
            retries_left: job
                .definition
                .infra_retries
                .unwrap_or(DEFAULT_INFRA_RETRIES),
            cancel_requested: None,
            started_at: None,
            finished_at: None,
            agent: None,
            agent_name: None,
            reason: None,
            counts: OutcomeCounts::default(),
            tps: StoredTps::default(),
            reports_pending: 0,
            unreadable_reports: 0,
            gates: None,
            reports: 0,
            findings: Vec::new(),
        })
    }
}

/// The build that was started under a key.
fn started_under<T: Transaction>(
    txn: &T,
    key: &(UserId, String),
    asked: &[u8; 32],
) -> Result<Option<BuildRecord>, BuildsError> {
    match IDEMPOTENCY.read(txn)?.get(key)? {
        Some(earlier) if earlier.request == *asked => load(txn, earlier.build).map(Some),
        Some(_) => Err(BuildsError::KeyReused),
        None => Ok(None),
    }
}

fn insert(
    wtxn: &WriteTxn,
    record: &mut BuildRecord,
    labels: &[String],
) -> Result<(), StorageError> {
    let mut by_number = BY_NUMBER.write(wtxn)?;
    record.number = by_number.last()?.map_or(1, |(number, _)| number + 1);
    by_number.put(&record.number, &record.id.bytes())?;
    BY_PROJECT
        .write(wtxn)?
        .put(&(record.project, record.number), &record.id.bytes())?;
    BY_JOB
        .write(wtxn)?
        .put(&(record.job, record.number), &record.id.bytes())?;
    BUILDS.write(wtxn)?.put(&record.id, record)?;
    let waiting = QueueRecord {
        build: record.id,
        labels: labels.to_vec(),
        avoid: None,
    };
    QUEUE.write(wtxn)?.put(&record.number, &waiting)?;
    let event = Event::BuildQueued {
        build: record.id,
        number: record.number,
        attempt: record.attempt,
    };
    events::append(wtxn, record.queued_at, Some(record.project), &event)?;
    Ok(())
}

fn branch_of(definition: &JobDefinition, asked: Option<String>) -> Result<String, BuildsError> {
    let from_source = || match &definition.source_management {
        Some(Source::Git { branch, .. }) => branch.clone(),
        None => None,
    };
    let branch = asked
        .or_else(from_source)
        .unwrap_or_else(|| "main".to_owned());
    require_plain("branch", &branch)?;
    Ok(branch)
}

/// A branch or commit goes to git as an argument: never empty, never an option, no control characters.
fn require_plain(what: &str, text: &str) -> Result<(), BuildsError> {
    let bad = text.is_empty()
        || text.starts_with('-')
        || text.len() > MAX_TEXT
        || text.chars().any(|c| c.is_control() || c == ' ');
    if bad {
        let shown: String = text.chars().take(60).collect();
        return Err(BuildsError::Invalid(format!(
            "`{}` cannot be a {what}",
            shown.escape_debug()
        )));
    }
    Ok(())
}

fn parameters_of(
    job: &Job,
    given: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, BuildsError> {
    let mut all = job.definition.parameters.clone();
    for (name, value) in given {
        let Some(slot) = all.get_mut(&name) else {
            return Err(BuildsError::UnknownParameter {
                job: job.name.clone(),
                parameter: name,
            });
        };
        if value.len() > MAX_TEXT || value.contains('\0') {
            return Err(BuildsError::Invalid(format!(
                "value of parameter `{name}` is too long or holds a NUL"
            )));
        }
        *slot = value;
    }
    Ok(all)
}

fn asked_for(request: &StartRequest) -> [u8; 32] {
    let asked =
        serde_json::to_vec(&(request.job, &request.trigger)).expect("a trigger has only text keys");
    sha256(&asked)
}
