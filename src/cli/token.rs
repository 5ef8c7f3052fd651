//! Use cases: the caller's API tokens.

use super::args::CreateToken as CreateArgs;
use super::error::CliError;
use super::output::{Cell, Colour, Table, age, clean};
use super::session::Session;
use serde_json::json;
use testhide_protocol::api::{CreateToken, NewToken, Project, ProjectPermission, Token};

/// Makes a token. The secret alone goes to stdout, so that it can go into a file; everything else is a message.
pub(super) async fn create(session: &Session, args: CreateArgs) -> Result<(), CliError> {
    let client = session.client()?;
    let project = match &args.project {
        Some(project) => {
            let project: Project = client.get(&["projects", project], &[]).await?;
            Some(project.id)
        }
        None => None,
    };
    let permissions = args.permissions.into_iter().map(Into::into).collect();
    let create = CreateToken {
        name: args.name,
        expires_in_days: args.expires_in_days,
        project,
        permissions: Some(permissions).filter(|it: &Vec<ProjectPermission>| !it.is_empty()),
    };
    let made: NewToken = client.post(&["tokens"], &create).await?;
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
    let mut table = Table::new(&["~NAME", "MAY", "CREATED", "USED", "ENDS", "ID"]);
    for token in &tokens {
        let ends = match token.expires_at {
            None => Cell::from("never"),
            Some(end) if end <= now => Cell::from("has ended").colour(Colour::Red),
            Some(end) => Cell::from(end.to_string().chars().take(10).collect::<String>()),
        };
        table.row([
            Cell::from(&token.name),
            scope(token).into(),
            age(now, token.created_at).into(),
            token
                .last_used_at
                .map_or_else(|| "never".to_owned(), |used| age(now, used))
                .into(),
            ends,
            token.id.to_string().into(),
        ]);
    }
    session.out.list(&tokens, &table, "there are no tokens")
}

/// What a token may do, in words.
fn scope(token: &Token) -> String {
    let what = match &token.permissions {
        None => "everything".to_owned(),
        Some(permissions) => {
            let names = permissions
                .iter()
                .map(|permission| format!("{permission:?}").to_lowercase());
            names.collect::<Vec<_>>().join(",")
        }
    };
    match token.project {
        None => what,
        Some(_) => format!("{what} in one project"),
    }
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
