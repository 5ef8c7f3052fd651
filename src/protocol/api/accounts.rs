//! People, their sign-in and their tokens.

use crate::{ProjectId, Timestamp, TokenId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Makes the first superuser with the one-time setup token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The token that the server printed at its first start.
    pub setup_token: String,
    /// Log-in name of the first superuser.
    pub username: String,
    /// At least 10 characters.
    pub password: String,
}

/// Makes a user; only for those who may.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateUser {
    /// 1 to 64 characters: letters, digits, `.`, `_`, `-`, `@`.
    pub username: String,
    /// At least 10 characters.
    pub password: String,
    /// May do everything.
    #[serde(default)]
    pub superuser: bool,
}

/// A person or service account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Identity.
    pub id: UserId,
    /// Log-in name.
    pub username: String,
    /// May do everything.
    pub superuser: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Asks for an access token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// Log-in name.
    pub username: String,
    /// Password.
    pub password: String,
}

/// An access token, to be sent as `Authorization: Bearer …`.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct LoginAnswer {
    /// The JWT.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until it ends.
    pub expires_in: u64,
    /// Who it stands for.
    pub user: User,
}

/// Makes an API token for the caller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What it is for, 1 to 100 characters.
    pub name: String,
    /// Days until it ends; never when absent.
    #[serde(default)]
    pub expires_in_days: Option<u32>,
}

/// An API token as it can be listed; the secret is never shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Identity.
    pub id: TokenId,
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub user: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
}

/// An API token at the one moment its secret is known.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// The token.
    pub token: Token,
    /// `th_pat_…`; kept by the server as a hash only.
    pub secret: String,
}

/// What a user may do in one project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ProjectPermission {
    /// History, reports, artifacts, configuration.
    Read,
    /// Settings, source, metadata.
    Write,
    /// Trigger, restart, stop.
    Execute,
    /// Builds, reports, the project.
    Delete,
}

/// Sets what a user may do in a project; an empty list takes everything away.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantPermissions {
    /// Who.
    pub user: UserId,
    /// Where.
    pub project: ProjectId,
    /// What.
    pub permissions: Vec<ProjectPermission>,
}
