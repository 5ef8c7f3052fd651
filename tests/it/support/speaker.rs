//! An agent that only speaks: the protocol frame by frame, over a real socket, without an agent's program. Knows no test and no server.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use testhide_agent::AgentKey;
use testhide_protocol::api::{StepState, Stream};
use testhide_protocol::wire::{
    AgentMessage, AttemptEnd, Chunk, Frame, Lease, PROTOCOL_VERSION, RecordBody, Resume, Segment,
    ServerMessage, challenge_text, compress_chunk,
};
use testhide_protocol::{AgentId, Timestamp};
use tokio_tungstenite::tungstenite::Message;

/// An enrolled agent.
pub(crate) struct Speaker {
    /// Who it is.
    pub(crate) id: AgentId,
    /// How it proves that.
    pub(crate) key: AgentKey,
    /// Address of the agents' door.
    pub(crate) url: String,
    /// What it can do.
    pub(crate) labels: Vec<String>,
}

type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A connection of it.
pub(crate) struct Spoken(Socket);

impl Speaker {
    /// Connects and introduces itself as one that runs one build at a time.
    pub(crate) async fn connect(&self, holding: Vec<Lease>) -> (Spoken, Vec<Resume>) {
        let (socket, _) = tokio_tungstenite::connect_async(&self.url)
            .await
            .expect("a connection");
        let mut line = Spoken(socket);
        let ServerMessage::Challenge { nonce, .. } = line.hear().await else {
            panic!("the server begins with a challenge")
        };
        let hello = AgentMessage::Hello {
            protocol: PROTOCOL_VERSION,
            agent: self.id,
            signature: self.key.sign_hex(&challenge_text(&nonce, self.id)),
            version: "test".into(),
            platform: "test".into(),
            labels: self.labels.clone(),
            capacity: 1,
            holding,
        };
        line.say(&hello).await;
        match line.hear().await {
            ServerMessage::Welcome { resume, .. } => (line, resume),
            other => panic!("{other:?}"),
        }
    }
}

impl Spoken {
    /// Waits for a build.
    pub(crate) async fn assigned(&mut self) -> Lease {
        match self.hear().await {
            ServerMessage::Assign { assignment } => assignment.lease,
            other => panic!("{other:?}"),
        }
    }

    /// Sends frames of a journal.
    pub(crate) async fn send(&mut self, frames: impl IntoIterator<Item = Message>) {
        for frame in frames {
            self.0.feed(frame).await.expect("it is sent");
        }
        self.0.flush().await.expect("it is sent");
    }

    /// Hears until everything up to `seq` is stored.
    pub(crate) async fn stored(&mut self, lease: Lease, wanted: u64) {
        loop {
            match self.hear().await {
                ServerMessage::Ack { lease: own, seq } if own == lease && seq >= wanted => return,
                ServerMessage::Ack { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn say(&mut self, message: &AgentMessage) {
        let text = serde_json::to_string(message).expect("JSON");
        self.0.send(Message::text(text)).await.expect("it is sent");
    }

    /// The next message that is no heartbeat.
    async fn hear(&mut self) -> ServerMessage {
        loop {
            if let Message::Text(text) = self.0.next().await.expect("open").expect("a frame") {
                match serde_json::from_str(&text).expect("a message") {
                    ServerMessage::Heartbeat { .. } => {}
                    message => return message,
                }
            }
        }
    }
}

/// The first record of an attempt: its only step began.
pub(crate) fn begin(lease: Lease) -> Message {
    let body = RecordBody::StepStarted {
        step: 0,
        time: Timestamp(0),
    };
    record(lease, 1, body)
}

/// The last two records of an attempt whose step wrote `log_bytes` and passed; the first of them has the number `seq`.
pub(crate) fn end(lease: Lease, seq: u64, log_bytes: u64) -> [Message; 2] {
    let passed = RecordBody::StepFinished {
        step: 0,
        status: StepState::Passed,
        exit_code: Some(0),
        message: None,
        duration_ms: 1,
    };
    let ended = RecordBody::Ended {
        end: AttemptEnd::Passed,
        message: None,
        log_bytes,
    };
    [record(lease, seq, passed), record(lease, seq + 1, ended)]
}

fn record(lease: Lease, seq: u64, body: RecordBody) -> Message {
    let message = AgentMessage::Record { lease, seq, body };
    Message::text(serde_json::to_string(&message).expect("JSON"))
}

/// The journal of an attempt whose only step wrote `parts` and passed, as frames; its last record has the number `parts.len() + 3`.
pub(crate) fn journal(lease: Lease, parts: &[Vec<u8>]) -> Vec<Message> {
    let mut frames = vec![begin(lease)];
    let (mut seq, mut offset) = (1, 0);
    for part in parts {
        seq += 1;
        frames.push(chunk(lease, seq, offset, part.len(), compress_chunk(part)));
        offset += part.len() as u64;
    }
    frames.extend(end(lease, seq + 1, offset));
    frames
}

/// A frame with a chunk of standard output: `length` raw bytes, compressed as `data`.
pub(crate) fn chunk(lease: Lease, seq: u64, offset: u64, length: usize, data: Bytes) -> Message {
    let raw_len = u32::try_from(length).expect("a small chunk");
    let chunk = Chunk {
        offset,
        raw_len,
        step: 0,
        time: Timestamp(0),
        elapsed_ms: 0,
        segments: vec![Segment {
            stream: Stream::Stdout,
            len: raw_len,
        }],
        data,
    };
    Message::binary(Frame::Chunk { lease, seq, chunk }.encode())
}
