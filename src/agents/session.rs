//! An agent's WebSocket: three loops over one connection, none of which waits for another.
//!
//! *Reading* takes frames as they come and notes every sign of life; *working* gathers frames, applies them, answers, and hands out
//! builds; *writing* sends what working says, and a heartbeat when it says nothing. A slow disk therefore never looks like a dead server.

use super::connect::{Connected, Turned};
use super::incoming::{self, Incoming};
use super::refusal::{Breach, RefusalKind};
use super::store::Agents;
use super::working::Working;
use crate::kit::{Bucket, Rate, random_bytes, to_hex};
use crate::web::{ApiError, ClientAddress};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::net::IpAddr;
use std::time::Duration;
use testhide_protocol::wire::{MAX_CHUNK_WIRE, PROTOCOL_VERSION, ServerMessage};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

/// Seconds between heartbeats, both ways.
const HEARTBEAT_SECONDS: u32 = 5;

/// How long a new connection may take to prove who it is.
const HELLO_PATIENCE: Duration = Duration::from_secs(10);

/// Silence after which a connection is given up; its agent comes back if it can.
const SILENCE: Duration = Duration::from_secs(20);

/// How long one frame may take to leave.
const SEND_PATIENCE: Duration = Duration::from_secs(20);

/// Frames that wait between reading and working: at most this many times a chunk's size in memory.
pub(super) const FRAMES: usize = 32;

/// How often an agent that is not read from, because what it said before waits for the disk, counts as heard.
const WAITING: Duration = Duration::from_secs(1);

/// Milliseconds after which agents come back when the server ends in order.
const COME_BACK_MS: u64 = 500;

/// Frames of a connection that are no journal: heartbeats come every 5 s, declines once a build. Journals are held back by the disk instead.
const CONTROL: Rate = Rate {
    burst: 50,
    per_second: 2.0,
};

/// The agents' door: `/ws/agent`.
pub fn socket_routes(agents: Agents) -> Router {
    Router::new()
        .route("/ws/agent", get(upgrade))
        .with_state(agents)
}

async fn upgrade(
    State(agents): State<Agents>,
    ClientAddress(address): ClientAddress,
    upgrade: WebSocketUpgrade,
) -> Response {
    let Some(place) = agents.door.knock(address) else {
        let text = "too many connections at once";
        let breach = Breach::new(RefusalKind::OverRate, text);
        agents.refused_stranger(address, &breach).await;
        let error = ApiError::new(429, "over_rate", text).retry_after(2);
        return error.into_response();
    };
    let limit = MAX_CHUNK_WIRE + 64 * 1024;
    upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_upgrade(move |socket| async move {
            let tasks = agents.tasks.clone();
            let (done, ended) = tokio::sync::oneshot::channel::<()>();
            tasks.spawn(async move {
                serve(agents, socket, address, place).await;
                drop(done);
            });
            drop(ended.await);
        })
}

async fn serve(
    agents: Agents,
    socket: WebSocket,
    address: Option<IpAddr>,
    place: OwnedSemaphorePermit,
) {
    let (mut sink, mut stream) = socket.split();
    let kick = agents.tasks.stopping().child_token();
    let introduced = introduce(&agents, &mut sink, &mut stream, address, kick.clone()).await;
    drop(place);
    let connected = match introduced {
        Ok(Some(connected)) => connected,
        Ok(None) => return,
        Err(turned) => {
            tracing::info!("agent turned away: {} ({})", turned.reason, turned.code);
            count(&agents, &turned, address).await;
            refuse(&mut sink, turned).await;
            return;
        }
    };
    tracing::info!(agent.id = %connected.agent, "agent `{}` connected", connected.name);
    let (to_work, frames) = mpsc::channel(FRAMES);
    let (to_agent, outbox) = mpsc::channel(FRAMES);
    let mut working = Working::new(agents.clone(), connected.clone(), to_agent.clone());
    let end = tokio::select! {
        biased;
        // First: a ghost that works once more would take what its successor was just given for lost.
        () = kick.cancelled() => End::Kicked,
        end = read(&agents, &connected, stream, to_work) => end,
        end = write(&agents, &mut sink, outbox) => end,
        end = working.run(frames) => end,
    };
    let why = match end {
        End::Gone(reason) => {
            tracing::info!(agent.id = %connected.agent, "agent `{}` is gone: {reason}", connected.name);
            reason
        }
        End::Turned(mut turned) => {
            tracing::warn!(agent.id = %connected.agent, "agent `{}` is turned away: {}", connected.name, turned.reason);
            turned.peer = Some(connected.peer());
            count(&agents, &turned, address).await;
            refuse(&mut sink, turned.clone()).await;
            format!("turned away: {}", turned.reason)
        }
        End::Kicked => {
            let message = ServerMessage::GoAway {
                retry_after_ms: COME_BACK_MS,
            };
            drop(send(&mut sink, &message).await);
            drop(sink.close().await);
            "the server ended it".to_owned()
        }
    };
    agents.disconnect(&connected, &why).await;
}

/// Counts what was refused of an agent, or of somebody who is none.
async fn count(agents: &Agents, turned: &Turned, address: Option<IpAddr>) {
    match (turned.refusal, &turned.peer) {
        (Some(kind), Some(peer)) => {
            let breach = Breach::new(kind, turned.reason.clone());
            agents.refused(peer, &breach).await;
        }
        (Some(kind), None) => {
            let breach = Breach::new(kind, turned.reason.clone());
            agents.refused_stranger(address, &breach).await;
        }
        (None, Some(peer)) => agents.note_error(peer.agent, &turned.reason),
        (None, None) => {}
    }
}

/// How a session ended.
pub(super) enum End {
    /// The connection broke or fell silent.
    Gone(String),
    /// The agent broke the protocol, or the store refuses.
    Turned(Turned),
    /// The server ends, or a newer session of the same agent took over.
    Kicked,
}

type Sink = SplitSink<WebSocket, Message>;

/// Challenge, answer, welcome. `None` when the connection broke meanwhile.
async fn introduce(
    agents: &Agents,
    sink: &mut Sink,
    stream: &mut SplitStream<WebSocket>,
    address: Option<IpAddr>,
    kick: CancellationToken,
) -> Result<Option<Connected>, Turned> {
    let nonce = to_hex(&random_bytes::<32>());
    let challenge = ServerMessage::Challenge {
        protocol: PROTOCOL_VERSION,
        nonce: nonce.clone(),
        time: agents.clock.now(),
    };
    if send(sink, &challenge).await.is_err() {
        return Ok(None);
    }
    let first = tokio::time::timeout(HELLO_PATIENCE, stream.next()).await;
    let text = match first {
        Ok(Some(Ok(Message::Text(text)))) => text,
        Ok(Some(Ok(_))) => {
            return Err(Turned::for_good(
                "hello_expected",
                RefusalKind::NoHello,
                "the first frame must be `hello`",
            ));
        }
        Ok(Some(Err(_)) | None) | Err(_) => return Ok(None),
    };
    let hello = incoming::message(&text)
        .map_err(|breach| Turned::for_good("hello_expected", breach.kind, breach.reason))?;
    let connected = agents.connect(&nonce, hello, address, kick).await?;
    let welcome = ServerMessage::Welcome {
        heartbeat_seconds: HEARTBEAT_SECONDS,
        resume: connected.resumed.resume.clone(),
    };
    if send(sink, &welcome).await.is_err() {
        agents.disconnect(&connected, "it was gone already").await;
        return Ok(None);
    }
    Ok(Some(connected))
}

async fn read(
    agents: &Agents,
    connected: &Connected,
    mut stream: SplitStream<WebSocket>,
    to_work: mpsc::Sender<Incoming>,
) -> End {
    let mut control = Bucket::new(CONTROL, agents.clock.monotonic());
    loop {
        let frame = match tokio::time::timeout(SILENCE, stream.next()).await {
            Err(_) => return End::Gone(format!("silent for {} s", SILENCE.as_secs())),
            Ok(None) => return End::Gone("it closed the connection".to_owned()),
            Ok(Some(Err(error))) => return End::Gone(error.to_string()),
            Ok(Some(Ok(frame))) => frame,
        };
        agents.live.heard(connected.agent);
        let incoming = match frame {
            Message::Binary(bytes) => incoming::binary(bytes).map(Some),
            Message::Text(text) => incoming::text(&text).map(Some),
            Message::Ping(_) | Message::Pong(_) => Ok(None),
            Message::Close(_) => return End::Gone("it closed the connection".to_owned()),
        };
        let is_control = matches!(
            incoming,
            Ok(None | Some(Incoming::Heartbeat(_) | Incoming::Declined { .. }))
        );
        if is_control && !control.take(agents.clock.monotonic()) {
            let reason = "it sends more heartbeats and answers than it can have reason for";
            let breach = Breach::new(RefusalKind::OverRate, reason);
            return End::Turned(Turned::broken(breach));
        }
        match incoming {
            Ok(None) => {}
            Ok(Some(Incoming::Heartbeat(metrics))) => {
                let now = agents.clock.now();
                let note = |metrics| agents.metrics.note(connected.agent, now, metrics);
                if metrics.is_some_and(|metrics| !note(metrics)) {
                    let reason = "its machine cannot be as it says";
                    let breach = Breach::new(RefusalKind::BadMetrics, reason);
                    agents.refused(&connected.peer(), &breach).await;
                }
            }
            Ok(Some(incoming)) => {
                if !hand_over(agents, connected, &to_work, incoming).await {
                    return End::Gone("its session ended".to_owned());
                }
            }
            Err(breach) => return End::Turned(Turned::broken(breach)),
        }
    }
}

/// Waits for room for a frame; that the server is slow is no silence of the agent. Says whether somebody works still.
async fn hand_over(
    agents: &Agents,
    connected: &Connected,
    to_work: &mpsc::Sender<Incoming>,
    incoming: Incoming,
) -> bool {
    let mut sending = std::pin::pin!(to_work.send(incoming));
    loop {
        match tokio::time::timeout(WAITING, &mut sending).await {
            Ok(sent) => {
                agents.live.heard(connected.agent);
                return sent.is_ok();
            }
            Err(_) => agents.live.heard(connected.agent),
        }
    }
}

async fn write(agents: &Agents, sink: &mut Sink, mut outbox: mpsc::Receiver<ServerMessage>) -> End {
    let mut beat = tokio::time::interval(Duration::from_secs(u64::from(HEARTBEAT_SECONDS)));
    loop {
        let message = tokio::select! {
            biased;
            message = outbox.recv() => match message {
                Some(message) => message,
                None => return End::Gone("its session ended".to_owned()),
            },
            _ = beat.tick() => ServerMessage::Heartbeat { time: agents.clock.now() },
        };
        if let Err(reason) = send(sink, &message).await {
            return End::Gone(reason);
        }
    }
}

async fn refuse(sink: &mut Sink, turned: Turned) {
    let message = ServerMessage::Refused {
        code: turned.code.to_owned(),
        reason: turned.reason,
        retry: turned.retry,
    };
    let text = serde_json::to_string(&message).expect("a message has only text keys");
    let close = Message::Close(Some(CloseFrame {
        code: close_code::POLICY,
        reason: turned.code.into(),
    }));
    let farewell = async {
        sink.send(Message::Text(text.into())).await?;
        sink.send(close).await
    };
    drop(tokio::time::timeout(SEND_PATIENCE, farewell).await);
}

async fn send(sink: &mut Sink, message: &ServerMessage) -> Result<(), String> {
    let text = serde_json::to_string(message).expect("a message has only text keys");
    match tokio::time::timeout(SEND_PATIENCE, sink.send(Message::Text(text.into()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!(
            "a frame did not leave within {} s",
            SEND_PATIENCE.as_secs()
        )),
    }
}
