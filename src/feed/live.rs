//! `/ws/live`: the feed as it happens. A client that comes back says the last sequence number it has.
//!
//! The server ends a feed with a close frame that says why and where to go on, as `too_slow after=1204`. For a reader that takes nothing, a few
//! frames wait in memory, and only for as long as the server is patient.

use super::visible::Feed;
use crate::accounts::Caller;
use crate::web::{ApiError, ApiResult, Query, Seat, Turn};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::get;
use futures_util::SinkExt;
use serde::Deserialize;
use std::convert::Infallible;
use std::time::Duration;
use testhide_protocol::api::EventRecord;

/// Events in one go.
const BATCH: usize = 200;

/// Pause after which a silent feed sends a ping, which also finds clients that are gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of frames that are gathered before they are written; besides them waits at most one frame.
const WRITE_BUFFER: usize = 32 * 1024;

/// The live feed: `/ws/live?after=SEQ`.
pub fn socket_routes(feed: Feed) -> Router {
    Router::new()
        .route("/ws/live", get(upgrade))
        .with_state(feed)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct LiveQuery {
    after: Option<u64>,
}

async fn upgrade(
    State(feed): State<Feed>,
    Caller(principal): Caller,
    Query(query): Query<LiveQuery>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> ApiResult<Response> {
    // A page of another origin must not ride on somebody's session; programs send no Origin.
    if let Some(origin) = headers.get(header::ORIGIN)
        && !same_origin(origin.to_str().unwrap_or_default(), &headers)
    {
        return Err(ApiError::forbidden(
            "the feed is not for pages of another origin",
        ));
    }
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok());
    let bearer = bearer
        .and_then(|value| value.split_once(' '))
        .map(|(_, token)| token.trim().to_owned());
    let bearer = bearer.ok_or_else(ApiError::unauthenticated)?;
    let after = match query.after {
        Some(after) => after,
        None => feed.log.last()?,
    };
    let seat = feed.viewers.wait_seat(principal.user)?;
    let follower = Follower {
        feed,
        bearer,
        after,
        _seat: seat,
    };
    Ok(upgrade
        .max_message_size(4096)
        .write_buffer_size(WRITE_BUFFER)
        .on_upgrade(move |socket| follower.follow(socket)))
}

fn same_origin(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let origin_host = origin.split_once("://").map_or("", |(_, host)| host);
    !host.is_empty() && origin_host == host
}

/// One reader of the feed.
struct Follower {
    feed: Feed,
    bearer: String,
    /// The last number that was handed to the connection.
    after: u64,
    _seat: Seat,
}

/// Why a feed ends.
enum End {
    /// The reader is gone; nobody is left to be told.
    Gone,
    /// The reader takes too little.
    TooSlow,
    /// The token has ended, was revoked, or its account is gone.
    NotAuthenticated,
    /// The server ends.
    Closing,
    /// The store failed.
    Failed,
}

impl Follower {
    async fn follow(mut self, mut socket: WebSocket) {
        let end = match self.serve(&mut socket).await {
            Ok(never) => match never {},
            Err(end) => end,
        };
        let (code, word) = match end {
            End::Gone => return,
            End::TooSlow => (close_code::AGAIN, "too_slow"),
            End::NotAuthenticated => (close_code::POLICY, "not_authenticated"),
            End::Closing => (close_code::RESTART, "closing"),
            End::Failed => (close_code::ERROR, "internal"),
        };
        let reason = format!("{word} after={}", self.after).into();
        let goodbye = socket.send(Message::Close(Some(CloseFrame { code, reason })));
        // Whoever reads again in time learns where to go on; the others go on from the last number they saw.
        drop(tokio::time::timeout(self.patience(), goodbye).await);
    }

    async fn serve(&mut self, socket: &mut WebSocket) -> Result<Infallible, End> {
        let stopping = self.feed.tasks.stopping();
        loop {
            self.feed.viewers.turn(Turn::Feed).await;
            // Asked anew each time: a token that ended or was revoked, or a permission that was taken away, ends what it gave.
            let principal = self
                .feed
                .accounts
                .authenticate(&self.bearer)
                .map_err(|_| End::NotAuthenticated)?;
            let heard = {
                // One look, whatever the reader sends meanwhile: a look that began cannot be taken back, and each may be long.
                let hearing = self.feed.hear(&principal, self.after, BATCH, PATIENCE);
                let mut hearing = std::pin::pin!(hearing);
                loop {
                    tokio::select! {
                        heard = &mut hearing => break heard,
                        frame = socket.recv() => match frame {
                            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone),
                            Some(Ok(_)) => {}
                        },
                        () = stopping.cancelled() => return Err(End::Closing),
                    }
                }
            };
            let heard = heard.map_err(|_| End::Failed)?;
            if stopping.is_cancelled() && heard.events.is_empty() {
                return Err(End::Closing);
            }
            let reached = heard.reached.max(self.after);
            self.send(socket, heard.events).await?;
            self.after = reached;
        }
    }

    /// Sends events, or a ping where there are none.
    async fn send(&mut self, socket: &mut WebSocket, events: Vec<EventRecord>) -> Result<(), End> {
        let patience = self.patience();
        if events.is_empty() {
            let ping = Message::Ping(axum::body::Bytes::new());
            return in_time(patience, socket.send(ping)).await;
        }
        for record in events {
            let text = serde_json::to_string(&record).map_err(|_| End::Failed)?;
            self.feed.viewers.took(text.len());
            in_time(patience, socket.feed(Message::Text(text.into()))).await?;
            self.after = record.seq;
        }
        in_time(patience, socket.flush()).await
    }

    /// Half of what the connection itself allows: so there is time for a last word.
    fn patience(&self) -> Duration {
        self.feed.viewers.limits().patience / 2
    }
}

async fn in_time(
    patience: Duration,
    sending: impl Future<Output = Result<(), axum::Error>>,
) -> Result<(), End> {
    match tokio::time::timeout(patience, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone),
        Err(_) => Err(End::TooSlow),
    }
}
