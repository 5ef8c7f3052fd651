//! Use cases: shut users out, make superusers, give one-time tokens for new passwords.

use super::args::UserName;
use super::error::CliError;
use super::output::clean;
use super::session::Session;
use super::user::find_user;
use serde_json::json;
use testhide_protocol::api::{ChangeUser, PasswordReset, User};

/// Shuts a user out, or lets it in again.
pub(super) async fn disable(
    session: &Session,
    args: &UserName,
    disabled: bool,
) -> Result<(), CliError> {
    let change = ChangeUser {
        disabled: Some(disabled),
        ..ChangeUser::default()
    };
    change_user(session, args, &change).await
}

/// Makes a superuser, or takes that back.
pub(super) async fn promote(
    session: &Session,
    args: &UserName,
    superuser: bool,
) -> Result<(), CliError> {
    let change = ChangeUser {
        superuser: Some(superuser),
        ..ChangeUser::default()
    };
    change_user(session, args, &change).await
}

async fn change_user(
    session: &Session,
    args: &UserName,
    change: &ChangeUser,
) -> Result<(), CliError> {
    let client = session.client()?;
    let id = find_user(&client, &args.user).await?.to_string();
    let user: User = client.patch(&["users", &id], change).await?;
    session.out.show(&user, |_| {
        let role = if user.superuser {
            "a superuser"
        } else {
            "a user"
        };
        let state = if user.disabled { ", disabled" } else { "" };
        format!("{} is {role}{state}\n", clean(&user.username))
    })
}

/// Makes a one-time token. The token alone goes to stdout, so that it can go into a file; everything else is a message.
pub(super) async fn reset_password(session: &Session, args: &UserName) -> Result<(), CliError> {
    let client = session.client()?;
    let id = find_user(&client, &args.user).await?.to_string();
    let made: PasswordReset = client
        .post(&["users", &id, "reset-password"], &json!({}))
        .await?;
    session.out.say(&format!(
        "good for {} until {}, once: `testhide password reset --reset-token-file FILE`",
        clean(&args.user),
        made.expires_at
    ));
    session
        .out
        .show(&made, |_| format!("{}\n", clean(&made.reset_token)))
}
