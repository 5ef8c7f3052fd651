//! What is refused of agents: by kind, counted for each agent, told to the audit log.
//!
//! Counts are kept in memory and stored once a minute and when a connection ends; the audit log has the first ones at once.

use super::connect::Peer;
use super::error::AgentsError;
use super::model::{AgentRecord, StoredRefusal, StoredTroubles};
use super::store::{AGENTS, Agents, TROUBLES};
use crate::audit::{self, Entry};
use crate::storage::{StorageError, WriteTxn};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::net::IpAddr;
use testhide_protocol::api::{AgentRefusals, AgentTrouble, AuditActor, AuditObject};
use testhide_protocol::{AgentId, Timestamp};

/// Longest reason that is kept, in characters.
const REASON_MAX: usize = 300;

/// Why something of an agent is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RefusalKind {
    /// The first frame is no introduction.
    NoHello,
    /// There is no such agent.
    UnknownAgent,
    /// It does not hold its key.
    WrongSignature,
    /// It speaks another version of the protocol.
    ProtocolVersion,
    /// It is disabled.
    Disabled,
    /// Labels or capacity out of their limits.
    InvalidIntroduction,
    /// A lease that it was never given.
    ForeignLease,
    /// A frame that cannot be read.
    BadFrame,
    /// A frame or file over its limit.
    TooLarge,
    /// A part of a file that does not follow the one before, or too many open files.
    FileGap,
    /// A path under which no file is kept.
    BadPath,
    /// A duration that cannot be.
    ImpossibleTime,
    /// Something that cannot have happened then.
    ImpossibleState,
    /// A value that cannot be one.
    BadValue,
    /// A record that does not follow the one before.
    BadOrder,
    /// A stretch of a log that does not fit.
    BadLog,
    /// Metrics of a machine that cannot be.
    BadMetrics,
    /// More at once than is taken.
    OverRate,
}

impl RefusalKind {
    /// The stable name.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::NoHello => "no_hello",
            Self::UnknownAgent => "unknown_agent",
            Self::WrongSignature => "wrong_signature",
            Self::ProtocolVersion => "protocol_version",
            Self::Disabled => "disabled",
            Self::InvalidIntroduction => "invalid_introduction",
            Self::ForeignLease => "foreign_lease",
            Self::BadFrame => "bad_frame",
            Self::TooLarge => "too_large",
            Self::FileGap => "file_gap",
            Self::BadPath => "bad_path",
            Self::ImpossibleTime => "impossible_time",
            Self::ImpossibleState => "impossible_state",
            Self::BadValue => "bad_value",
            Self::BadOrder => "bad_order",
            Self::BadLog => "bad_log",
            Self::BadMetrics => "bad_metrics",
            Self::OverRate => "over_rate",
        }
    }
}

/// Something that an agent sent and that is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breach {
    pub kind: RefusalKind,
    pub reason: String,
}

impl Breach {
    /// What it is told in is kept short and plain: it may quote what a stranger sent, and goes into the server's log.
    pub(super) fn new(kind: RefusalKind, reason: impl AsRef<str>) -> Self {
        let reason = shown(reason.as_ref());
        Self { kind, reason }
    }
}

/// What went wrong with each agent of late; what is not here is in the store.
#[derive(Default)]
pub(super) struct Troubles(Mutex<HashMap<AgentId, Trouble>>);

struct Trouble {
    all: StoredTroubles,
    /// Whether the store does not have it yet.
    is_new: bool,
}

impl Agents {
    /// Counts what was refused of an agent, and tells the audit log.
    pub(super) async fn refused(&self, peer: &Peer, breach: &Breach) {
        self.note(peer.agent, |all, now| {
            let kind = breach.kind.as_str();
            let reason = shown(&breach.reason);
            all.last_error = Some((now, format!("refused ({kind}): {reason}")));
            match all.refusals.iter_mut().find(|known| known.kind == kind) {
                Some(known) => {
                    known.count += 1;
                    known.last_at = now;
                    known.last_reason = reason;
                }
                None => all.refusals.push(StoredRefusal {
                    kind: kind.to_owned(),
                    count: 1,
                    last_at: now,
                    last_reason: reason,
                }),
            }
        });
        let who = match breach.kind {
            // Somebody says to be this agent.
            RefusalKind::WrongSignature | RefusalKind::ProtocolVersion => audit::anonymous(),
            _ => audit::agent(peer.agent, &peer.name),
        };
        let agent = audit::object("agent", Some(&peer.agent), Some(&peer.name));
        self.tell_audit(who, agent, peer.address, breach).await;
    }

    /// Tells the audit log of a connection that nobody known stands behind.
    pub(super) async fn refused_stranger(&self, address: Option<IpAddr>, breach: &Breach) {
        let agent = audit::object("agent", None, None);
        self.tell_audit(audit::anonymous(), agent, address, breach)
            .await;
    }

    async fn tell_audit(
        &self,
        who: AuditActor,
        agent: AuditObject,
        address: Option<IpAddr>,
        breach: &Breach,
    ) {
        let kind = breach.kind.as_str();
        let entry = Entry::refused(who, "agent.refused", agent, kind, &breach.reason);
        self.audit.refused(entry.from(address)).await;
    }

    /// Remembers what went wrong with an agent that is not a refusal.
    pub(super) fn note_error(&self, agent: AgentId, text: &str) {
        self.note(agent, |all, now| all.last_error = Some((now, shown(text))));
    }

    fn note(&self, agent: AgentId, change: impl FnOnce(&mut StoredTroubles, Timestamp)) {
        let now = self.clock.now();
        let mut known = self.troubles.0.lock();
        let trouble = known.entry(agent).or_insert_with(|| {
            // A store that cannot be read now loses old counts, not new ones.
            let stored = self.stored_troubles(agent).ok().flatten();
            let all = stored.unwrap_or_default();
            let is_new = false;
            Trouble { all, is_new }
        });
        change(&mut trouble.all, now);
        trouble.is_new = true;
    }

    fn stored_troubles(&self, agent: AgentId) -> Result<Option<StoredTroubles>, StorageError> {
        self.storage.read(|rtxn| TROUBLES.read(rtxn)?.get(&agent))
    }

    /// What went wrong with an agent: refusals by kind, most frequent first, and the last error.
    ///
    /// # Errors
    /// Failures of the store.
    pub(super) fn troubles_of(
        &self,
        agent: AgentId,
    ) -> Result<(Vec<AgentRefusals>, Option<AgentTrouble>), StorageError> {
        let known = self
            .troubles
            .0
            .lock()
            .get(&agent)
            .map(|known| known.all.clone());
        let all = match known {
            Some(all) => all,
            None => self.stored_troubles(agent)?.unwrap_or_default(),
        };
        let refusal = |stored: StoredRefusal| AgentRefusals {
            kind: stored.kind,
            count: stored.count,
            last_at: stored.last_at,
            last_reason: stored.last_reason,
        };
        let mut refusals: Vec<AgentRefusals> = all.refusals.into_iter().map(refusal).collect();
        refusals.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.kind.cmp(&b.kind)));
        let trouble = |(time, text)| AgentTrouble { time, text };
        Ok((refusals, all.last_error.map(trouble)))
    }

    /// Stores what went wrong since the last time.
    ///
    /// # Errors
    /// Failures of the store; what was not stored is stored the next time.
    pub async fn store_troubles(&self) -> Result<(), AgentsError> {
        let new: Vec<(AgentId, StoredTroubles)> = {
            let mut known = self.troubles.0.lock();
            let new = known.iter_mut().filter(|(_, trouble)| trouble.is_new);
            new.map(|(agent, trouble)| {
                trouble.is_new = false;
                (*agent, trouble.all.clone())
            })
            .collect()
        };
        if new.is_empty() {
            return Ok(());
        }
        let agents: Vec<AgentId> = new.iter().map(|(agent, _)| *agent).collect();
        let stored = self.storage.write(move |wtxn| put(wtxn, &new)).await;
        if stored.is_err() {
            let mut known = self.troubles.0.lock();
            for agent in agents {
                if let Some(trouble) = known.get_mut(&agent) {
                    trouble.is_new = true;
                }
            }
        }
        stored
    }

    /// Forgets an agent that was removed.
    pub(super) fn forget_troubles(&self, agent: AgentId) {
        self.troubles.0.lock().remove(&agent);
    }

    /// The agent of that id; `None` when it is unknown.
    ///
    /// # Errors
    /// Failures of the store.
    pub(super) fn record(&self, agent: AgentId) -> Result<Option<AgentRecord>, StorageError> {
        self.storage.read(|rtxn| AGENTS.read(rtxn)?.get(&agent))
    }
}

fn put(wtxn: &WriteTxn, new: &[(AgentId, StoredTroubles)]) -> Result<(), AgentsError> {
    let mut troubles = TROUBLES.write(wtxn)?;
    for (agent, all) in new {
        // It was removed meanwhile, and its troubles with it.
        if AGENTS.read(wtxn)?.contains(agent)? {
            troubles.put(agent, all)?;
        }
    }
    Ok(())
}

fn shown(text: &str) -> String {
    crate::builds::plain_words(text)
        .chars()
        .take(REASON_MAX)
        .collect()
}
