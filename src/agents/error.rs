//! What can go wrong with agents.

use crate::accounts::Refusal;
use crate::builds::BuildsError;
use crate::storage::StorageError;
use crate::web::ApiError;

/// A failure around agents.
#[derive(Debug, thiserror::Error)]
pub enum AgentsError {
    /// An enrolment token that was used, has ended or never was.
    #[error("the enrolment token is not valid (used, ended, or never given)")]
    EnrolmentToken,
    /// A name, key or label that cannot be one.
    #[error("{0}")]
    Invalid(String),
    /// Another agent has the name.
    #[error("there is an agent `{0}` already")]
    NameTaken(String),
    /// There is no such agent.
    #[error("there is no agent `{0}`")]
    NotFound(String),
    /// The caller may not.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Builds.
    #[error(transparent)]
    Builds(#[from] BuildsError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl From<AgentsError> for ApiError {
    fn from(error: AgentsError) -> Self {
        let text = error.to_string();
        match error {
            AgentsError::EnrolmentToken => Self::new(401, "enrolment_token_invalid", text)
                .hint("ask an operator for a new one: `testhide agent token` or POST /api/v3/agents/enrolments"),
            AgentsError::Invalid(_) => Self::invalid("invalid_agent", text),
            AgentsError::NameTaken(_) => Self::conflict("agent_exists", text),
            AgentsError::NotFound(_) => Self::not_found("agent_not_found", text),
            AgentsError::Refused(refusal) => refusal.into(),
            AgentsError::Builds(error) => error.into(),
            AgentsError::Storage(error) => error.into(),
        }
    }
}
