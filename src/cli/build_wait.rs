//! Use case: wait for a build's end, over broken connections.

use super::args::Wait;
use super::build_gates::{evaluate_now, exit_of, results};
use super::build_show::summary;
use super::client::{Backoff, Client};
use super::error::{CliError, Exit};
use super::session::Session;
use std::time::Duration;
use testhide_protocol::api::{Build, BuildState, LogPage};
use tokio::time::{Instant, timeout_at};

/// Pause between two looks at a build that waits for an agent.
const QUEUED_PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(3));

/// Waits for a build; the exit code says how it ended.
pub(super) async fn run(session: &Session, args: &Wait) -> Result<Exit, CliError> {
    let client = session.client()?;
    if !args.gate {
        return wait_for_end(session, &client, &args.build, args.timeout).await;
    }
    end_of(session, &client, &args.build, args.timeout).await?;
    let evaluation = evaluate_now(&client, &args.build).await?;
    // Asked for again, because the evaluation is part of it now.
    let ended: Build = client.get(&["builds", &args.build], &[]).await?;
    session.out.show(&ended, |theme| {
        summary(&ended, theme) + &results(&evaluation, theme)
    })?;
    Ok(match exit_of(session, &evaluation) {
        Exit::Ok => exit_of_state(ended.status),
        failed => failed,
    })
}

/// Waits, prints the build, and answers with 0 when it passed, 1 otherwise.
///
/// # Errors
/// Exit 7 when `patience` is over first; errors that trying again does not mend.
pub(super) async fn wait_for_end(
    session: &Session,
    client: &Client,
    build: &str,
    patience: Option<Duration>,
) -> Result<Exit, CliError> {
    let ended = end_of(session, client, build, patience).await?;
    session.out.show(&ended, |theme| summary(&ended, theme))?;
    Ok(exit_of_state(ended.status))
}

fn exit_of_state(state: BuildState) -> Exit {
    if state == BuildState::Passed {
        Exit::Ok
    } else {
        Exit::Failed
    }
}

async fn end_of(
    session: &Session,
    client: &Client,
    build: &str,
    patience: Option<Duration>,
) -> Result<Build, CliError> {
    let work = until_final(session, client, build);
    match patience.and_then(|patience| Instant::now().checked_add(patience)) {
        None => work.await,
        Some(deadline) => timeout_at(deadline, work).await.map_err(|_| {
            CliError::new(
                Exit::TimedOut,
                "timeout",
                format!("build {build} has not ended in time"),
            )
            .hint("it goes on; `testhide build cancel` stops it")
        })?,
    }
}

async fn until_final(session: &Session, client: &Client, number: &str) -> Result<Build, CliError> {
    let mut look: Build = client.get(&["builds", number], &[]).await?;
    let mut broken = Backoff::usual();
    let mut queued = Backoff::new(QUEUED_PAUSE.0, QUEUED_PAUSE.1);
    while !look.status.is_final() {
        match next_look(client, number, &look, &mut queued).await {
            Ok(next) => {
                if next.status != look.status {
                    queued.reset();
                }
                look = next;
                broken.reset();
            }
            Err(error) if error.is_temporary() => {
                session
                    .out
                    .say(&format!("{} ({}); trying again", error.detail, error.code));
                broken.pause(error.retry_after).await;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(look)
}

/// The build after a wait: at the server while it runs, here while it is queued or between two attempts.
async fn next_look(
    client: &Client,
    number: &str,
    look: &Build,
    queued: &mut Backoff,
) -> Result<Build, CliError> {
    let waited =
        look.status == BuildState::Running && !attempt_ends(client, number, look.attempt).await?;
    if !waited {
        queued.pause(None).await;
    }
    client.get(&["builds", number], &[]).await
}

/// Waits, on the server, for a line that never comes: it answers when the attempt ends or after half a minute.
async fn attempt_ends(client: &Client, number: &str, attempt: u32) -> Result<bool, CliError> {
    let query = [
        ("attempt", attempt.to_string()),
        ("from", u64::from(u32::MAX).to_string()),
        ("limit", "1".to_owned()),
        ("wait_seconds", "25".to_owned()),
    ];
    let page: LogPage = client.get(&["builds", number, "log"], &query).await?;
    Ok(page.complete)
}
