//! A whole agent against a small server in the test.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use data_encoding::HEXLOWER;
use futures_util::{SinkExt, StreamExt};
use ring::signature::{ED25519, UnparsedPublicKey};
use testhide_protocol::api::{ProviderKind, Step, StepState, Stream};
use testhide_protocol::wire::{
    AgentMessage, Assignment, AttemptEnd, FileKind, Frame, Lease, PROTOCOL_VERSION, RecordBody,
    Resume, ServerMessage, challenge_text, decompress_chunk,
};
use testhide_protocol::{AgentId, Timestamp};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{WebSocketStream, accept_async};
use tokio_util::sync::CancellationToken;

use super::{Scratch, assignment, lease, within};
use crate::spool::{Journal, SpoolDir};
use crate::{Agent, AgentError, AgentKey, AgentOptions, Boot, InProcess, Runner, run};

/// An agent in this process.
pub(super) struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), AgentError>>,
}

impl Running {
    /// Ends it as a `kill -9` of its process would.
    pub(super) async fn kill(self) {
        self.task.abort();
        assert!(within(self.task).await.unwrap_err().is_cancelled());
    }

    pub(super) async fn stop(self) -> Result<(), AgentError> {
        self.shutdown.cancel();
        within(self.task).await.unwrap()
    }
}

/// A server that applies each record once and in order, as the real one does.
pub(super) struct Server {
    scratch: Scratch,
    listener: TcpListener,
    agent_id: AgentId,
    key: AgentKey,
    pub(super) stored: HashMap<Lease, Vec<RecordBody>>,
    pub(super) log: HashMap<Lease, BTreeMap<&'static str, Vec<u8>>>,
    files: HashMap<(Lease, u32), Vec<u8>>,
    declined: Vec<Lease>,
}

pub(super) struct Connection {
    socket: WebSocketStream<TcpStream>,
    pub(super) holding: Vec<Lease>,
}

impl Connection {
    pub(super) async fn send(&mut self, message: ServerMessage) {
        let text = serde_json::to_string(&message).unwrap();
        // The agent may be gone already; what comes of it is checked elsewhere.
        drop(self.socket.send(Message::text(text)).await);
    }

    pub(super) async fn assign(&mut self, assignment: &Assignment) {
        self.send(ServerMessage::Assign {
            assignment: Box::new(assignment.clone()),
        })
        .await;
    }
}

impl Server {
    pub(super) async fn start() -> Self {
        let scratch = Scratch::new();
        let key = AgentKey::load_or_create(&scratch.path().join("key")).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let agent_id = AgentId::generate();
        let (stored, log, files) = Default::default();
        Self {
            scratch,
            listener,
            agent_id,
            key,
            stored,
            log,
            files,
            declined: Vec::new(),
        }
    }

    pub(super) fn agent(&self) -> Running {
        self.agent_with(Arc::new(InProcess::default()), |_| {})
    }

    pub(super) fn agent_with(
        &self,
        runner: Arc<dyn Runner>,
        change: impl FnOnce(&mut AgentOptions),
    ) -> Running {
        let mut options = AgentOptions::new(
            format!("ws://{}", self.listener.local_addr().unwrap()),
            self.scratch.path().join("agent"),
            self.agent_id,
            self.key.clone(),
            runner,
        );
        options.capacity = 2;
        change(&mut options);
        let (agent, shutdown) = (Agent::new(options).unwrap(), CancellationToken::new());
        let task = tokio::spawn(run(agent, shutdown.clone()));
        Running { shutdown, task }
    }

    /// The spool directory of an attempt.
    pub(super) fn spool_of(&self, lease: Lease) -> PathBuf {
        let root = self.scratch.path().join("agent/spool");
        SpoolDir::of(&root, lease).path().to_owned()
    }

    /// The workspace of the only job.
    pub(super) fn workspace(&self) -> PathBuf {
        self.scratch.path().join("agent/workspaces/project/job")
    }

    /// The journal of an attempt that an earlier agent process and its runner left.
    pub(super) fn left_behind(&self, lease: Lease, boot: Boot) -> Journal {
        Journal::create(self.spool_left_behind(lease), boot).unwrap()
    }

    /// The directory of an attempt that an earlier agent process made.
    pub(super) fn spool_left_behind(&self, lease: Lease) -> SpoolDir {
        let root = self.scratch.path().join("agent/spool");
        std::fs::create_dir_all(&root).unwrap();
        let scratch = Scratch::new();
        let made = scratch.spool_dir(lease);
        let dir = SpoolDir::of(&root, lease);
        std::fs::rename(made.path(), dir.path()).unwrap();
        dir
    }

    pub(super) fn spools(&self) -> usize {
        std::fs::read_dir(self.scratch.path().join("agent/spool"))
            .unwrap()
            .count()
    }

    /// Waits for the agent, checks who it is, and welcomes it.
    pub(super) async fn welcome(&self) -> Connection {
        let (mut connection, _) = self.introduce().await;
        let resume = connection
            .holding
            .iter()
            .map(|lease| Resume {
                lease: *lease,
                seq: self.seq(lease),
                ended: self.end_of(lease).is_some(),
                log_bytes: self.log_bytes(lease),
            })
            .collect();
        connection
            .send(ServerMessage::Welcome {
                heartbeat_seconds: 1,
                resume,
            })
            .await;
        connection
    }

    async fn introduce(&self) -> (Connection, AgentId) {
        within(async {
            let (stream, _) = self.listener.accept().await.unwrap();
            let mut connection = Connection {
                socket: accept_async(stream).await.unwrap(),
                holding: Vec::new(),
            };
            let challenge = ServerMessage::Challenge {
                protocol: PROTOCOL_VERSION,
                nonce: "0123abcd".to_owned(),
                time: Timestamp(0),
            };
            connection.send(challenge).await;
            let hello = connection
                .socket
                .next()
                .await
                .unwrap()
                .unwrap()
                .into_text()
                .unwrap();
            let AgentMessage::Hello {
                agent,
                signature,
                holding,
                ..
            } = serde_json::from_str(&hello).unwrap()
            else {
                panic!("{hello}")
            };
            let public = HEXLOWER.decode(self.key.public_hex().as_bytes()).unwrap();
            let signature = HEXLOWER.decode(signature.as_bytes()).unwrap();
            let message = challenge_text("0123abcd", agent);
            UnparsedPublicKey::new(&ED25519, public)
                .verify(&message, &signature)
                .expect("the agent signs its challenge");
            connection.holding = holding;
            (connection, agent)
        })
        .await
    }

    pub(super) fn log_bytes(&self, lease: &Lease) -> u64 {
        let log = self.log.get(lease);
        log.map_or(0, |log| log.values().map(|bytes| bytes.len() as u64).sum())
    }

    pub(super) fn seq(&self, lease: &Lease) -> u64 {
        self.stored
            .get(lease)
            .map_or(0, |records| records.len() as u64)
    }

    /// Takes one frame; gives the lease whose record was applied, and `Err` when the connection ended.
    pub(super) async fn take(&mut self, connection: &mut Connection) -> Result<Option<Lease>, ()> {
        let message = within(connection.socket.next())
            .await
            .ok_or(())?
            .map_err(|_| ())?;
        let (lease, seq, body) = match message {
            Message::Text(text) => match serde_json::from_str(&text).unwrap() {
                AgentMessage::Record { lease, seq, body } => (lease, seq, body),
                AgentMessage::Heartbeat { .. } => {
                    connection
                        .send(ServerMessage::Heartbeat { time: Timestamp(0) })
                        .await;
                    return Ok(None);
                }
                AgentMessage::Declined { lease, .. } => {
                    self.declined.push(lease);
                    return Ok(None);
                }
                other => panic!("{other:?}"),
            },
            Message::Binary(bytes) => match Frame::decode(bytes).unwrap() {
                Frame::File {
                    lease,
                    file,
                    offset,
                    data,
                } => {
                    let bytes = self.files.entry((lease, file)).or_default();
                    bytes.truncate(usize::try_from(offset).unwrap());
                    assert_eq!(bytes.len() as u64, offset, "a part of a file is missing");
                    bytes.extend_from_slice(&data);
                    return Ok(None);
                }
                Frame::Chunk { lease, seq, chunk } => {
                    chunk.check().unwrap();
                    if seq == self.seq(&lease) + 1 {
                        let log = self.log.entry(lease).or_default();
                        let length: usize = log.values().map(Vec::len).sum();
                        assert_eq!(chunk.offset, length as u64);
                        let raw =
                            decompress_chunk(chunk.offset, chunk.raw_len, &chunk.data).unwrap();
                        let mut at = 0;
                        for segment in chunk.segments {
                            let name = match segment.stream {
                                Stream::Stdout => "out",
                                Stream::Stderr => "err",
                                Stream::System => "system",
                            };
                            let next = at + segment.len as usize;
                            log.entry(name)
                                .or_default()
                                .extend_from_slice(&raw[at..next]);
                            at = next;
                        }
                    }
                    // Stands for the chunk in the list of records.
                    (
                        lease,
                        seq,
                        RecordBody::SourceResolved {
                            commit: "chunk".to_owned(),
                        },
                    )
                }
            },
            _ => return Ok(None),
        };
        if seq <= self.seq(&lease) {
            return Ok(None);
        }
        assert_eq!(seq, self.seq(&lease) + 1, "a record is missing");
        self.stored.entry(lease).or_default().push(body);
        Ok(Some(lease))
    }

    pub(super) async fn acknowledge(&self, connection: &mut Connection, lease: Lease) {
        connection
            .send(ServerMessage::Ack {
                lease,
                seq: self.seq(&lease),
            })
            .await;
    }

    pub(super) fn end_of(&self, lease: &Lease) -> Option<&RecordBody> {
        self.stored
            .get(lease)?
            .last()
            .filter(|record| matches!(record, RecordBody::Ended { .. }))
    }

    /// Takes and acknowledges until this attempt has ended.
    pub(super) async fn until_ended(
        &mut self,
        connection: &mut Connection,
        lease: &Lease,
    ) -> (AttemptEnd, Option<String>) {
        while self.end_of(lease).is_none() {
            if let Some(lease) = self
                .take(connection)
                .await
                .expect("the agent stays connected")
            {
                self.acknowledge(connection, lease).await;
            }
        }
        match self.end_of(lease) {
            Some(RecordBody::Ended {
                end,
                message,
                log_bytes,
            }) => {
                assert_eq!(*log_bytes, self.log_bytes(lease));
                (*end, message.clone())
            }
            _ => panic!("an attempt ends with its end"),
        }
    }

    pub(super) fn said(&self, lease: &Lease, stream: &str) -> String {
        let bytes = self.log.get(lease).and_then(|log| log.get(stream));
        bytes
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            .unwrap_or_default()
    }

    /// How each step ended.
    pub(super) fn states(&self, lease: &Lease) -> Vec<StepState> {
        let state = |record: &RecordBody| match record {
            RecordBody::StepFinished { status, .. } => Some(*status),
            _ => None,
        };
        self.stored[lease].iter().filter_map(state).collect()
    }
}

pub(super) fn script(run: &str) -> Step {
    Step::Bash {
        name: None,
        run: run.to_owned(),
        env: BTreeMap::new(),
        timeout_seconds: None,
        continue_on_error: false,
    }
}

fn reports(path: &str) -> Step {
    Step::TestProvider {
        name: None,
        provider: ProviderKind::Pytest,
        path: path.to_owned(),
    }
}

#[tokio::test]
async fn every_record_arrives_once_and_in_order_however_often_the_line_breaks() {
    let mut server = Server::start().await;
    let steps = vec![
        script(
            "for i in $(seq 4000); do echo \"line $i of the output\"; echo \"complaint $i\" >&2; done",
        ),
        script(
            "mkdir -p out/reports; head -c 1000000 /dev/zero | tr '\\0' x > out/big.bin; echo '<a/>' > out/reports/a.xml",
        ),
        reports("**/reports/*.xml"),
        Step::CopyArtifacts {
            name: None,
            source: "out/*.bin".to_owned(),
            target: "kept".to_owned(),
        },
    ];
    let work = assignment(lease(5), steps);
    let lease = work.lease;
    let agent = server.agent();
    // Any numbers that differ do: how many frames each connection lives for.
    let mut random = 0x2545_f491_4f6c_dd1du64;
    let mut connections = 0;
    while server.end_of(&lease).is_none() {
        let mut connection = server.welcome().await;
        connections += 1;
        if connection.holding.is_empty() {
            assert_eq!(
                server.seq(&lease),
                0,
                "the agent has forgotten an attempt that is not delivered"
            );
            connection.assign(&work).await;
        }
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        for frame in 0..=(random >> 60) {
            match server.take(&mut connection).await {
                // Some are stored, and the line breaks before the agent hears of it.
                Ok(Some(lease)) if (random >> frame) & 1 == 0 => {
                    server.acknowledge(&mut connection, lease).await;
                }
                Ok(_) => {}
                Err(()) => break,
            }
        }
    }
    assert!(connections >= 3, "{connections}");
    let mut connection = server.welcome().await;
    if connection.holding.contains(&lease) {
        server.acknowledge(&mut connection, lease).await;
    }
    agent.stop().await.unwrap();
    let numbers = |prefix: &str, suffix: &str| {
        (1..=4000)
            .map(|i| format!("{prefix}{i}{suffix}\n"))
            .collect::<String>()
    };
    assert!(server.said(&lease, "out") == numbers("line ", " of the output"));
    assert!(server.said(&lease, "err") == numbers("complaint ", ""));
    assert_eq!(server.states(&lease), [StepState::Passed; 4]);
    assert_eq!(server.files[&(lease, 0)], b"<a/>\n");
    assert!(server.files[&(lease, 1)] == vec![b'x'; 1_000_000]);
    let kept = server.stored[&lease]
        .iter()
        .filter_map(|record| match record {
            RecordBody::File {
                kind, path, size, ..
            } => Some((*kind, path.as_str(), *size)),
            _ => None,
        });
    let expected = [
        (FileKind::Report, "out/reports/a.xml", 5),
        (FileKind::Artifact, "kept/out/big.bin", 1_000_000),
    ];
    assert_eq!(kept.collect::<Vec<_>>(), expected);
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn an_attempt_is_kept_until_its_very_end_is_acknowledged() {
    let mut server = Server::start().await;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let work = assignment(lease(6), vec![script("true")]);
    let lease = work.lease;
    connection.assign(&work).await;
    while server.end_of(&lease).is_none() {
        server.take(&mut connection).await.unwrap();
    }
    let seq = server.seq(&lease) - 1;
    connection.send(ServerMessage::Ack { lease, seq }).await;
    // A heartbeat comes after the message was understood.
    while !matches!(server.take(&mut connection).await, Ok(None)) {}
    drop(connection);
    assert_eq!(server.welcome().await.holding, [lease]);
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn a_folder_of_allure_results_is_one_report() {
    let mut server = Server::start().await;
    let steps = vec![
        script(
            "mkdir -p out/allure-results; cd out/allure-results; for i in 2 1; do echo '{}' > $i-result.json; echo picture > $i-attachment.txt; done; echo '<a/>' > ../b.xml",
        ),
        reports("out/**"),
    ];
    let work = assignment(lease(5), steps);
    let lease = work.lease;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    connection.assign(&work).await;
    while server.end_of(&lease).is_none() {
        if let Ok(Some(lease)) = server.take(&mut connection).await {
            server.acknowledge(&mut connection, lease).await;
        }
    }
    agent.stop().await.unwrap();
    assert_eq!(server.states(&lease), [StepState::Passed; 2]);
    let kept: Vec<_> = server.stored[&lease]
        .iter()
        .filter_map(|record| match record {
            RecordBody::File { path, size, .. } => Some((path.as_str(), *size)),
            _ => None,
        })
        .collect();
    let archive = &server.files[&(lease, 0)];
    assert_eq!(
        kept,
        [
            ("out/allure-results.zip", archive.len() as u64),
            ("out/b.xml", 5)
        ]
    );
    assert!(archive.starts_with(b"PK\x03\x04"));
}

#[tokio::test]
async fn a_failing_step_ends_the_steps_but_not_the_post_steps() {
    let mut server = Server::start().await;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let mut work = assignment(lease(1), Vec::new());
    let tolerated = Step::Bash {
        name: Some("lint".to_owned()),
        run: "false | true".to_owned(),
        env: BTreeMap::new(),
        timeout_seconds: None,
        continue_on_error: true,
    };
    work.definition.steps = vec![
        tolerated,
        script("printf 'no line end'; exit 3"),
        script("echo never"),
    ];
    work.definition.post_steps = vec![
        reports("*.xml"),
        script("echo \"$TESTHIDE_BUILD_NUMBER in $PWD\""),
    ];
    connection.assign(&work).await;
    let end = server.until_ended(&mut connection, &work.lease).await;
    assert_eq!(
        end,
        (
            AttemptEnd::Failed,
            Some("step `lint` ended with exit code 1".to_owned())
        )
    );
    let states = [
        StepState::Failed,
        StepState::Failed,
        StepState::Skipped,
        StepState::Failed,
        StepState::Passed,
    ];
    assert_eq!(server.states(&work.lease), states);
    let said = server.said(&work.lease, "system");
    assert!(
        said.contains("\nstep `bash` ended with exit code 3\n"),
        "{said}"
    );
    assert!(
        said.ends_with("step `test_provider` no file matches `*.xml`\n"),
        "{said}"
    );
    let out = server.said(&work.lease, "out");
    assert!(
        out.starts_with("no line end7 in /") && out.ends_with("workspaces/project/job\n"),
        "{out}"
    );
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn a_cancelled_attempt_says_so_after_its_post_steps() {
    let mut server = Server::start().await;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let mut work = assignment(
        lease(1),
        vec![script("echo begun; sleep 1000"), script("echo never")],
    );
    work.definition.post_steps = vec![script("echo after")];
    connection.assign(&work).await;
    while server.said(&work.lease, "out") != "begun\n" {
        server.take(&mut connection).await.unwrap();
    }
    connection
        .send(ServerMessage::Cancel {
            lease: work.lease,
            reason: "by ada".to_owned(),
        })
        .await;
    let end = server.until_ended(&mut connection, &work.lease).await;
    assert_eq!(end, (AttemptEnd::Cancelled, Some("by ada".to_owned())));
    assert_eq!(
        server.states(&work.lease),
        [StepState::Cancelled, StepState::Skipped, StepState::Passed]
    );
    assert_eq!(server.said(&work.lease, "out"), "begun\nafter\n");
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_time_limit_ends_a_step_and_the_build() {
    let mut server = Server::start().await;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let own = Step::Bash {
        name: None,
        run: "sleep 1000".to_owned(),
        env: BTreeMap::new(),
        timeout_seconds: Some(1),
        continue_on_error: false,
    };
    let limited = assignment(lease(1), vec![own]);
    let mut short = assignment(lease(2), vec![script("sleep 1000")]);
    short.timeout_seconds = 1;
    for work in [&limited, &short] {
        connection.assign(work).await;
    }
    let end = server.until_ended(&mut connection, &limited.lease).await;
    assert_eq!(
        end,
        (
            AttemptEnd::TimedOut,
            Some("step `bash` ended by its time limit of 1 s".to_owned())
        )
    );
    let end = server.until_ended(&mut connection, &short.lease).await;
    assert_eq!(
        end,
        (
            AttemptEnd::TimedOut,
            Some("the build took longer than 1 s".to_owned())
        )
    );
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn an_attempt_that_the_server_does_not_know_is_given_up() {
    let server = Server::start().await;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let work = assignment(lease(1), vec![script("sleep 1000")]);
    connection.assign(&work).await;
    within(connection.socket.next()).await.unwrap().unwrap();
    drop(connection);
    let (mut connection, _) = server.introduce().await;
    assert_eq!(connection.holding, [work.lease]);
    connection
        .send(ServerMessage::Welcome {
            heartbeat_seconds: 1,
            resume: Vec::new(),
        })
        .await;
    // A heartbeat comes after the welcome was understood; then the agent is asked again what it holds.
    within(connection.socket.next()).await.unwrap().unwrap();
    drop(connection);
    assert_eq!(server.welcome().await.holding, []);
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn an_attempt_of_which_this_disk_has_less_than_the_server_is_dropped_at_once() {
    let server = Server::start().await;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let work = assignment(lease(1), vec![script("sleep 1000")]);
    connection.assign(&work).await;
    within(connection.socket.next()).await.unwrap().unwrap();
    drop(connection);
    let (mut connection, _) = server.introduce().await;
    assert_eq!(connection.holding, [work.lease]);
    let resume = Resume {
        lease: work.lease,
        seq: 1_000_000,
        ended: false,
        log_bytes: 0,
    };
    connection
        .send(ServerMessage::Welcome {
            heartbeat_seconds: 1,
            resume: vec![resume],
        })
        .await;
    // The agent ends the connection itself, and comes back without the attempt.
    assert_eq!(server.welcome().await.holding, []);
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn work_past_the_capacity_is_declined() {
    let mut server = Server::start().await;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let leases = [1, 2, 3].map(lease);
    for lease in leases {
        connection
            .assign(&assignment(lease, vec![script("sleep 1000")]))
            .await;
    }
    while server.declined.is_empty() {
        server.take(&mut connection).await.unwrap();
    }
    assert_eq!(server.declined, leases[2..]);
    agent.shutdown.cancel();
    for lease in &leases[..2] {
        server.until_ended(&mut connection, lease).await;
    }
    for lease in leases {
        server.acknowledge(&mut connection, lease).await;
    }
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn work_of_a_newer_server_is_done_without_what_is_not_known_or_declined() {
    let mut server = Server::start().await;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let leases = [1, 2].map(lease);
    let newer = |lease, change: fn(&mut serde_json::Value)| {
        let work = assignment(lease, vec![script("true")]);
        let mut text = serde_json::json!({"type": "assign", "assignment": work});
        change(&mut text["assignment"]["definition"]);
        Message::text(text.to_string())
    };
    let unknown_step = newer(leases[0], |definition| {
        definition["steps"][0] = serde_json::json!({"type": "container", "image": "alpine"});
    });
    let unknown_field = newer(leases[1], |definition| {
        definition["steps"][0]["invented_later"] = serde_json::json!(true);
        definition["invented_later"] = serde_json::json!([1]);
    });
    for message in [unknown_step, unknown_field] {
        connection.socket.send(message).await.unwrap();
    }
    server.until_ended(&mut connection, &leases[1]).await;
    while server.declined.is_empty() {
        server.take(&mut connection).await.unwrap();
    }
    assert_eq!(server.declined, leases[..1]);
    server.acknowledge(&mut connection, leases[1]).await;
    agent.stop().await.unwrap();
}

#[tokio::test]
async fn a_stopped_agent_delivers_its_attempts_as_interrupted() {
    let mut server = Server::start().await;
    let agent = server.agent();
    let mut connection = server.welcome().await;
    let mut work = assignment(lease(1), vec![script("echo begun; sleep 1000")]);
    work.definition.post_steps = vec![script("echo never")];
    connection.assign(&work).await;
    while server.said(&work.lease, "out") != "begun\n" {
        server.take(&mut connection).await.unwrap();
    }
    agent.shutdown.cancel();
    let end = server.until_ended(&mut connection, &work.lease).await;
    assert_eq!(
        end,
        (
            AttemptEnd::Interrupted,
            Some("the agent was stopped".to_owned())
        )
    );
    assert_eq!(
        server.states(&work.lease),
        [StepState::Cancelled, StepState::Skipped]
    );
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn a_restarted_agent_ends_what_the_dead_one_left() {
    let mut server = Server::start().await;
    let lease = lease(9);
    let mut journal = server.left_behind(lease, Boot::current());
    journal
        .append_record(&RecordBody::StepStarted {
            step: 0,
            time: Timestamp(1),
        })
        .unwrap();
    // A process that has left its group, with the build's mark on it.
    let mut left = std::process::Command::new("sleep")
        .arg("1000")
        .env("TESTHIDE_BUILD_ID", lease.build.to_string())
        .env("TESTHIDE_ATTEMPT", "1")
        .spawn()
        .unwrap();
    let agent = server.agent();
    let mut connection = server.welcome().await;
    assert!(!left.wait().unwrap().success());
    assert_eq!(connection.holding, [lease]);
    let end = server.until_ended(&mut connection, &lease).await;
    assert_eq!(
        end,
        (
            AttemptEnd::Interrupted,
            Some("the agent was restarted".to_owned())
        )
    );
    assert_eq!(
        server.said(&lease, "system"),
        "the build was interrupted: the agent was restarted\n"
    );
    agent.stop().await.unwrap();
    assert_eq!(server.spools(), 0);
}

#[tokio::test]
async fn an_agent_that_is_refused_for_good_ends() {
    let server = Server::start().await;
    let agent = server.agent();
    let (mut connection, _) = server.introduce().await;
    let refused = ServerMessage::Refused {
        code: "revoked".to_owned(),
        reason: "gone".to_owned(),
        retry: false,
    };
    connection.send(refused).await;
    let error = within(agent.task).await.unwrap().unwrap_err();
    assert_eq!(
        (error.exit_code(), error.to_string().contains("revoked")),
        (4, true)
    );
}
