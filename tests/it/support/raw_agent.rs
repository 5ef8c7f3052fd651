//! An agent without a program: it speaks the protocol frame by frame.

use super::server::TestServer;
use futures_util::{SinkExt, StreamExt};
use std::time::Duration;
use testhide_agent::AgentKey;
use testhide_protocol::api::StepState;
use testhide_protocol::wire::{
    AgentMessage, Assignment, AttemptEnd, FileKind, Frame, Lease, PROTOCOL_VERSION, RecordBody,
    Resume, ServerMessage, challenge_text,
};
use testhide_protocol::{AgentId, Timestamp};
use tokio_tungstenite::tungstenite::Message;

/// How long an answer may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// An enrolled agent that only speaks.
pub(crate) struct RawAgent {
    /// Who.
    pub(crate) id: AgentId,
    key: AgentKey,
    url: String,
}

/// What it speaks over.
pub(crate) type Socket =
    tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

/// A connection of it.
pub(crate) struct Line(pub(crate) Socket);

impl RawAgent {
    /// Enrols it.
    pub(crate) async fn enrol(server: &TestServer, name: &str) -> Self {
        let key = AgentKey::load_or_create(&server.path(&format!("{name}.key"))).expect("a key");
        Self {
            id: server.enrol(name, &key).await,
            key,
            url: format!("{}/ws/agent", server.root.base().replace("http", "ws")),
        }
    }

    /// The same agent with another key.
    pub(crate) fn with_key(&self, key: AgentKey) -> Self {
        let (id, url) = (self.id, self.url.clone());
        Self { id, key, url }
    }

    /// Connects and introduces itself as `change` makes it; answers the server's word to that.
    pub(crate) async fn introduce(
        &self,
        change: impl FnOnce(&mut serde_json::Value),
    ) -> (Line, ServerMessage) {
        let (socket, _) = tokio_tungstenite::connect_async(&self.url)
            .await
            .expect("a connection");
        let mut line = Line(socket);
        let ServerMessage::Challenge { nonce, .. } = line.hear().await else {
            panic!("the server begins with a challenge")
        };
        let hello = AgentMessage::Hello {
            protocol: PROTOCOL_VERSION,
            agent: self.id,
            signature: self.key.sign_hex(&challenge_text(&nonce, self.id)),
            version: "test".into(),
            platform: "test".into(),
            labels: vec![],
            capacity: 2,
            holding: vec![],
        };
        let mut hello = serde_json::to_value(&hello).expect("JSON");
        change(&mut hello);
        line.text(&hello.to_string()).await;
        let answer = line.hear().await;
        (line, answer)
    }

    /// Connects with these leases in hand.
    pub(crate) async fn connect(&self, holding: Vec<Lease>) -> (Line, Vec<Resume>) {
        let holding = serde_json::to_value(&holding).expect("JSON");
        let (line, answer) = self.introduce(|hello| hello["holding"] = holding).await;
        match answer {
            ServerMessage::Welcome { resume, .. } => (line, resume),
            other => panic!("{other:?}"),
        }
    }
}

impl Line {
    /// Says something.
    pub(crate) async fn say(&mut self, message: &AgentMessage) {
        let text = serde_json::to_string(message).expect("JSON");
        self.text(&text).await;
    }

    /// Sends any text.
    pub(crate) async fn text(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("it is sent");
    }

    /// Sends any bytes.
    pub(crate) async fn bytes(&mut self, bytes: impl Into<bytes::Bytes>) {
        let frame = Message::binary(bytes.into());
        self.0.send(frame).await.expect("it is sent");
    }

    /// A journal record.
    pub(crate) async fn record(&mut self, lease: Lease, seq: u64, body: RecordBody) {
        self.say(&AgentMessage::Record { lease, seq, body }).await;
    }

    /// The parts of a file and its record.
    pub(crate) async fn file(
        &mut self,
        lease: Lease,
        seq: u64,
        kind: FileKind,
        path: &str,
        bytes: &[u8],
    ) {
        let file = u32::try_from(seq).expect("few records");
        let mut offset = 0;
        for part in bytes.chunks(128 * 1024) {
            let data = bytes::Bytes::copy_from_slice(part);
            let frame = Frame::File {
                lease,
                file,
                offset,
                data,
            };
            self.bytes(frame.encode()).await;
            offset += part.len() as u64;
        }
        let body = RecordBody::File {
            file,
            kind,
            step: 0,
            path: path.to_owned(),
            size: offset,
            modified_at: None,
            partial: false,
        };
        self.record(lease, seq, body).await;
    }

    /// The next message that is no heartbeat.
    pub(crate) async fn hear(&mut self) -> ServerMessage {
        let heard = async {
            loop {
                if let Message::Text(text) = self.0.next().await.expect("open").expect("a frame") {
                    match serde_json::from_str(&text).expect("a message") {
                        ServerMessage::Heartbeat { .. } => {}
                        message => return message,
                    }
                }
            }
        };
        tokio::time::timeout(PATIENCE, heard)
            .await
            .expect("the server answers")
    }

    /// The next message, which is work.
    pub(crate) async fn assigned(&mut self) -> Assignment {
        match self.hear().await {
            ServerMessage::Assign { assignment } => *assignment,
            other => panic!("{other:?}"),
        }
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
}

/// A record.
pub(crate) fn started(step: u32) -> RecordBody {
    RecordBody::StepStarted {
        step,
        time: Timestamp(0),
    }
}

/// A record.
pub(crate) fn passed(step: u32) -> RecordBody {
    RecordBody::StepFinished {
        step,
        status: StepState::Passed,
        exit_code: Some(0),
        message: None,
        duration_ms: 1,
    }
}

/// A record.
pub(crate) fn ended() -> RecordBody {
    RecordBody::Ended {
        end: AttemptEnd::Passed,
        message: None,
        log_bytes: 0,
    }
}
