//! `session …` and `password …`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `session …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SessionCommand {
    /// List your sessions: sign-ins with a password that have not ended
    #[command(before_help = "Example:\n  testhide session list")]
    List,
    /// End a session at once
    #[command(
        before_help = "Example:\n  testhide session end 0198c1a2-7f3e-7abc-8def-0123456789ab"
    )]
    End {
        /// The session's id
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// `password …`
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum PasswordCommand {
    /// Change your password; your other sessions end
    #[command(before_help = "Example:\n  testhide password change")]
    Change(ChangePassword),
    /// Set a new password with the one-time token of a superuser
    #[command(before_help = "Example:\n  testhide password reset --reset-token-file token")]
    Reset(ResetPassword),
}

/// `password change`
#[derive(Debug, Args)]
pub(in crate::cli) struct ChangePassword {
    /// Read the present password from the first line of stdin and the new one from the second
    #[arg(long)]
    pub password_stdin: bool,
}

/// `password reset`
#[derive(Debug, Args)]
pub(in crate::cli) struct ResetPassword {
    /// File that holds the reset token; `-` is stdin; asked for when absent
    #[arg(long, value_name = "FILE")]
    pub reset_token_file: Option<PathBuf>,
    /// Read the new password from stdin: its first line, or its second when the reset token comes from stdin too
    #[arg(long)]
    pub password_stdin: bool,
}
