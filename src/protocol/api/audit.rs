//! The audit log: who did what to what, and who was refused.

use crate::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One entry of the audit log.
///
/// Each carries the hash of the one before, so that nobody can change or remove one without a trace. Its own hash is BLAKE3 over its
/// JSON line without the field `hash` and the comma before it, as `GET /audit/export` gives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Counts from 1 without gaps.
    pub seq: u64,
    /// When it was committed, by the server's clock.
    pub time: Timestamp,
    /// Who did it, or tried to.
    pub actor: AuditActor,
    /// Where the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Stable name of what was done, such as `agent.drained`.
    pub action: String,
    /// What it was done to.
    pub object: AuditObject,
    /// Whether it was done.
    pub outcome: AuditOutcome,
    /// Stable code of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What changed; never secrets.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<AuditChange>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often it happened: refusals that come fast share an entry.
    pub times: u64,
    /// Hash of the entry before, hex; 64 zeros in the first.
    pub previous: String,
    /// Hash of this entry, hex.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hash: String,
}

/// Who did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditActor {
    /// What it is.
    pub kind: AuditActorKind,
    /// Identity; of the token for a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name; of the token's owner for a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What an actor is.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum AuditActorKind {
    /// A person or service account.
    User,
    /// An API token of one.
    Token,
    /// An agent.
    Agent,
    /// The server itself.
    System,
    /// Nobody that is known.
    Anonymous,
}

impl AuditActorKind {
    /// The name used on the wire and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Token => "token",
            Self::Agent => "agent",
            Self::System => "system",
            Self::Anonymous => "anonymous",
        }
    }
}

/// What something was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditObject {
    /// What it is, such as `agent`.
    pub kind: String,
    /// Identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Name at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Whether something was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was.
    Ok,
    /// It was refused.
    Refused,
}

impl AuditOutcome {
    /// The name used on the wire and on screens.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Refused => "refused",
        }
    }
}

/// One field before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditChange {
    /// Which.
    pub field: String,
    /// What it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// What it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// Whether the audit log is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerification {
    /// Every entry fits the one before, and the entry that was asked for is there with its hash.
    pub intact: bool,
    /// Entries that were looked at.
    pub entries: u64,
    /// Number of the last entry; 0 when there is none.
    pub last_seq: u64,
    /// Hash of the last entry. Kept elsewhere, it shows later that nothing up to here was changed or cut off.
    pub head: String,
    /// The first entry that does not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<u64>,
    /// What is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
