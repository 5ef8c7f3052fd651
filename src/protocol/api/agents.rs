//! Agents as operators see them, and their enrolment.

use crate::{AgentId, BuildId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A one-time enrolment token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewEnrolment {
    /// `th_enroll_…`; good for one agent.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Exchanges an enrolment token for an identity.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enroll {
    /// The one-time token.
    pub token: String,
    /// The agent's name (`InstanceId`), 1 to 100 characters.
    pub name: String,
    /// Ed25519 public key, hex (64 digits).
    pub public_key: String,
}

/// The identity that an enrolment gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    /// Identity to present at each connection.
    pub agent_id: AgentId,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Agent {
    /// Identity.
    pub id: AgentId,
    /// Name.
    pub name: String,
    /// `online`, `suspect` or `offline`.
    pub state: String,
    /// Labels it announced, and its name.
    pub labels: Vec<String>,
    /// Builds it runs at once.
    pub capacity: u32,
    /// Version of its program.
    pub version: String,
    /// Operating system and architecture.
    pub platform: String,
    /// When it was enrolled.
    pub enrolled_at: Timestamp,
    /// Last word heard of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen_at: Option<Timestamp>,
    /// Builds it holds leases for.
    pub builds: Vec<AgentLease>,
    /// How its machine was when it was last heard, if that was in the last minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostSample>,
    /// What operators let it do.
    #[serde(default)]
    pub mode: AgentMode,
    /// Why it is drained or disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode_reason: Option<String>,
    /// Who changed that last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode_changed_by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode_changed_at: Option<Timestamp>,
    /// Where its present or last connection came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What last went wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<AgentTrouble>,
}

/// Something that went wrong with an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentTrouble {
    /// When the server saw it.
    pub time: Timestamp,
    /// What, in words.
    pub text: String,
}

/// An agent with its past.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentDetails {
    /// As in the list.
    #[serde(flatten)]
    pub agent: Agent,
    /// Its last connections, newest first, at most 50.
    #[serde(default)]
    pub connections: Vec<AgentConnection>,
    /// What the server refused of it since it was enrolled, by kind.
    #[serde(default)]
    pub refusals: Vec<AgentRefusals>,
}

/// One connection of an agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentConnection {
    /// When it was taken.
    pub from: Timestamp,
    /// When it ended; absent while it is open, and where nobody saw the end because the server was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Where it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Version of the agent's program.
    pub version: String,
    /// Why it ended; absent while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// What the server refused of an agent, of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentRefusals {
    /// Stable name, such as `foreign_lease`.
    pub kind: String,
    /// How often.
    pub count: u64,
    /// When last.
    pub last_at: Timestamp,
    /// What it was then, in words.
    pub last_reason: String,
}

/// How a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostMetrics {
    /// Share of all processors that was busy since the sample before, 0 to 100.
    pub cpu_percent: u32,
    /// Load average of one minute in hundredths; 0 where the system has none.
    pub load_hundredths: u32,
    /// Bytes of memory in use.
    pub memory_used: u64,
    /// Bytes of memory.
    pub memory_total: u64,
    /// Bytes free on the disk that holds the agent's directory.
    pub disk_free: u64,
    /// Bytes of that disk.
    pub disk_total: u64,
}

/// How a machine was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HostSample {
    /// When the server heard of it.
    pub time: Timestamp,
    /// How it was.
    pub metrics: HostMetrics,
}

/// What operators let an agent do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AgentMode {
    /// It takes builds.
    #[default]
    Ready,
    /// It ends the builds that it has, and takes no more.
    Draining,
    /// It is not let in; its builds were queued again.
    Disabled,
}

impl AgentMode {
    /// The name used on the wire and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Disabled => "disabled",
        }
    }
}

/// Why an agent is drained, disabled or brought back.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeAgent {
    /// Shown to everybody; at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A build an agent works on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgentLease {
    /// Build.
    pub build_id: BuildId,
    /// Its number.
    pub build_number: u64,
    /// Attempt.
    pub attempt: u32,
}
