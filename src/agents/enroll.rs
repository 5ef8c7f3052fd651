//! How an agent gets its identity: a one-time token for a public key.

use super::error::AgentsError;
use super::model::{AgentRecord, EnrolmentRecord, check_name};
use super::store::{AGENTS, Agents, BY_NAME, ENROLMENTS};
use crate::accounts::{GlobalPermission, Principal, require_global};
use crate::events;
use crate::kit::{random_token, sha256};
use testhide_protocol::AgentId;
use testhide_protocol::api::{Enroll, Event, NewEnrolment};

/// How long an enrolment token is good for.
const TOKEN_MILLIS: i64 = 60 * 60 * 1000;

impl Agents {
    /// Gives a token with which one agent can enrol within an hour; only its hash is kept.
    ///
    /// # Errors
    /// Permission (nodes write), failures of the store.
    pub async fn new_enrolment(&self, principal: &Principal) -> Result<NewEnrolment, AgentsError> {
        require_global(principal, GlobalPermission::NodesWrite)?;
        let token = random_token("th_enroll_");
        let hash = sha256(token.as_bytes());
        let now = self.clock.now();
        let expires_at = now.plus_millis(TOKEN_MILLIS);
        let record = EnrolmentRecord {
            expires_at,
            made_by: principal.username.clone(),
        };
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
                Ok::<_, AgentsError>(())
            })
            .await?;
        Ok(NewEnrolment { token, expires_at })
    }

    /// Takes an enrolment token for a public key.
    ///
    /// # Errors
    /// [`AgentsError::EnrolmentToken`], [`AgentsError::Invalid`], [`AgentsError::NameTaken`]; the token stays good then.
    pub async fn enroll(&self, request: Enroll) -> Result<AgentId, AgentsError> {
        check_name("an agent's name", &request.name)?;
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
                if enrolment.is_none() {
                    return Err(AgentsError::EnrolmentToken);
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
                };
                AGENTS.write(wtxn)?.put(&id, &record)?;
                events::append(wtxn, now, None, &Event::AgentEnrolled { agent: id })?;
                Ok(id)
            })
            .await
    }
}
