//! Opens the WebSocket.

use std::time::Duration;

use futures_util::stream::{SplitSink, SplitStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message, protocol::WebSocketConfig};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_tls_with_config};

use super::uplink::{ByteStream, Uplink};

/// How long name lookup, TCP, TLS and upgrade may take together.
const LIMIT: Duration = Duration::from_secs(15);

/// The most bytes in one message of the server; an assignment with a large definition is far below.
const MAX_MESSAGE: usize = 16 * 1024 * 1024;

/// A connection.
pub(super) type Socket = WebSocketStream<MaybeTlsStream<Box<dyn ByteStream>>>;
/// The half that sends.
pub(super) type Sender = SplitSink<Socket, Message>;
/// The half that hears.
pub(super) type Receiver = SplitStream<Socket>;

/// Connects to the agents' WebSocket at `url`.
///
/// # Errors
/// In words: not reachable, not a testhide server, or too slow.
pub(super) async fn connect(uplink: &dyn Uplink, url: &str) -> Result<Socket, String> {
    match timeout(LIMIT, open(uplink, url)).await {
        Ok(Ok(socket)) => Ok(socket),
        Ok(Err(Error::Http(response))) => Err(format!(
            "the server answers with status {}",
            response.status()
        )),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("no answer within {} s", LIMIT.as_secs())),
    }
}

async fn open(uplink: &dyn Uplink, url: &str) -> Result<Socket, Error> {
    let config = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE))
        .max_frame_size(Some(MAX_MESSAGE))
        // Larger than a log chunk, so that each goes out with its neighbours.
        .write_buffer_size(256 * 1024);
    let request = url.into_client_request()?;
    let uri = request.uri();
    let host = uri.host().unwrap_or_default();
    // An IPv6 address stands in brackets in a URL.
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let port = match (uri.port_u16(), uri.scheme_str()) {
        (Some(port), _) => port,
        (None, Some("wss")) => 443,
        (None, _) => 80,
    };
    let stream = uplink.open(host, port).await?;
    let (socket, _response) =
        client_async_tls_with_config(request.clone(), stream, Some(config), None).await?;
    Ok(socket)
}
