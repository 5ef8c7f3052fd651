//! Use cases: log in, log out, who am I.

use super::args;
use super::client::Client;
use super::credentials::{Credentials, Login, credentials_path};
use super::error::{CliError, Exit};
use super::output::clean;
use super::prompt::read_line;
use super::session::Session;
use serde_json::json;
use testhide_protocol::api::{CreateToken, Login as LoginRequest, LoginAnswer, NewToken, User};

/// Exchanges name and password for an API token of this machine and keeps that; the password is kept nowhere.
pub(super) async fn log_in(session: &Session, args: args::Login) -> Result<(), CliError> {
    let path = credentials_path(&session.environment)?;
    let mut credentials = Credentials::load(&path)?;
    let stranger = session.stranger()?;
    let username = match args.username {
        Some(name) => name,
        None => session
            .prompt
            .text("User name", "give it with --username")?,
    };
    let password = if args.password_stdin {
        read_line()?
    } else {
        session
            .prompt
            .secret("Password", "send it with --password-stdin")?
    };
    let answer: LoginAnswer = stranger
        .post(&["auth", "login"], &LoginRequest { username, password })
        .await?;
    let client = stranger.with_token(answer.access_token);
    let name = format!("cli@{}", host_name(session));
    let made: NewToken = client
        .post(
            &["tokens"],
            &CreateToken {
                name,
                expires_in_days: None,
                project: None,
                permissions: None,
            },
        )
        .await?;
    // The token stands on its own; nobody will refresh the session that made it.
    if let Err(error) = client.tell(&["auth", "logout"], &json!({})).await {
        session.out.warn(&format!(
            "the session of this login is left to end by itself: {error}"
        ));
    }
    let client = client.with_token(made.secret.clone());
    let login = Login {
        username: answer.user.username.clone(),
        token_id: made.token.id.to_string(),
        token: made.secret,
    };
    let before = credentials.logins.insert(client.server().to_owned(), login);
    credentials.server = Some(client.server().to_owned());
    if let Err(error) = credentials.save(&path) {
        // Nobody would ever use the token.
        drop(client.delete(&["tokens", &made.token.id.to_string()]).await);
        return Err(error);
    }
    if let Some(before) = before {
        // It may be long gone; the new one is in place either way.
        drop(client.delete(&["tokens", &before.token_id]).await);
    }
    let shown =
        json!({ "server": client.server(), "username": answer.user.username, "token": made.token });
    session.out.show(&shown, |_| {
        format!(
            "logged in to {} as {}\n",
            client.server(),
            clean(&answer.user.username)
        )
    })
}

/// Revokes the token of this machine and forgets it, also when the server cannot be reached.
pub(super) async fn log_out(session: &Session) -> Result<(), CliError> {
    let path = credentials_path(&session.environment)?;
    let mut credentials = Credentials::load(&path)?;
    let client = session.stranger()?;
    let Some(login) = credentials.logins.remove(client.server()) else {
        return Err(CliError::new(
            Exit::NotFound,
            "not_logged_in",
            format!("there is no login for `{}`", client.server()),
        ));
    };
    let revoked = revoke(&client.with_token(login.token), &login.token_id).await;
    if credentials.server.as_deref() == Some(client.server()) {
        credentials.server = None;
    }
    credentials.save(&path)?;
    if let Err(error) = revoked {
        session.out.warn(&format!(
            "the token is forgotten here, but it may still be good at the server: {error}"
        ));
    }
    let shown = json!({ "server": client.server(), "username": login.username });
    session
        .out
        .show(&shown, |_| format!("logged out of {}\n", client.server()))
}

/// Says who the server takes the caller for.
pub(super) async fn who_am_i(session: &Session) -> Result<(), CliError> {
    let client = session.client()?;
    let user: User = client.get(&["auth", "me"], &[]).await?;
    session.out.show(&user, |_| {
        let role = if user.superuser { " (superuser)" } else { "" };
        format!("{}{role} at {}\n", clean(&user.username), client.server())
    })
}

/// A token that the server does not know any more is as good as revoked.
async fn revoke(client: &Client, id: &str) -> Result<(), CliError> {
    match client.delete(&["tokens", id]).await {
        Err(error) if error.exit == Exit::NotFound || error.code == "not_authenticated" => Ok(()),
        result => result,
    }
}

/// What this machine is called; for people who look at their list of tokens.
fn host_name(session: &Session) -> String {
    let named = || {
        session
            .environment
            .get("HOSTNAME")
            .or_else(|| session.environment.get("COMPUTERNAME"))
            .map(str::to_owned)
    };
    let written = ["/proc/sys/kernel/hostname", "/etc/hostname"]
        .iter()
        .find_map(|file| std::fs::read_to_string(file).ok());
    let name = written.or_else(named).unwrap_or_default();
    let name: String = name
        .trim()
        .chars()
        .filter(|c| c.is_ascii_graphic())
        .take(60)
        .collect();
    if name.is_empty() {
        "unknown".to_owned()
    } else {
        name
    }
}
