//! People, their sign-in and their tokens.

use crate::{ProjectId, SessionId, Timestamp, TokenId, UserId};
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
    /// May not sign in, and its tokens are worth nothing.
    #[serde(default)]
    pub disabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Changes a user; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeUser {
    /// Whether the user may do everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superuser: Option<bool>,
    /// Whether the user is shut out. Sessions end for good; tokens are worth something again when it is taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disabled: Option<bool>,
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

/// An access token, to be sent as `Authorization: Bearer …`, and what makes the next one.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct LoginAnswer {
    /// The JWT.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// Seconds until it ends.
    pub expires_in: u64,
    /// `th_ref_…`: good for one `POST /auth/refresh`, which answers the next one. Absent while the server is read-only: the sign-in ends with
    /// the access token then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refresh_token: Option<String>,
    /// When the session ends unless it is refreshed before.
    pub refresh_expires_at: Timestamp,
    /// The session that both belong to.
    pub session: SessionId,
    /// Who they stand for.
    pub user: User,
}

/// Exchanges a refresh token for a new access token and the next refresh token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The newest one of the session. An older one ends the session: somebody else has it.
    pub refresh_token: String,
}

/// A sign-in that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// Identity.
    pub id: SessionId,
    /// When its owner signed in.
    pub created_at: Timestamp,
    /// When it was last refreshed.
    pub refreshed_at: Timestamp,
    /// When it ends unless it is refreshed before.
    pub expires_at: Timestamp,
    /// Address that was last seen, when it is known.
    pub address: Option<String>,
    /// What the program called itself at the sign-in.
    pub program: String,
    /// Whether the request came with it.
    pub current: bool,
}

/// Changes the caller's own password.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// As it is.
    pub current_password: String,
    /// At least 10 characters.
    pub new_password: String,
}

/// A one-time token with which a user sets a new password.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct PasswordReset {
    /// `th_reset_…`; an earlier one of the same user is worth nothing any more.
    pub reset_token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Sets a new password with a one-time token.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResetPassword {
    /// From whoever may change users.
    pub reset_token: String,
    /// At least 10 characters.
    pub new_password: String,
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
    /// Only for this project; for all of the owner's when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub project: Option<ProjectId>,
    /// Only for these; everything that the owner may when absent. Never more than the owner may at that moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions: Option<Vec<ProjectPermission>>,
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
    /// When it was last used, to a minute or so.
    #[serde(default)]
    pub last_used_at: Option<Timestamp>,
    /// The one project that it is for.
    #[serde(default)]
    pub project: Option<ProjectId>,
    /// All that it is for.
    #[serde(default)]
    pub permissions: Option<Vec<ProjectPermission>>,
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
