//! The hearing half of a session, and the loop over sessions.

use std::time::Duration;

use futures_util::StreamExt;
use testhide_protocol::wire::{AgentMessage, ServerMessage, UnreadableAssignment};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::backoff::{self, Backoff};
use super::connect::{Receiver, connect};
use super::cursor::Cursor;
use super::deliver::{Command, deliver};
use super::handshake::{NoWelcome, Welcome, introduce};
use super::uplink::Uplink;
use crate::agent::AgentOptions;
use crate::error::AgentError;
use crate::metrics::Meter;
use crate::run::Attempts;
use crate::spool::Stored;

/// A session that lasted this long was a good one, whatever was said in it.
const GOOD_AFTER: Duration = Duration::from_secs(60);

/// How long after declining an assignment the agent connects anew: until then the server gives it nothing.
const ASK_AGAIN: Duration = Duration::from_secs(30);

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
    uplink: &dyn Uplink,
    url: &str,
    attempts: &Attempts,
    meter: &Meter,
) -> Result<(), AgentError> {
    let mut backoff = Backoff::new();
    loop {
        let wait =
            match Box::pin(session(options, uplink, url, attempts, meter, &mut backoff)).await {
                End::Lost(why) => {
                    let wait = backoff.wait(uplink);
                    tracing::warn!(
                        server.url = url,
                        why,
                        wait_ms = wait.as_millis(),
                        "no connection to the server"
                    );
                    wait
                }
                End::GoAway(millis) => {
                    let wait = backoff::asked(millis, uplink);
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
                    let wait = backoff.wait(uplink);
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
    uplink: &dyn Uplink,
    url: &str,
    attempts: &Attempts,
    meter: &Meter,
    backoff: &mut Backoff,
) -> End {
    let mut socket = match connect(uplink, url).await {
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
    let began = Instant::now();
    tracing::info!(server.url = url, "connected to the server");
    let cursors = match resume(attempts, &welcome) {
        Ok(cursors) => cursors,
        Err(why) => return End::Lost(why),
    };
    let (sender, receiver) = socket.split();
    let (commands, queue) = mpsc::unbounded_channel();
    let end = tokio::select! {
        biased;
        end = hear(receiver, attempts, &commands, welcome.heartbeat, backoff) => end,
        () = attempts.vanished() => End::Lost("an attempt is gone without an end".to_owned()),
        why = deliver(sender, attempts, meter, cursors, queue, welcome.heartbeat) => End::Lost(why),
    };
    if began.elapsed() >= GOOD_AFTER {
        backoff.reset();
    }
    end
}

/// Puts a cursor behind what the server has of each held attempt. Deletes what the server has to its end; gives up what the server does
/// not know, and what cannot go on because this disk has less than the server although its machine ran all the time. For the latter the
/// connection ends: the next introduction no longer names it, and the server gives the build to another agent at once.
fn resume(attempts: &Attempts, welcome: &Welcome) -> Result<Vec<Cursor>, String> {
    let mut cursors = Vec::new();
    let mut lost = None;
    for spool in attempts.spools() {
        let lease = spool.lease();
        let Some(resume) = welcome.resume.iter().find(|resume| resume.lease == lease) else {
            attempts.abandon(&lease, "the server does not know this lease any more");
            continue;
        };
        spool.look();
        let own = spool.progress();
        if resume.ended {
            if !attempts.acknowledged(&lease, own.seq) {
                attempts.abandon(&lease, "the server has its end already");
            }
            continue;
        }
        if !spool.is_settled() {
            // Its machine went down. What is left is ended behind what the server has, and delivered then.
            let stored = Stored {
                seq: resume.seq,
                log_bytes: resume.log_bytes,
            };
            attempts.server_has(&lease, stored);
        } else if resume.seq > own.seq || (own.ended && resume.seq == own.seq) {
            let why = format!(
                "the server has {} records of it, this disk has {}",
                resume.seq, own.seq
            );
            attempts.abandon(&lease, &why);
            lost = Some(format!("an attempt cannot be resumed: {why}"));
            continue;
        }
        match Cursor::after(spool, resume.seq) {
            Ok(cursor) => cursors.push(cursor),
            Err(error) => {
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
    backoff: &mut Backoff,
) -> End {
    // Three heartbeats may be lost or late before the line counts as dead.
    let silence = heartbeat * 3 + Duration::from_secs(5);
    let mut asks_again = None;
    loop {
        let next = tokio::select! {
            biased;
            next = timeout(silence, receiver.next()) => next,
            () = until(asks_again) => return End::Lost("asks for work again after declining some".to_owned()),
        };
        let message = match next {
            Err(_) => {
                return End::Lost(format!(
                    "no word from the server for {} s",
                    silence.as_secs()
                ));
            }
            Ok(None) => return End::Lost("the server closed the connection".to_owned()),
            Ok(Some(Err(error))) => return End::Lost(error.to_string()),
            Ok(Some(Ok(Message::Text(text)))) => {
                serde_json::from_str::<ServerMessage>(&text).map_err(|error| (error, text))
            }
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
                if matches!(message, ServerMessage::Ack { .. }) {
                    // Something got through. A session in which nothing does must not be tried again at once.
                    backoff.reset();
                }
                if let Some(command) = obey(message, attempts) {
                    if matches!(command, Command::Send(_)) && !attempts.is_stopping() {
                        asks_again.get_or_insert_with(|| Instant::now() + ASK_AGAIN);
                    }
                    // The sending half ends only together with this one.
                    drop(commands.send(command));
                }
            }
            // A newer server may say more than this agent understands. Work that it cannot do is given back at once.
            Err((error, text)) => match serde_json::from_str(&text) {
                Ok(UnreadableAssignment::Assign { assignment }) => {
                    let lease = assignment.lease;
                    let reason = format!("this agent cannot do what the job says: {error}");
                    tracing::warn!(build.id = %lease.build, reason, "declines a build");
                    asks_again.get_or_insert_with(|| Instant::now() + ASK_AGAIN);
                    drop(commands.send(Command::Send(AgentMessage::Declined { lease, reason })));
                }
                Err(_) => tracing::warn!(%error, "ignores a message of the server"),
            },
        }
    }
}

/// Waits for a moment that may never come.
async fn until(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
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
