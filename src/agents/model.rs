//! Stored shapes of agents and the rules for what they say of themselves.

use super::error::AgentsError;
use crate::storage::Record;
use serde::{Deserialize, Serialize};
use testhide_protocol::api::AgentMode;
use testhide_protocol::{AgentId, Timestamp};

/// Most builds that one agent may run at once.
const MAX_CAPACITY: u32 = 256;

/// Most labels of one agent.
const MAX_LABELS: usize = 64;

/// An enrolled agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct AgentRecord {
    pub id: AgentId,
    pub name: String,
    /// Ed25519.
    pub public_key: [u8; 32],
    pub enrolled_at: Timestamp,
    /// As it said at its last connection.
    pub labels: Vec<String>,
    pub capacity: u32,
    pub version: String,
    pub platform: String,
    pub last_seen_at: Option<Timestamp>,
    pub mode: ModeRecord,
}
impl Record for AgentRecord {}

/// What an operator lets an agent do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ModeRecord {
    pub mode: AgentMode,
    pub reason: Option<String>,
    /// User name; empty while nobody changed it.
    pub by: String,
    pub changed_at: Option<Timestamp>,
}

impl Default for ModeRecord {
    fn default() -> Self {
        Self {
            mode: AgentMode::Ready,
            reason: None,
            by: String::new(),
            changed_at: None,
        }
    }
}

impl ModeRecord {
    /// Why an agent that is disabled is not let in.
    pub(super) fn words(&self) -> String {
        let reason = self.reason.as_deref().unwrap_or("no reason given");
        format!("the agent is disabled by {}: {reason}", self.by)
    }
}

/// A one-time enrolment token, under its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct EnrolmentRecord {
    pub expires_at: Timestamp,
    pub made_by: String,
    /// The agent that it gives a new key; a new agent when absent.
    pub agent: Option<AgentId>,
}
impl Record for EnrolmentRecord {}

/// An agent's connections, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredConnections {
    pub all: Vec<StoredConnection>,
}
impl Record for StoredConnections {}

/// One connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredConnection {
    /// Counts up for each agent.
    pub number: u64,
    /// Which start of the server took it: one that another start left open ended with that.
    pub boot: u64,
    pub from: Timestamp,
    /// Absent while it is open, and when the server was killed before its end.
    pub until: Option<Timestamp>,
    pub address: Option<String>,
    pub version: String,
    /// Why it ended; absent while it is open.
    pub ended: Option<String>,
}

/// What went wrong with an agent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredTroubles {
    /// By kind; there are few kinds.
    pub refusals: Vec<StoredRefusal>,
    pub last_error: Option<(Timestamp, String)>,
}
impl Record for StoredTroubles {}

/// What was refused of an agent, of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredRefusal {
    pub kind: String,
    pub count: u64,
    pub last_at: Timestamp,
    pub last_reason: String,
}

/// Letters, digits, `.`, `_`, `-`; 1 to 100 characters.
pub(super) fn check_name(what: &str, text: &str) -> Result<(), AgentsError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if text.is_empty() || text.len() > 100 || !text.chars().all(plain) {
        let shown: String = text.chars().take(60).collect();
        let text = format!(
            "`{}` cannot be {what}: 1 to 100 letters, digits, `.`, `_`, `-`",
            shown.escape_debug()
        );
        return Err(AgentsError::Invalid(text));
    }
    Ok(())
}

/// What an agent says of itself at each connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Introduction {
    pub labels: Vec<String>,
    pub capacity: u32,
    pub version: String,
    pub platform: String,
}

impl Introduction {
    /// Believes it within limits.
    pub(super) fn checked(mut self) -> Result<Self, AgentsError> {
        if self.labels.len() > MAX_LABELS {
            return Err(AgentsError::Invalid(format!(
                "more than {MAX_LABELS} labels"
            )));
        }
        for label in &self.labels {
            check_name("a label", label)?;
        }
        if !(1..=MAX_CAPACITY).contains(&self.capacity) {
            return Err(AgentsError::Invalid(format!(
                "capacity {} is not between 1 and {MAX_CAPACITY}",
                self.capacity
            )));
        }
        let plain = |text: &str| text.chars().filter(|c| !c.is_control()).take(100).collect();
        self.version = plain(&self.version);
        self.platform = plain(&self.platform);
        Ok(self)
    }
}
