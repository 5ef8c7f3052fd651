//! How an agent gets its identity: a one-time token for a public key.

use super::error::AgentsError;
use super::manage::update;
use super::model::{AgentRecord, ModeRecord, check_name};
use super::store::{AGENTS, Agents, BY_NAME, ENROLMENTS};
use crate::accounts::{GlobalPermission, Principal, require_global};
use crate::audit::{self, Entry};
use crate::events;
use crate::kit::sha256;
use crate::storage::WriteTxn;
use std::net::IpAddr;
use testhide_protocol::api::{Enroll, Event, NewEnrolment};
use testhide_protocol::{AgentId, Timestamp};

impl Agents {
    /// Gives a token with which one agent can enrol within an hour.
    ///
    /// # Errors
    /// Permission (nodes write), failures of the store.
    pub async fn new_enrolment(&self, principal: &Principal) -> Result<NewEnrolment, AgentsError> {
        require_global(principal, GlobalPermission::NodesWrite)?;
        self.give_token(principal, None, "agent.enrolment_given")
            .await
    }

    /// Takes an enrolment token for a public key: a new agent, or a new key for the one that the token was made for.
    ///
    /// # Errors
    /// [`AgentsError::EnrolmentToken`], [`AgentsError::Invalid`], [`AgentsError::NameTaken`]; the token stays good then.
    pub async fn enroll(
        &self,
        request: Enroll,
        address: Option<IpAddr>,
    ) -> Result<AgentId, AgentsError> {
        let enrolled = self.take_enrolment(request, address).await;
        match &enrolled {
            // A session that was opened with the old key ends.
            Ok(agent) => self.live.kick(*agent),
            Err(
                error @ (AgentsError::EnrolmentToken
                | AgentsError::Invalid(_)
                | AgentsError::NameTaken(_)),
            ) => {
                let code = match error {
                    AgentsError::EnrolmentToken => "enrolment_token_invalid",
                    AgentsError::NameTaken(_) => "agent_exists",
                    _ => "invalid_agent",
                };
                let (who, what) = (audit::anonymous(), audit::object("agent", None, None));
                let action = "agent.enrolment_refused";
                let entry = Entry::refused(who, action, what, code, &error.to_string());
                self.audit.refused(entry.from(address)).await;
            }
            Err(_) => {}
        }
        enrolled
    }

    async fn take_enrolment(
        &self,
        request: Enroll,
        address: Option<IpAddr>,
    ) -> Result<AgentId, AgentsError> {
        check_name("an agent's name", &request.name)?;
        if request.name.parse::<AgentId>().is_ok() {
            let text = format!("`{}` cannot be an agent's name: it is an id", request.name);
            return Err(AgentsError::Invalid(text));
        }
        let key = data_encoding::HEXLOWER_PERMISSIVE
            .decode(request.public_key.as_bytes())
            .ok();
        let Some(public_key) = key.and_then(|key| <[u8; 32]>::try_from(key).ok()) else {
            return Err(AgentsError::Invalid(
                "public_key is not 64 hex digits".to_owned(),
            ));
        };
        let hash = sha256(request.token.as_bytes());
        let now = self.clock.now();
        let id = AgentId::generate();
        // Looked at without the writer first: this route is open to everybody, and a refused write costs its neighbours a second run.
        let known = self
            .storage
            .read(|rtxn| ENROLMENTS.read(rtxn)?.contains(&hash))?;
        if !known {
            return Err(AgentsError::EnrolmentToken);
        }
        self.storage
            .write(move |wtxn| {
                let mut enrolments = ENROLMENTS.write(wtxn)?;
                let enrolment = enrolments
                    .get(&hash)?
                    .filter(|enrolment| enrolment.expires_at >= now);
                let Some(enrolment) = enrolment else {
                    return Err(AgentsError::EnrolmentToken);
                };
                let entry = |agent: AgentId, action| {
                    let object = audit::object("agent", Some(&agent), Some(&request.name));
                    let made_by = format!("with a token of {}", enrolment.made_by);
                    let entry = Entry::done(audit::anonymous(), action, object);
                    entry.from(address).because(Some(&made_by))
                };
                if let Some(agent) = enrolment.agent {
                    enrolments.remove(&hash)?;
                    new_key(wtxn, agent, &request.name, public_key, now)?;
                    audit::append(wtxn, now, &entry(agent, "agent.key_rotated"))?;
                    return Ok(agent);
                }
                let mut by_name = BY_NAME.write(wtxn)?;
                if by_name.contains(&request.name)? {
                    return Err(AgentsError::NameTaken(request.name.clone()));
                }
                enrolments.remove(&hash)?;
                by_name.put(&request.name, &id.bytes())?;
                let record = AgentRecord {
                    id,
                    name: request.name.clone(),
                    public_key,
                    enrolled_at: now,
                    labels: Vec::new(),
                    capacity: 1,
                    version: String::new(),
                    platform: String::new(),
                    last_seen_at: None,
                    mode: ModeRecord::default(),
                };
                AGENTS.write(wtxn)?.put(&id, &record)?;
                events::append(wtxn, now, None, &Event::AgentEnrolled { agent: id })?;
                audit::append(wtxn, now, &entry(id, "agent.enrolled"))?;
                Ok(id)
            })
            .await
    }
}

/// Puts a new key in the place of an agent's old one; the agent must go by the name that it has.
fn new_key(
    wtxn: &WriteTxn,
    agent: AgentId,
    name: &str,
    public_key: [u8; 32],
    now: Timestamp,
) -> Result<(), AgentsError> {
    let record = update(wtxn, agent, |record| record.public_key = public_key);
    let record = record.map_err(|error| match error {
        AgentsError::NotFound(_) => AgentsError::EnrolmentToken,
        other => other,
    })?;
    if record.name != name {
        return Err(AgentsError::Invalid(format!(
            "the token is for agent `{}`, not for `{name}`",
            record.name
        )));
    }
    events::append(wtxn, now, None, &Event::AgentKeyRotated { agent })?;
    Ok(())
}
