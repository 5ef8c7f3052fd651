//! The hearing half of a session, and the loop over sessions.

use std::time::Duration;

use futures_util::StreamExt;
use testhide_protocol::wire::{AgentMessage, ServerMessage};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::backoff::{self, Backoff};
use super::connect::{Receiver, connect};
use super::cursor::Cursor;
use super::deliver::{Command, deliver};
use super::handshake::{NoWelcome, Welcome, introduce};
use crate::agent::AgentOptions;
use crate::error::AgentError;
use crate::run::Attempts;

/// Why a session ended.
enum End {
    /// Come back after the usual wait.
    Lost(String),
    /// Come back after this many milliseconds.
    GoAway(u64),
    /// The server said no.
    Refused {
        code: String,
        reason: String,
        retry: bool,
    },
}

/// Connects again and again. Runs until the caller drops it, or the server refuses this agent for good.
///
/// # Errors
/// [`AgentError::Refused`].
pub(crate) async fn serve_forever(
    options: &AgentOptions,
    url: &str,
    attempts: &Attempts,
) -> Result<(), AgentError> {
    let mut backoff = Backoff::new();
    loop {
        let wait = match Box::pin(session(options, url, attempts, &mut backoff)).await {
            End::Lost(why) => {
                let wait = backoff.wait();
                tracing::warn!(
                    server.url = url,
                    why,
                    wait_ms = wait.as_millis(),
                    "no connection to the server"
                );
                wait
            }
            End::GoAway(millis) => {
                let wait = backoff::asked(millis);
                tracing::info!(
                    wait_ms = wait.as_millis(),
                    "the server asks to come back later"
                );
                wait
            }
            End::Refused {
                code,
                reason,
                retry: true,
            } => {
                let wait = backoff.wait();
                tracing::warn!(
                    code,
                    reason,
                    wait_ms = wait.as_millis(),
                    "the server refuses this agent for now"
                );
                wait
            }
            End::Refused {
                code,
                reason,
                retry: false,
            } => return Err(AgentError::Refused { code, reason }),
        };
        sleep(wait).await;
    }
}

/// One connection from its first frame to its end.
async fn session(
    options: &AgentOptions,
    url: &str,
    attempts: &Attempts,
    backoff: &mut Backoff,
) -> End {
    let mut socket = match connect(url).await {
        Ok(socket) => socket,
        Err(why) => return End::Lost(why),
    };
    let holding = attempts
        .spools()
        .iter()
        .map(|spool| spool.lease())
        .collect();
    let welcome = match introduce(&mut socket, options, holding).await {
        Ok(welcome) => welcome,
        Err(NoWelcome::Lost(why)) => return End::Lost(why),
        Err(NoWelcome::GoAway(millis)) => return End::GoAway(millis),
        Err(NoWelcome::Refused {
            code,
            reason,
            retry,
        }) => {
            return End::Refused {
                code,
                reason,
                retry,
            };
        }
    };
    backoff.reset();
    tracing::info!(server.url = url, "connected to the server");
    let cursors = match resume(attempts, &welcome) {
        Ok(cursors) => cursors,
        Err(why) => return End::Lost(why),
    };
    let (sender, receiver) = socket.split();
    let (commands, queue) = mpsc::unbounded_channel();
    tokio::select! {
        end = hear(receiver, attempts, &commands, welcome.heartbeat) => end,
        () = attempts.vanished() => End::Lost("an attempt is gone without an end".to_owned()),
        why = deliver(sender, attempts, cursors, queue, welcome.heartbeat) => End::Lost(why),
    }
}

/// Puts a cursor behind what the server has of each held attempt; gives up what the server does not know.
fn resume(attempts: &Attempts, welcome: &Welcome) -> Result<Vec<Cursor>, String> {
    let mut cursors = Vec::new();
    let mut lost = None;
    for spool in attempts.spools() {
        let lease = spool.lease();
        let Some(resume) = welcome.resume.iter().find(|resume| resume.lease == lease) else {
            attempts.abandon(&lease, "the server does not know this lease any more");
            continue;
        };
        if attempts.acknowledged(&lease, resume.seq) {
            continue;
        }
        match Cursor::after(spool, resume.seq) {
            Ok(cursor) => cursors.push(cursor),
            Err(error) => {
                // After a loss of power the server may have more than this disk. The next introduction no longer names the
                // attempt, and the server gives the build to another agent.
                attempts.abandon(&lease, &error.to_string());
                lost = Some(format!("an attempt cannot be resumed: {error}"));
            }
        }
    }
    lost.map_or(Ok(cursors), Err)
}

/// Hears the server until the connection ends.
async fn hear(
    mut receiver: Receiver,
    attempts: &Attempts,
    commands: &mpsc::UnboundedSender<Command>,
    heartbeat: Duration,
) -> End {
    // Three heartbeats may be lost or late before the line counts as dead.
    let silence = heartbeat * 3 + Duration::from_secs(5);
    loop {
        let message = match timeout(silence, receiver.next()).await {
            Err(_) => {
                return End::Lost(format!(
                    "no word from the server for {} s",
                    silence.as_secs()
                ));
            }
            Ok(None) => return End::Lost("the server closed the connection".to_owned()),
            Ok(Some(Err(error))) => return End::Lost(error.to_string()),
            Ok(Some(Ok(Message::Text(text)))) => serde_json::from_str::<ServerMessage>(&text),
            Ok(Some(Ok(Message::Close(_)))) => {
                return End::Lost("the server closed the connection".to_owned());
            }
            Ok(Some(Ok(_))) => continue,
        };
        match message {
            Ok(ServerMessage::GoAway { retry_after_ms }) => return End::GoAway(retry_after_ms),
            Ok(ServerMessage::Refused {
                code,
                reason,
                retry,
            }) => {
                return End::Refused {
                    code,
                    reason,
                    retry,
                };
            }
            Ok(message) => {
                if let Some(command) = obey(message, attempts) {
                    // The sending half ends only together with this one.
                    drop(commands.send(command));
                }
            }
            // A newer server may say more than this agent understands.
            Err(error) => tracing::warn!(%error, "ignores a message of the server"),
        }
    }
}

/// Does what the server says; gives what the sending half is to do about it.
fn obey(message: ServerMessage, attempts: &Attempts) -> Option<Command> {
    match message {
        ServerMessage::Assign { assignment } => {
            let lease = assignment.lease;
            let started = attempts.start(*assignment);
            let cursor = started.and_then(|spool| {
                spool
                    .map(|spool| Cursor::after(spool, 0))
                    .transpose()
                    .map_err(|error| error.to_string())
            });
            match cursor {
                Ok(cursor) => cursor.map(Command::Attach),
                Err(reason) => {
                    attempts.abandon(&lease, &reason);
                    Some(Command::Send(AgentMessage::Declined { lease, reason }))
                }
            }
        }
        ServerMessage::Ack { lease, seq } => Some(if attempts.acknowledged(&lease, seq) {
            Command::Detach(lease)
        } else {
            Command::Acknowledged(lease, seq)
        }),
        ServerMessage::Cancel { lease, reason } => {
            attempts.cancel(&lease, reason);
            None
        }
        ServerMessage::Abandon { lease, reason } => {
            attempts.abandon(&lease, &reason);
            Some(Command::Detach(lease))
        }
        ServerMessage::Heartbeat { .. }
        | ServerMessage::Challenge { .. }
        | ServerMessage::Welcome { .. }
        | ServerMessage::GoAway { .. }
        | ServerMessage::Refused { .. } => None,
    }
}
