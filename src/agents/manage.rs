//! What operators do with agents: let one finish and rest, take it out, bring it back, remove it, give it a new key.

use super::error::AgentsError;
use super::model::{AgentRecord, EnrolmentRecord, ModeRecord};
use super::store::{AGENTS, Agents, BY_NAME, ENROLMENTS, TROUBLES};
use super::{history, metrics};
use crate::accounts::{GlobalPermission, Principal, require_global};
use crate::audit::{self, Entry};
use crate::events;
use crate::kit::{random_token, sha256};
use crate::storage::WriteTxn;
use testhide_protocol::AgentId;
use testhide_protocol::api::{AgentMode, Event, NewEnrolment};

/// How long an enrolment token is good for.
const TOKEN_MILLIS: i64 = 60 * 60 * 1000;

/// Longest reason, in characters.
const REASON_MAX: usize = 500;

impl Agents {
    /// Changes what an agent may do: `ready` takes builds, `draining` ends those it has and takes no more, `disabled` is not let in and
    /// loses its builds, which are queued again. Setting what is set already only changes the reason.
    ///
    /// # Errors
    /// Permission (nodes write), [`AgentsError::NotFound`], a reason that is too long, failures of the store.
    pub async fn set_mode(
        &self,
        principal: &Principal,
        agent: &str,
        mode: AgentMode,
        reason: Option<String>,
    ) -> Result<AgentId, AgentsError> {
        require_global(principal, GlobalPermission::NodesWrite)?;
        let reason = match reason.filter(|reason| !reason.trim().is_empty()) {
            Some(reason) => Some(checked_reason(&reason)?),
            None => None,
        };
        let record = self.find(agent)?;
        let (now, by) = (self.clock.now(), principal.username.clone());
        let id = record.id;
        let (actor, address) = (principal.actor(), principal.address());
        self.storage
            .write(move |wtxn| {
                let mut agents = AGENTS.write(wtxn)?;
                let mut record = agents
                    .get(&id)?
                    .ok_or_else(|| AgentsError::NotFound(id.to_string()))?;
                let before = std::mem::take(&mut record.mode);
                record.mode = ModeRecord {
                    mode,
                    reason: reason.clone().filter(|_| mode != AgentMode::Ready),
                    by: by.clone(),
                    changed_at: Some(now),
                };
                agents.put(&id, &record)?;
                drop(agents);
                let event = Event::AgentModeChanged { agent: id, mode };
                events::append(wtxn, now, None, &event)?;
                let action = match mode {
                    AgentMode::Ready => "agent.resumed",
                    AgentMode::Draining => "agent.drained",
                    AgentMode::Disabled => "agent.disabled",
                };
                let object = audit::object("agent", Some(&id), Some(&record.name));
                let entry = Entry::done(actor.clone(), action, object)
                    .from(address)
                    .because(reason.as_deref())
                    .change("mode", Some(&before.mode.as_str()), Some(&mode.as_str()));
                audit::append(wtxn, now, &entry)?;
                Ok::<_, AgentsError>(())
            })
            .await?;
        if mode == AgentMode::Disabled {
            let why = format!("its agent `{}` was disabled", record.name);
            self.turn_out(id, &why).await?;
        }
        self.tell_queue()?;
        Ok(id)
    }

    /// Removes an agent: its key is good for nothing any more, its builds are queued again, its name is free.
    ///
    /// # Errors
    /// Permission (nodes write), [`AgentsError::NotFound`], failures of the store.
    pub async fn remove(&self, principal: &Principal, agent: &str) -> Result<(), AgentsError> {
        require_global(principal, GlobalPermission::NodesWrite)?;
        let AgentRecord { id, name, .. } = self.find(agent)?;
        let now = self.clock.now();
        let why = format!("its agent `{name}` was removed");
        let (actor, address) = (principal.actor(), principal.address());
        self.storage
            .write(move |wtxn| {
                if !AGENTS.write(wtxn)?.remove(&id)? {
                    return Err(AgentsError::NotFound(name.clone()));
                }
                BY_NAME.write(wtxn)?.remove(&name)?;
                metrics::remove_all(wtxn, id)?;
                history::remove(wtxn, id)?;
                TROUBLES.write(wtxn)?.remove(&id)?;
                events::append(wtxn, now, None, &Event::AgentRemoved { agent: id })?;
                let object = audit::object("agent", Some(&id), Some(&name));
                let entry = Entry::done(actor.clone(), "agent.removed", object).from(address);
                audit::append(wtxn, now, &entry)?;
                Ok(())
            })
            .await?;
        self.turn_out(id, &why).await?;
        self.metrics.forget(id);
        self.forget_troubles(id);
        self.tell_queue()
    }

    /// Gives a token with which this agent, and no other, can enrol again with a new key within an hour. Its present key stays good until
    /// then.
    ///
    /// # Errors
    /// Permission (nodes write), [`AgentsError::NotFound`], failures of the store.
    pub async fn rotate_key(
        &self,
        principal: &Principal,
        agent: &str,
    ) -> Result<NewEnrolment, AgentsError> {
        require_global(principal, GlobalPermission::NodesWrite)?;
        let agent = self.find(agent)?;
        self.give_token(principal, Some(agent), "agent.key_given")
            .await
    }

    /// Stores a new enrolment token; only its hash is kept, and those that have ended go.
    pub(super) async fn give_token(
        &self,
        principal: &Principal,
        agent: Option<AgentRecord>,
        action: &'static str,
    ) -> Result<NewEnrolment, AgentsError> {
        let token = random_token("th_enroll_");
        let hash = sha256(token.as_bytes());
        let now = self.clock.now();
        let expires_at = now.plus_millis(TOKEN_MILLIS);
        let record = EnrolmentRecord {
            expires_at,
            made_by: principal.username.clone(),
            agent: agent.as_ref().map(|agent| agent.id),
        };
        let object = match &agent {
            Some(agent) => audit::object("agent", Some(&agent.id), Some(&agent.name)),
            None => audit::object("agent", None, None),
        };
        let entry = Entry::done(principal.actor(), action, object).from(principal.address());
        self.storage
            .write(move |wtxn| {
                let mut enrolments = ENROLMENTS.write(wtxn)?;
                let mut ended = Vec::new();
                for row in enrolments.all()? {
                    let (hash, record) = row?;
                    if record.expires_at < now {
                        ended.push(hash);
                    }
                }
                for hash in ended {
                    enrolments.remove(&hash)?;
                }
                enrolments.put(&hash, &record)?;
                audit::append(wtxn, now, &entry)?;
                Ok::<_, AgentsError>(())
            })
            .await?;
        Ok(NewEnrolment { token, expires_at })
    }

    /// The agent with this name or id.
    ///
    /// # Errors
    /// [`AgentsError::NotFound`], failures of the store.
    pub(super) fn find(&self, name_or_id: &str) -> Result<AgentRecord, AgentsError> {
        let found = self.storage.read(|rtxn| {
            let named = BY_NAME.read(rtxn)?.get(&name_or_id.to_owned())?;
            let id = named
                .map(AgentId::from_bytes)
                .or_else(|| name_or_id.parse().ok());
            id.map_or(Ok(None), |id| AGENTS.read(rtxn)?.get(&id))
        })?;
        found.ok_or_else(|| AgentsError::NotFound(name_or_id.chars().take(100).collect()))
    }

    /// What an agent may do now; `None` when it is unknown.
    ///
    /// # Errors
    /// Failures of the store.
    pub(super) fn mode(&self, agent: AgentId) -> Result<Option<ModeRecord>, AgentsError> {
        let record = self.storage.read(|rtxn| AGENTS.read(rtxn)?.get(&agent))?;
        Ok(record.map(|record| record.mode))
    }

    /// Tells the queue who is connected and takes builds, and who was drained or disabled.
    ///
    /// # Errors
    /// Failures of the store.
    pub(super) fn tell_queue(&self) -> Result<(), AgentsError> {
        let (taking, resting) = self.storage.read(|rtxn| {
            let agents = AGENTS.read(rtxn)?;
            let mut taking = Vec::new();
            for (agent, labels, name) in self.live.connected() {
                let record = agents.get(&agent)?;
                if record.is_some_and(|record| record.mode.mode == AgentMode::Ready) {
                    taking.push((labels, name));
                }
            }
            let mut resting = Vec::new();
            for row in BY_NAME.read(rtxn)?.all()? {
                let record = agents.get(&AgentId::from_bytes(row?.1))?;
                let record = record.filter(|record| record.mode.mode != AgentMode::Ready);
                resting.extend(record.map(|record| (record.labels, record.name)));
            }
            Ok::<_, AgentsError>((taking, resting))
        })?;
        self.builds.set_agents(taking, resting);
        // Sessions look at what their agents may do when they are woken.
        self.builds.wake();
        Ok(())
    }

    /// Ends an agent's session and gives up what it holds. What its session claims meanwhile is found by the next pass of reconcile.
    async fn turn_out(&self, agent: AgentId, reason: &str) -> Result<(), AgentsError> {
        self.live.kick(agent);
        for held in self.builds.leases_of(agent)? {
            self.builds.lose(held, reason.to_owned()).await?;
        }
        Ok(())
    }
}

/// Changes what an agent says of itself, in the record as it is now.
///
/// # Errors
/// [`AgentsError::NotFound`] when it was removed meanwhile, failures of the store.
pub(super) fn update(
    wtxn: &WriteTxn,
    agent: AgentId,
    change: impl FnOnce(&mut AgentRecord),
) -> Result<AgentRecord, AgentsError> {
    let mut agents = AGENTS.write(wtxn)?;
    let mut record = agents
        .get(&agent)?
        .ok_or_else(|| AgentsError::NotFound(agent.to_string()))?;
    change(&mut record);
    agents.put(&agent, &record)?;
    Ok(record)
}

fn checked_reason(reason: &str) -> Result<String, AgentsError> {
    let reason: String = reason.trim().chars().filter(|c| !c.is_control()).collect();
    if reason.chars().count() > REASON_MAX {
        let text = format!("the reason is longer than {REASON_MAX} characters");
        return Err(AgentsError::Invalid(text));
    }
    Ok(reason)
}
