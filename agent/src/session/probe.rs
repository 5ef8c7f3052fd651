//! A look at the server without a session: opens the WebSocket, reads the first frame, and leaves.

use std::time::Duration;

use futures_util::StreamExt;
use testhide_protocol::Timestamp;
use testhide_protocol::wire::{PROTOCOL_VERSION, ServerMessage};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use super::connect::connect;
use super::uplink::Tcp;

/// How long the server may take for its first frame.
const LIMIT: Duration = Duration::from_secs(10);

/// What the server said first.
pub(crate) struct Greeting {
    /// Its clock.
    pub(crate) time: Timestamp,
    /// Whether this agent understands it.
    pub(crate) speaks_our_protocol: bool,
}

/// Asks the agents' WebSocket at `url` for its first frame.
///
/// # Errors
/// In words: not reachable, not a testhide server, or too slow.
pub(crate) async fn probe(url: &str) -> Result<Greeting, String> {
    let mut socket = connect(&Tcp, url).await?;
    let first = timeout(LIMIT, socket.next()).await;
    let first = first.map_err(|_| format!("no word within {} s", LIMIT.as_secs()))?;
    let text = match first {
        Some(Ok(Message::Text(text))) => text,
        Some(Ok(_)) => return Err("it does not begin as a testhide server does".to_owned()),
        Some(Err(error)) => return Err(error.to_string()),
        None => return Err("it closes the connection".to_owned()),
    };
    match serde_json::from_str(&text) {
        Ok(ServerMessage::Challenge { protocol, time, .. }) => Ok(Greeting {
            time,
            speaks_our_protocol: protocol == PROTOCOL_VERSION,
        }),
        Ok(ServerMessage::Refused { reason, .. }) => Err(reason),
        _ => Err("it does not begin as a testhide server does".to_owned()),
    }
}
