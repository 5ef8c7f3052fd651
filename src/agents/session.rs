//! An agent's WebSocket: three loops over one connection, none of which waits for another.
//!
//! *Reading* takes frames as they come and notes every sign of life; *working* gathers frames, applies them, answers, and hands out
//! builds; *writing* sends what working says, and a heartbeat when it says nothing. A slow disk therefore never looks like a dead server.

use super::connect::{Connected, Turned};
use super::incoming::{self, Incoming};
use super::store::Agents;
use super::working::Working;
use crate::kit::{random_bytes, to_hex};
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::Response;
use axum::routing::get;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use testhide_protocol::wire::{MAX_CHUNK_WIRE, PROTOCOL_VERSION, ServerMessage};
use tokio::sync::mpsc;
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

/// The agents' door: `/ws/agent`.
pub fn socket_routes(agents: Agents) -> Router {
    Router::new()
        .route("/ws/agent", get(upgrade))
        .with_state(agents)
}

async fn upgrade(State(agents): State<Agents>, upgrade: WebSocketUpgrade) -> Response {
    let limit = MAX_CHUNK_WIRE + 64 * 1024;
    upgrade
        .max_message_size(limit)
        .max_frame_size(limit)
        .on_upgrade(move |socket| async move {
            let tasks = agents.tasks.clone();
            let (done, ended) = tokio::sync::oneshot::channel::<()>();
            tasks.spawn(async move {
                serve(agents, socket).await;
                drop(done);
            });
            drop(ended.await);
        })
}

async fn serve(agents: Agents, socket: WebSocket) {
    let (mut sink, mut stream) = socket.split();
    let kick = agents.tasks.stopping().child_token();
    let connected = match introduce(&agents, &mut sink, &mut stream, kick.clone()).await {
        Ok(Some(connected)) => connected,
        Ok(None) => return,
        Err(turned) => {
            tracing::info!("agent turned away: {} ({})", turned.reason, turned.code);
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
        end = read(&agents, &connected, stream, to_work) => end,
        end = write(&agents, &mut sink, outbox) => end,
        end = working.run(frames) => end,
        () = kick.cancelled() => End::Kicked,
    };
    match &end {
        End::Gone(reason) => {
            tracing::info!(agent.id = %connected.agent, "agent `{}` is gone: {reason}", connected.name);
        }
        End::Turned(turned) => {
            tracing::warn!(agent.id = %connected.agent, "agent `{}` is turned away: {}", connected.name, turned.reason);
            refuse(&mut sink, turned.clone()).await;
        }
        End::Kicked => {
            let message = ServerMessage::GoAway {
                retry_after_ms: COME_BACK_MS,
            };
            drop(send(&mut sink, &message).await);
            drop(sink.close().await);
        }
    }
    agents.disconnect(connected.agent, connected.session).await;
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
                "the first frame must be `hello`",
            ));
        }
        Ok(Some(Err(_)) | None) | Err(_) => return Ok(None),
    };
    let hello =
        incoming::message(&text).map_err(|reason| Turned::for_good("hello_expected", reason))?;
    let connected = agents.connect(&nonce, hello, kick).await?;
    let welcome = ServerMessage::Welcome {
        heartbeat_seconds: HEARTBEAT_SECONDS,
        resume: connected.resumed.resume.clone(),
    };
    if send(sink, &welcome).await.is_err() {
        agents.disconnect(connected.agent, connected.session).await;
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
    loop {
        let frame = match tokio::time::timeout(SILENCE, stream.next()).await {
            Err(_) => return End::Gone(format!("silent for {} s", SILENCE.as_secs())),
            Ok(None) => return End::Gone("it closed the connection".to_owned()),
            Ok(Some(Err(error))) => return End::Gone(error.to_string()),
            Ok(Some(Ok(frame))) => frame,
        };
        agents.live.heard(connected.agent);
        let incoming = match frame {
            Message::Binary(bytes) => incoming::binary(bytes),
            Message::Text(text) => incoming::text(&text),
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return End::Gone("it closed the connection".to_owned()),
        };
        match incoming {
            Ok(Incoming::Heartbeat(metrics)) => {
                if let Some(metrics) = metrics {
                    let now = agents.clock.now();
                    agents.metrics.note(connected.agent, now, metrics);
                }
            }
            Ok(incoming) => {
                if !hand_over(agents, connected, &to_work, incoming).await {
                    return End::Gone("its session ended".to_owned());
                }
            }
            Err(reason) => return End::Turned(Turned::for_now("protocol", reason)),
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
