//! The start and end of an agent's connection: who it is, what it holds.

use super::error::AgentsError;
use super::manage::update;
use super::model::{AgentRecord, Introduction};
use super::store::{AGENTS, Agents};
use crate::builds::Resumed;
use crate::events;
use crate::storage::WriteTxn;
use ring::signature::{ED25519, UnparsedPublicKey};
use testhide_protocol::api::{AgentMode, Event};
use testhide_protocol::wire::{AgentMessage, Lease, PROTOCOL_VERSION, challenge_text};
use testhide_protocol::{AgentId, Timestamp};
use tokio_util::sync::CancellationToken;

/// An agent that proved who it is.
#[derive(Debug, Clone)]
pub(super) struct Connected {
    pub agent: AgentId,
    pub name: String,
    pub labels: Vec<String>,
    pub capacity: u32,
    pub session: u64,
    pub resumed: Resumed,
}

/// Why a connection is not taken: code, sentence, whether trying again may help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turned {
    pub code: &'static str,
    pub reason: String,
    pub retry: bool,
}

impl Turned {
    pub(super) fn for_good(code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            retry: false,
        }
    }

    pub(super) fn for_now(code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            retry: true,
        }
    }
}

impl Agents {
    /// Checks the answer to a challenge and opens the session.
    pub(super) async fn connect(
        &self,
        nonce: &str,
        hello: AgentMessage,
        kick: CancellationToken,
    ) -> Result<Connected, Turned> {
        let AgentMessage::Hello {
            protocol,
            agent,
            signature,
            version,
            platform,
            labels,
            capacity,
            holding,
        } = hello
        else {
            return Err(Turned::for_good(
                "hello_expected",
                "the first frame must be `hello`",
            ));
        };
        if protocol != PROTOCOL_VERSION {
            let reason = format!(
                "the server speaks protocol {PROTOCOL_VERSION}, the agent {protocol}; update the older one"
            );
            return Err(Turned::for_good("protocol", reason));
        }
        let failed = |error: AgentsError| Turned::for_now("store", error.to_string());
        let record = self
            .storage
            .read(|rtxn| AGENTS.read(rtxn)?.get(&agent))
            .map_err(|error| failed(error.into()))?;
        let known = record.filter(|record| proves(record, nonce, &signature));
        let Some(record) = known else {
            return Err(Turned::for_good(
                "unknown_agent",
                "no such agent, or it does not hold its key; enrol it again",
            ));
        };
        let introduction = Introduction {
            labels,
            capacity,
            version,
            platform,
        };
        let introduction = introduction
            .checked()
            .map_err(|error| Turned::for_good("invalid_agent", error.to_string()))?;
        if record.mode.mode == AgentMode::Disabled {
            return Err(Turned::for_now("agent_disabled", record.mode.words()));
        }
        let session = self.live.open(
            agent,
            record.name.clone(),
            introduction.labels.clone(),
            kick,
        );
        // Looked at again: what changed before the session was open did not find it to end it.
        let now = self.storage.read(|rtxn| AGENTS.read(rtxn)?.get(&agent));
        let same = |now: &AgentRecord| {
            now.public_key == record.public_key && now.mode.mode != AgentMode::Disabled
        };
        if !now.is_ok_and(|now| now.as_ref().is_some_and(same)) {
            self.disconnect(agent, session).await;
            let reason = "it was changed while it connected";
            return Err(Turned::for_now("agent_changed", reason));
        }
        let resumed = match self.take_in(agent, &introduction, &holding).await {
            Ok(resumed) => resumed,
            Err(error) => {
                self.disconnect(agent, session).await;
                return Err(failed(error));
            }
        };
        let Introduction {
            labels, capacity, ..
        } = introduction;
        Ok(Connected {
            agent,
            name: record.name,
            labels,
            capacity,
            session,
            resumed,
        })
    }

    async fn take_in(
        &self,
        agent: AgentId,
        introduction: &Introduction,
        holding: &[Lease],
    ) -> Result<Resumed, AgentsError> {
        let now = self.clock.now();
        let told = self.live.to_tell(agent);
        let introduction = introduction.clone();
        self.storage
            .write(move |wtxn| {
                update(wtxn, agent, |record| {
                    let Introduction {
                        labels,
                        capacity,
                        version,
                        platform,
                    } = introduction.clone();
                    record.labels = labels;
                    record.capacity = capacity;
                    record.version = version;
                    record.platform = platform;
                    record.last_seen_at = Some(now);
                })?;
                tell(wtxn, now, agent, told)
            })
            .await?;
        self.tell_queue()?;
        Ok(self.builds.resume(agent, holding).await?)
    }

    /// Ends a session; nothing when a newer one took its place.
    pub(super) async fn disconnect(&self, agent: AgentId, session: u64) {
        if !self.live.close(agent, session) {
            return;
        }
        let queue = self.tell_queue();
        let now = self.clock.now();
        let told = self.live.to_tell(agent);
        let written = self.storage.write(move |wtxn| {
            match update(wtxn, agent, |record| record.last_seen_at = Some(now)) {
                // It was removed, which is why its session ended.
                Ok(_) | Err(AgentsError::NotFound(_)) => tell(wtxn, now, agent, told),
                Err(error) => Err(error),
            }
        });
        if let Err(error) = written.await.and(queue) {
            tracing::warn!(agent.id = %agent, "failed to store the end of agent {agent}'s connection: {error}");
        }
    }

    /// Tells the event log which agents came or went and were not told of in time, so that its last word of each is true.
    ///
    /// # Errors
    /// Failures of the store.
    pub(super) async fn tell_late(&self) -> Result<(), AgentsError> {
        let now = self.clock.now();
        for agent in self.live.told() {
            let told = self.live.to_tell(agent);
            if told.is_some() {
                self.storage
                    .write(move |wtxn| tell(wtxn, now, agent, told))
                    .await?;
            }
        }
        Ok(())
    }
}

/// Appends that an agent came or went, if that is to be told.
fn tell(
    wtxn: &WriteTxn,
    now: Timestamp,
    agent: AgentId,
    connected: Option<bool>,
) -> Result<(), AgentsError> {
    let event = match connected {
        Some(true) => Event::AgentConnected { agent },
        Some(false) => Event::AgentDisconnected { agent },
        None => return Ok(()),
    };
    events::append(wtxn, now, None, &event)?;
    Ok(())
}

fn proves(record: &AgentRecord, nonce: &str, signature: &str) -> bool {
    let Ok(signature) = data_encoding::HEXLOWER_PERMISSIVE.decode(signature.as_bytes()) else {
        return false;
    };
    let key = UnparsedPublicKey::new(&ED25519, record.public_key);
    key.verify(&challenge_text(nonce, record.id), &signature)
        .is_ok()
}
