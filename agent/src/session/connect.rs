//! Opens the WebSocket.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

/// How long name lookup, TCP, TLS and upgrade may take together.
const LIMIT: Duration = Duration::from_secs(15);

/// The most bytes in one message of the server; an assignment with a large definition is far below.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// A connection.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
/// The half that sends.
pub(super) type Sender = SplitSink<Socket, Message>;
/// The half that hears.
pub(super) type Receiver = SplitStream<Socket>;

/// Connects to the agents' WebSocket at `url`.
///
/// # Errors
/// In words: not reachable, not a testhide server, or too slow.
pub(super) async fn connect(url: &str) -> Result<Socket, String> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        // Larger than a log chunk, so that each goes out with its neighbours.
        .write_buffer_size(256 * 1024);
    // Nagle's algorithm would hold an interactive line back for an acknowledgement.
    let no_nagle = true;
    match timeout(
        LIMIT,
        connect_async_with_config(url, Some(config), no_nagle),
    )
    .await
    {
        Ok(Ok((socket, _response))) => Ok(socket),
        Ok(Err(Error::Http(response))) => Err(format!(
            "the server answers with status {}",
            response.status()
        )),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}
