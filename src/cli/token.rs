//! Use cases: the caller's API tokens.

use super::args::CreateToken as CreateArgs;
use super::error::CliError;
use super::output::{Cell, Colour, Table, age, clean};
use super::session::Session;
use serde_json::json;
use testhide_protocol::api::{CreateToken, NewToken, Token};

/// Makes a token. The secret alone goes to stdout, so that it can go into a file; everything else is a message.
pub(super) async fn create(session: &Session, args: CreateArgs) -> Result<(), CliError> {
    let create = CreateToken {
        name: args.name,
        expires_in_days: args.expires_in_days,
    };
    let made: NewToken = session.client()?.post(&["tokens"], &create).await?;
    session.out.say(&format!(
        "created token `{}` ({}); this is the only time it is shown",
        made.token.name, made.token.id
    ));
    session
        .out
        .show(&made, |_| format!("{}\n", clean(&made.secret)))
}

/// Lists the caller's tokens.
pub(super) async fn list(session: &Session) -> Result<(), CliError> {
    let (tokens, _) = session
        .client()?
        .list::<Token>(&["tokens"], &[], usize::MAX)
        .await?;
    let now = session.out.now();
    let mut table = Table::new(&["~NAME", "CREATED", "ENDS", "ID"]);
    for token in &tokens {
        let ends = match token.expires_at {
            None => Cell::from("never"),
            Some(end) if end <= now => Cell::from("has ended").colour(Colour::Red),
            Some(end) => Cell::from(end.to_string().chars().take(10).collect::<String>()),
        };
        table.row([
            Cell::from(&token.name),
            age(now, token.created_at).into(),
            ends,
            token.id.to_string().into(),
        ]);
    }
    session.out.list(&tokens, &table, "there are no tokens")
}

/// Ends a token at once.
pub(super) async fn revoke(session: &Session, id: &str) -> Result<(), CliError> {
    session.client()?.delete(&["tokens", id]).await?;
    session
        .out
        .show(&json!({ "id": id, "revoked": true }), |_| {
            format!("revoked token {}\n", clean(id))
        })
}
