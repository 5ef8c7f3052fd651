//! Use cases: change one's password, set a new one with a one-time token.

use super::args;
use super::error::CliError;
use super::prompt::{read_line, read_secret_file};
use super::session::Session;
use serde_json::json;
use testhide_protocol::api::{ChangePassword, ResetPassword};

/// Changes the caller's password.
pub(super) async fn change(session: &Session, args: &args::ChangePassword) -> Result<(), CliError> {
    let instead = "send both with --password-stdin";
    let change = if args.password_stdin {
        ChangePassword {
            current_password: read_line()?,
            new_password: read_line()?,
        }
    } else {
        ChangePassword {
            current_password: session.prompt.secret("Present password", instead)?,
            new_password: session.prompt.new_secret("New password", instead)?,
        }
    };
    session
        .client()?
        .tell(&["auth", "password"], &change)
        .await?;
    session.out.show(&json!({ "changed": true }), |_| {
        "changed the password; your other sessions have ended, your API tokens go on\n".to_owned()
    })
}

/// Sets a new password with a one-time token.
pub(super) async fn reset(session: &Session, args: &args::ResetPassword) -> Result<(), CliError> {
    let reset_token = match &args.reset_token_file {
        Some(file) => read_secret_file(file)?,
        None => session
            .prompt
            .secret("Reset token", "name its file with --reset-token-file")?,
    };
    let new_password = if args.password_stdin {
        read_line()?
    } else {
        session
            .prompt
            .new_secret("New password", "send it with --password-stdin")?
    };
    let reset = ResetPassword {
        reset_token,
        new_password,
    };
    session
        .stranger()?
        .tell(&["auth", "password", "reset"], &reset)
        .await?;
    session.out.show(&json!({ "reset": true }), |_| {
        "set the password; log in with `testhide login`\n".to_owned()
    })
}
