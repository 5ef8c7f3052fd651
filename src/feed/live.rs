//! `/ws/live`: the feed as it happens. A client that comes back says the last sequence number it has.

use super::visible::Feed;
use crate::accounts::Caller;
use crate::web::{ApiError, ApiResult, Query};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, header};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use std::time::Duration;

/// Events in one go.
const BATCH: usize = 200;

/// Pause after which a silent feed sends a ping, which also finds clients that are gone.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a frame may take to leave; a reader slower than that is dropped and comes back with its last number.
const SEND_PATIENCE: Duration = Duration::from_secs(20);

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
    Caller(_): Caller,
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
    Ok(upgrade
        .max_message_size(4096)
        .on_upgrade(move |socket| follow(feed, bearer, socket, after)))
}

fn same_origin(origin: &str, headers: &HeaderMap) -> bool {
    let host = headers
        .get(header::HOST)
        .and_then(|host| host.to_str().ok())
        .unwrap_or_default();
    let origin_host = origin.split_once("://").map_or("", |(_, host)| host);
    !host.is_empty() && origin_host == host
}

async fn follow(feed: Feed, bearer: String, mut socket: WebSocket, mut after: u64) {
    let stopping = feed.tasks.stopping();
    loop {
        // Asked anew each time: a token that ended or was revoked, or a permission that was taken away, ends what it gave.
        let Ok(principal) = feed.accounts.authenticate(&bearer) else {
            return;
        };
        let heard = tokio::select! {
            heard = feed.hear(&principal, after, BATCH, PATIENCE) => heard,
            frame = socket.recv() => match frame {
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
            () = stopping.cancelled() => return,
        };
        let Ok(heard) = heard else { return };
        after = heard.reached.max(after);
        let mut frames: Vec<Message> = Vec::with_capacity(heard.events.len().max(1));
        for record in &heard.events {
            let Ok(text) = serde_json::to_string(record) else {
                return;
            };
            frames.push(Message::Text(text.into()));
        }
        if frames.is_empty() {
            frames.push(Message::Ping(axum::body::Bytes::new()));
        }
        for frame in frames {
            match tokio::time::timeout(SEND_PATIENCE, socket.send(frame)).await {
                Ok(Ok(())) => {}
                _ => return,
            }
        }
    }
}
