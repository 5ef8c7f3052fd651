//! The start and end of an agent's connection: who it is, what it holds.

use super::error::AgentsError;
use super::history;
use super::manage::update;
use super::model::{AgentRecord, Introduction};
use super::refusal::{Breach, RefusalKind};
use super::store::Agents;
use crate::builds::Resumed;
use crate::events;
use crate::storage::WriteTxn;
use ring::signature::{ED25519, UnparsedPublicKey};
use std::net::IpAddr;
use testhide_protocol::api::{AgentMode, Event};
use testhide_protocol::wire::{AgentMessage, Lease, PROTOCOL_VERSION, challenge_text};
use testhide_protocol::{AgentId, Timestamp};
use tokio_util::sync::CancellationToken;

/// Who is at the other end of a connection, or says to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    pub agent: AgentId,
    pub name: String,
    pub address: Option<IpAddr>,
}

/// An agent that proved who it is.
#[derive(Debug, Clone)]
pub(super) struct Connected {
    pub agent: AgentId,
    pub name: String,
    pub address: Option<IpAddr>,
    /// The key with which it proved who it is.
    pub key: [u8; 32],
    pub labels: Vec<String>,
    pub capacity: u32,
    pub session: u64,
    /// Number of this connection among the agent's; absent when the disk was full as it began.
    pub connection: Option<u64>,
    pub resumed: Resumed,
}

impl Connected {
    pub(super) fn peer(&self) -> Peer {
        Peer {
            agent: self.agent,
            name: self.name.clone(),
            address: self.address,
        }
    }
}

/// Why a connection is not taken: code, sentence, whether trying again may help, and what the agent did wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turned {
    pub code: &'static str,
    pub reason: String,
    pub retry: bool,
    /// What is counted as refused; nothing when the server is the one who cannot.
    pub refusal: Option<RefusalKind>,
    /// Who it is or says to be, where there is such an agent.
    pub peer: Option<Peer>,
}

impl Turned {
    pub(super) fn for_good(
        code: &'static str,
        refusal: RefusalKind,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            retry: false,
            refusal: Some(refusal),
            ..Self::for_now(code, reason)
        }
    }

    /// The server cannot take it now.
    pub(super) fn for_now(code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
            retry: true,
            refusal: None,
            peer: None,
        }
    }

    /// The agent broke the protocol; a new connection may do better.
    pub(super) fn broken(breach: Breach) -> Self {
        let code = match breach.kind {
            RefusalKind::OverRate => "over_rate",
            _ => "protocol",
        };
        Self {
            refusal: Some(breach.kind),
            ..Self::for_now(code, breach.reason)
        }
    }
}

impl Agents {
    /// Checks the answer to a challenge and opens the session.
    pub(super) async fn connect(
        &self,
        nonce: &str,
        hello: AgentMessage,
        address: Option<IpAddr>,
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
                RefusalKind::NoHello,
                "the first frame must be `hello`",
            ));
        };
        let failed = |error: AgentsError| Turned::for_now("store", error.to_string());
        let known = self.record(agent).map_err(|error| failed(error.into()))?;
        let peer = known.as_ref().map(|record| Peer {
            agent,
            name: record.name.clone(),
            address,
        });
        let turned = |turned: Turned| Turned {
            peer: peer.clone(),
            ..turned
        };
        if protocol != PROTOCOL_VERSION {
            let reason = format!(
                "the server speaks protocol {PROTOCOL_VERSION}, the agent {protocol}; update the older one"
            );
            let kind = RefusalKind::ProtocolVersion;
            return Err(turned(Turned::for_good("protocol", kind, reason)));
        }
        let nobody = |kind| {
            let reason = "no such agent, or it does not hold its key; enrol it again";
            turned(Turned::for_good("unknown_agent", kind, reason))
        };
        let Some(record) = known else {
            return Err(nobody(RefusalKind::UnknownAgent));
        };
        if !proves(&record, nonce, &signature) {
            return Err(nobody(RefusalKind::WrongSignature));
        }
        // Also when it is not let in: an agent that knocks while the server cannot take it is not lost.
        self.live.heard(agent);
        if !self.door.enter(agent) {
            let reason = "it connects too often; it may come back in a moment";
            let breach = Breach::new(RefusalKind::OverRate, reason);
            return Err(turned(Turned::broken(breach)));
        }
        let introduction = Introduction {
            labels,
            capacity,
            version,
            platform,
        };
        let introduction = introduction.checked().map_err(|error| {
            let kind = RefusalKind::InvalidIntroduction;
            turned(Turned::for_good("invalid_agent", kind, error.to_string()))
        })?;
        if record.mode.mode == AgentMode::Disabled {
            return Err(turned(Turned {
                refusal: Some(RefusalKind::Disabled),
                ..Turned::for_now("agent_disabled", record.mode.words())
            }));
        }
        let session = self.live.open(
            agent,
            record.name.clone(),
            introduction.labels.clone(),
            kick,
        );
        let mut connected = Connected {
            agent,
            name: record.name.clone(),
            address,
            key: record.public_key,
            labels: introduction.labels.clone(),
            capacity: introduction.capacity,
            session,
            connection: None,
            resumed: Resumed::default(),
        };
        // Looked at again: what changed before the session was open did not find it to end it.
        let now = self.record(agent);
        let same = |now: &AgentRecord| {
            now.public_key == record.public_key && now.mode.mode != AgentMode::Disabled
        };
        if !now.is_ok_and(|now| now.as_ref().is_some_and(same)) {
            let reason = "it was changed while it connected";
            self.disconnect(&connected, reason).await;
            return Err(Turned::for_now("agent_changed", reason));
        }
        let taken = self.take_in(&mut connected, &introduction, &holding).await;
        match taken {
            Ok(true) => Ok(connected),
            Ok(false) => {
                let reason = "it was ended while it connected";
                self.disconnect(&connected, reason).await;
                Err(Turned::for_now("agent_changed", reason))
            }
            Err(error) => {
                self.disconnect(&connected, &error.to_string()).await;
                Err(failed(error))
            }
        }
    }

    /// Stores that the session began, and compares what the agent holds; `false` when a newer session or an operator ended this one.
    async fn take_in(
        &self,
        connected: &mut Connected,
        introduction: &Introduction,
        holding: &[Lease],
    ) -> Result<bool, AgentsError> {
        let (agent, address, boot) = (connected.agent, connected.address, self.boot);
        let now = self.clock.now();
        let told = self.live.to_tell(agent);
        let introduction = introduction.clone();
        let written = self.storage.write(move |wtxn| {
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
            tell(wtxn, now, agent, told)?;
            let version = &introduction.version;
            Ok(history::begin(wtxn, agent, now, address, version, boot)?)
        });
        match written.await {
            Ok(number) => connected.connection = Some(number),
            Err(error) => {
                self.live.not_told(agent, told);
                // A full disk turns nobody away: what the agent said of itself is in memory, and is stored at its next connection.
                if !matches!(&error, AgentsError::Storage(error) if error.is_read_only()) {
                    return Err(error);
                }
            }
        }
        self.tell_queue()?;
        // What an older session believes the agent to hold is out of date: it must not give up what the newer one was given.
        if !self.live.is_present(agent, connected.session) {
            return Ok(false);
        }
        connected.resumed = self.builds.resume(agent, holding).await?;
        Ok(true)
    }

    /// Ends a session; nothing when a newer one took its place.
    pub(super) async fn disconnect(&self, connected: &Connected, why: &str) {
        let (agent, connection) = (connected.agent, connected.connection);
        if !self.live.close(agent, connected.session) {
            return;
        }
        let queue = self.tell_queue();
        let now = self.clock.now();
        let told = self.live.to_tell(agent);
        let why = why.to_owned();
        let written = self.storage.write(move |wtxn| {
            if let Some(connection) = connection {
                history::end(wtxn, agent, connection, now, &why)?;
            }
            match update(wtxn, agent, |record| record.last_seen_at = Some(now)) {
                // It was removed, which is why its session ended.
                Ok(_) | Err(AgentsError::NotFound(_)) => tell(wtxn, now, agent, told),
                Err(error) => Err(error),
            }
        });
        let written = written.await;
        if written.is_err() {
            self.live.not_told(agent, told);
        }
        let troubles = self.store_troubles().await;
        if let Err(error) = written.and(queue).and(troubles) {
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
            if told.is_none() {
                continue;
            }
            let telling = self.storage.write(move |wtxn| tell(wtxn, now, agent, told));
            if let Err(error) = telling.await {
                self.live.not_told(agent, told);
                // A full disk is known elsewhere; it is told when there is room.
                if !matches!(&error, AgentsError::Storage(error) if error.is_read_only()) {
                    return Err(error);
                }
                break;
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
