//! Use cases: the caller's sessions.

use super::error::CliError;
use super::output::{Cell, Table, age, clean};
use super::session::Session;
use serde_json::json;
use testhide_protocol::api;

/// Lists sessions.
pub(super) async fn list(session: &Session) -> Result<(), CliError> {
    let sessions: Vec<api::Session> = session.client()?.short_list(&["auth", "sessions"]).await?;
    let now = session.out.now();
    let mut table = Table::new(&["SIGNED IN", "REFRESHED", "~FROM", "~PROGRAM", "ID"]);
    for one in &sessions {
        table.row([
            age(now, one.created_at).into(),
            age(now, one.refreshed_at).into(),
            Cell::from(one.address.as_deref().unwrap_or("unknown")),
            Cell::from(&one.program),
            one.id.to_string().into(),
        ]);
    }
    session.out.list(
        &sessions,
        &table,
        "there are no sessions; this program works with an API token (`testhide token list`)",
    )
}

/// Ends a session at once.
pub(super) async fn end(session: &Session, id: &str) -> Result<(), CliError> {
    session.client()?.delete(&["auth", "sessions", id]).await?;
    session.out.show(&json!({ "id": id, "ended": true }), |_| {
        format!("ended session {}\n", clean(id))
    })
}
