//! The first frames: the server asks, the agent proves who it is, the server says where to go on.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use testhide_protocol::wire::{
    AgentMessage, Lease, PROTOCOL_VERSION, Resume, ServerMessage, challenge_text,
};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::connect::Socket;
use crate::agent::AgentOptions;

/// How long the server may take for one frame.
const LIMIT: Duration = Duration::from_secs(20);

/// The server's welcome.
pub(super) struct Welcome {
    /// Between two heartbeats.
    pub(super) heartbeat: Duration,
    /// Where to go on.
    pub(super) resume: Vec<Resume>,
}

/// Why there is no session.
pub(super) enum NoWelcome {
    /// The connection broke, or what came made no sense.
    Lost(String),
    /// The server said no.
    Refused {
        code: String,
        reason: String,
        retry: bool,
    },
    /// The server ends.
    GoAway(u64),
}

/// Introduces the agent.
pub(super) async fn introduce(
    socket: &mut Socket,
    options: &AgentOptions,
    holding: Vec<Lease>,
) -> Result<Welcome, NoWelcome> {
    let nonce = match next(socket).await? {
        ServerMessage::Challenge {
            nonce, protocol, ..
        } => {
            if protocol != PROTOCOL_VERSION {
                tracing::warn!(
                    server.protocol = protocol,
                    "the server speaks another version of the protocol"
                );
            }
            nonce
        }
        other => return Err(unexpected(other)),
    };
    let hello = AgentMessage::Hello {
        protocol: PROTOCOL_VERSION,
        agent: options.agent_id,
        signature: options
            .key
            .sign_hex(&challenge_text(&nonce, options.agent_id)),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        labels: options.labels.clone(),
        capacity: options.capacity,
        holding,
    };
    let hello = Message::text(serde_json::to_string(&hello).expect("a message is plain data"));
    match timeout(LIMIT, socket.send(hello)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => return Err(NoWelcome::Lost(error.to_string())),
        Err(_) => {
            return Err(NoWelcome::Lost(
                "the introduction cannot be sent".to_owned(),
            ));
        }
    }
    match next(socket).await? {
        ServerMessage::Welcome {
            heartbeat_seconds,
            resume,
        } => Ok(Welcome {
            heartbeat: Duration::from_secs(u64::from(heartbeat_seconds.max(1))),
            resume,
        }),
        other => Err(unexpected(other)),
    }
}

async fn next(socket: &mut Socket) -> Result<ServerMessage, NoWelcome> {
    let lost = |why: &str| NoWelcome::Lost(why.to_owned());
    let read = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text)
                        .map_err(|error| lost(&format!("not a message: {error}")));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                Some(Ok(_)) => return Err(lost("the server sends something else than messages")),
                Some(Err(error)) => return Err(lost(&error.to_string())),
                None => return Err(lost("the server closed the connection")),
            }
        }
    };
    timeout(LIMIT, read)
        .await
        .unwrap_or_else(|_| Err(lost("the server says nothing")))
}

fn unexpected(message: ServerMessage) -> NoWelcome {
    match message {
        ServerMessage::Refused {
            code,
            reason,
            retry,
        } => NoWelcome::Refused {
            code,
            reason,
            retry,
        },
        ServerMessage::GoAway { retry_after_ms } => NoWelcome::GoAway(retry_after_ms),
        _ => NoWelcome::Lost("the server does not begin as agreed".to_owned()),
    }
}
