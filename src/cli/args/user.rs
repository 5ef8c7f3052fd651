//! `user …`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;
use testhide_protocol::api::ProjectPermission;

/// `user …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum UserCommand {
    /// Make a user; the first one with --setup
    #[command(before_help = "Example:\n  testhide user create anna --superuser --setup")]
    Create(Create),
    /// List users
    #[command(before_help = "Example:\n  testhide user list")]
    List,
    /// Set what a user may do in a project
    #[command(
        before_help = "Example:\n  testhide user grant anna shop --permission read --permission execute"
    )]
    Grant(Grant),
    /// Shut a user out: sessions end, tokens are worth nothing
    #[command(before_help = "Example:\n  testhide user disable anna")]
    Disable(Named),
    /// Let a disabled user in again
    #[command(before_help = "Example:\n  testhide user enable anna")]
    Enable(Named),
    /// Make a user a superuser
    #[command(before_help = "Example:\n  testhide user promote anna")]
    Promote(Named),
    /// Make a superuser a plain user again
    #[command(before_help = "Example:\n  testhide user demote anna")]
    Demote(Named),
    /// Make a one-time token with which a user sets a new password
    #[command(
        before_help = "Example:\n  testhide user reset-password anna > token   # anna: testhide password reset --reset-token-file token"
    )]
    ResetPassword(Named),
}

/// A user.
#[derive(Debug, Args)]
pub(in crate::cli) struct Named {
    /// Log-in name or id
    #[arg(value_name = "USER")]
    pub user: String,
}

/// `user create`
#[derive(Debug, Args)]
pub(in crate::cli) struct Create {
    /// Log-in name
    #[arg(value_name = "NAME")]
    pub name: String,
    /// May do everything
    #[arg(long)]
    pub superuser: bool,
    /// Make the first superuser with the token that the server printed at its first start
    #[arg(long)]
    pub setup: bool,
    /// File that holds the setup token; `-` is stdin
    #[arg(long, value_name = "FILE", requires = "setup")]
    pub setup_token_file: Option<PathBuf>,
    /// Read the password from stdin: its first line, or its second when the setup token comes from stdin too
    #[arg(long)]
    pub password_stdin: bool,
}

/// `user grant`
#[derive(Debug, Args)]
pub(in crate::cli) struct Grant {
    /// Log-in name or id
    #[arg(value_name = "USER")]
    pub user: String,
    /// Name or id of the project
    #[arg(value_name = "PROJECT")]
    pub project: String,
    /// What they may do; may be given more than once
    #[arg(
        long = "permission",
        value_enum,
        value_name = "WHAT",
        required_unless_present = "nothing"
    )]
    pub permissions: Vec<Permission>,
    /// Take everything away
    #[arg(long, conflicts_with = "permissions")]
    pub nothing: bool,
}

/// What a user may do in a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Permission {
    /// History, reports, artifacts, configuration
    Read,
    /// Settings, source, metadata
    Write,
    /// Trigger, restart, stop
    Execute,
    /// Builds, reports, the project
    Delete,
}

impl From<Permission> for ProjectPermission {
    fn from(permission: Permission) -> Self {
        match permission {
            Permission::Read => Self::Read,
            Permission::Write => Self::Write,
            Permission::Execute => Self::Execute,
            Permission::Delete => Self::Delete,
        }
    }
}
