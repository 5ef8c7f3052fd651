//! Use case: make a one-time token that enrols an agent.

use super::error::CliError;
use super::output::clean;
use super::session::Session;
use serde_json::json;
use testhide_protocol::api::NewEnrolment;

/// Makes an enrolment token. The token alone goes to stdout, so that it can go through a pipe; everything else is a message.
pub(super) async fn run(session: &Session) -> Result<(), CliError> {
    let made: NewEnrolment = session
        .client()?
        .post(&["agents", "enrolments"], &json!({}))
        .await?;
    session.out.say(&format!(
        "good for one agent until {}; `testhide agent enroll --token-file -` takes it",
        made.expires_at
    ));
    session
        .out
        .show(&made, |_| format!("{}\n", clean(&made.token)))
}
