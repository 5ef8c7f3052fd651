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
