//! Agents and their operators: drain, disable, resume, remove, a new key.

use crate::agents::next_message;
use crate::support::{TestServer, job_with_script};
use futures_util::SinkExt;
use reqwest::Method;
use serde_json::json;
use std::time::Duration;
use testhide::kit::Clock;
use testhide_agent::AgentKey;
use testhide_protocol::api::{Agent, AgentMode, Build, BuildState, HostMetrics, HostSample, Page};
use testhide_protocol::wire::{
    AgentMessage, Lease, PROTOCOL_VERSION, RecordBody, ServerMessage, challenge_text,
};
use testhide_protocol::{AgentId, BuildId, Timestamp};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// An agent's connection, and what the server answers its introduction with this key.
async fn introduce(server: &TestServer, agent: AgentId, key: &AgentKey) -> (Socket, ServerMessage) {
    let url = format!("{}/ws/agent", server.root.base().replace("http", "ws"));
    let (mut socket, _) = tokio_tungstenite::connect_async(&url)
        .await
        .expect("a connection");
    let ServerMessage::Challenge { nonce, .. } = next_message(&mut socket).await else {
        panic!("the first frame is no challenge");
    };
    let hello = AgentMessage::Hello {
        protocol: PROTOCOL_VERSION,
        agent,
        signature: key.sign_hex(&challenge_text(&nonce, agent)),
        version: "test".into(),
        platform: "test".into(),
        labels: vec![],
        capacity: 1,
        holding: vec![],
    };
    let text = serde_json::to_string(&hello).expect("JSON");
    socket
        .send(Message::Text(text.into()))
        .await
        .expect("it is sent");
    let answer = next_message(&mut socket).await;
    (socket, answer)
}

/// A job that ends when `gate` is there.
fn gated(gate: &std::path::Path) -> serde_json::Value {
    let script = format!("until [ -e '{}' ]; do sleep 0.02; done", gate.display());
    job_with_script(&script)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_agent_ends_what_it_has_and_takes_no_more() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 2).await;
    let gate = server.path("gate");
    let job = server.job("waits", gated(&gate)).await;
    server.trigger(&job, json!({})).await;
    server.wait_for(1, &[BuildState::Running]).await;
    let drained: Agent = server
        .root
        .post("/agents/one/drain", &json!({"reason": "new disk"}))
        .await
        .ok();
    assert_eq!(drained.mode, AgentMode::Draining);
    assert_eq!(drained.builds.len(), 1, "what it has goes on");
    server.trigger(&job, json!({})).await;
    std::fs::write(&gate, "").expect("a file");
    assert_eq!(server.finished(1).await.status, BuildState::Passed);
    let second: Build = server.root.get("/builds/2").await.ok();
    assert_eq!(second.status, BuildState::Queued);

    let anna = server.user("anna").await;
    let seen: Agent = anna.get("/agents/one").await.ok();
    assert_eq!(seen.mode_reason.as_deref(), Some("new disk"));
    assert_eq!(seen.mode_changed_by.as_deref(), Some("root"));
    let ready: Agent = server
        .root
        .post("/agents/one/resume", &json!({}))
        .await
        .ok();
    assert_eq!((ready.mode, ready.mode_reason), (AgentMode::Ready, None));
    assert_eq!(server.finished(2).await.status, BuildState::Passed);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disabled_agent_loses_its_builds_and_is_not_let_in() {
    let server = TestServer::start().await;
    let agent = server.agent("bad", &[], 1).await;
    let gate = server.path("gate");
    let job = server.job("waits", gated(&gate)).await;
    server.trigger(&job, json!({})).await;
    server.wait_for(1, &[BuildState::Running]).await;
    let disabled: Agent = server
        .root
        .post("/agents/bad/disable", &json!({"reason": "it lies"}))
        .await
        .ok();
    assert_eq!(disabled.mode, AgentMode::Disabled);
    assert!(disabled.builds.is_empty());
    let waiting = server.wait_for(1, &[BuildState::Queued]).await;
    assert_eq!(waiting.attempt, 2);
    assert_eq!(waiting.attempts[0].status, BuildState::InfraLost);
    assert!(
        waiting.attempts[0]
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("disabled")),
        "{:?}",
        waiting.attempts
    );
    // Another agent takes the build while the first one knocks in vain.
    std::fs::write(&gate, "").expect("a file");
    let other = server.agent("good", &[], 1).await;
    let build = server.finished(1).await;
    assert_eq!(build.status, BuildState::Passed);
    assert_eq!(build.agent_name.as_deref(), Some("good"));
    let out: Agent = server.root.get("/agents/bad").await.ok();
    assert_eq!(out.state, "offline");
    other.stop().await;
    server
        .root
        .post("/agents/bad/resume", &json!({}))
        .await
        .json();
    server.trigger(&job, json!({})).await;
    let build = server.finished(2).await;
    assert_eq!(build.agent_name.as_deref(), Some("bad"));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_agent_is_nobody_and_its_name_is_free() {
    let server = TestServer::start().await;
    let key = AgentKey::load_or_create(&server.path("one.key")).expect("a key");
    let first = server.enrol("one", &key).await;
    let removed = server
        .root
        .send(Method::DELETE, "/agents/one", &[], None)
        .await;
    assert_eq!(removed.status, 204);
    server
        .root
        .get("/agents/one")
        .await
        .refused(404, "agent_not_found");
    server
        .root
        .get(&format!("/agents/{first}"))
        .await
        .refused(404, "agent_not_found");
    let second = server.enrol("one", &key).await;
    assert_ne!(first, second);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_takes_the_place_of_the_old_one() {
    let server = TestServer::start().await;
    let old = AgentKey::load_or_create(&server.path("old.key")).expect("a key");
    let new = AgentKey::load_or_create(&server.path("new.key")).expect("a key");
    let id = server.enrol("one", &old).await;
    server.enrol("two", &new).await;
    let token = server
        .root
        .post("/agents/one/rotate-key", &json!({}))
        .await
        .json()["token"]
        .clone();
    let enroll = |name: &str| json!({"token": token, "name": name, "public_key": new.public_hex()});
    let anonymous = server.anonymous();
    anonymous
        .post("/agents/enroll", &enroll("two"))
        .await
        .refused(422, "invalid_agent");
    let enrolled = anonymous
        .post("/agents/enroll", &enroll("one"))
        .await
        .json();
    assert_eq!(enrolled["agent_id"], json!(id), "it is the same agent");
    anonymous
        .post("/agents/enroll", &enroll("one"))
        .await
        .refused(401, "enrolment_token_invalid");
    // The new key opens the door, the old one does not any more.
    let (_, answer) = introduce(&server, id, &new).await;
    assert!(
        matches!(answer, ServerMessage::Welcome { .. }),
        "{answer:?}"
    );
    let (_, answer) = introduce(&server, id, &old).await;
    assert!(
        matches!(&answer, ServerMessage::Refused { code, .. } if code == "unknown_agent"),
        "{answer:?}"
    );
    // Nobody goes by the id of another.
    let token = server.root.post("/agents/enrolments", &json!({})).await;
    let token = token.json()["token"].clone();
    let other = json!({"token": token, "name": id, "public_key": new.public_hex()});
    anonymous
        .post("/agents/enroll", &other)
        .await
        .refused(422, "invalid_agent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_operators_change_agents() {
    let server = TestServer::start().await;
    let key = AgentKey::load_or_create(&server.path("one.key")).expect("a key");
    server.enrol("one", &key).await;
    let anna = server.user("anna").await;
    for verb in ["drain", "disable", "resume", "rotate-key"] {
        let path = format!("/agents/one/{verb}");
        anna.post(&path, &json!({}))
            .await
            .refused(403, "not_allowed");
        server
            .anonymous()
            .post(&path, &json!({}))
            .await
            .refused(401, "not_authenticated");
        server
            .root
            .post(&format!("/agents/nobody/{verb}"), &json!({}))
            .await
            .refused(404, "agent_not_found");
    }
    anna.send(Method::DELETE, "/agents/one", &[], None)
        .await
        .refused(403, "not_allowed");
    server
        .root
        .post("/agents/one/drain", &json!({"reason": "x".repeat(501)}))
        .await
        .refused(422, "invalid_agent");
    let agent: Agent = anna.get("/agents/one").await.ok();
    assert_eq!(agent.mode, AgentMode::Ready);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn samples_of_a_machine_survive_a_restart() {
    let clock = Clock::manual(Timestamp(1_800_000_000_000));
    let server = TestServer::start_at(clock.clone(), &[]).await;
    let key = AgentKey::load_or_create(&server.path("one.key")).expect("a key");
    let id = server.enrol("one", &key).await;
    let (mut socket, welcome) = introduce(&server, id, &key).await;
    assert!(matches!(welcome, ServerMessage::Welcome { .. }));
    let metrics = HostMetrics {
        cpu_percent: 7,
        load_hundredths: 42,
        memory_used: 1,
        memory_total: 2,
        disk_free: 3,
        disk_total: 4,
    };
    let lease = Lease {
        build: BuildId::generate(),
        attempt: 1,
        fence: 1,
    };
    let beat = AgentMessage::Heartbeat {
        time: Timestamp(5),
        metrics: Some(metrics),
    };
    // A record under a right that nobody gave is answered: then the heartbeat before it was heard, too.
    let stranger = AgentMessage::Record {
        lease,
        seq: 1,
        body: RecordBody::SourceResolved {
            commit: "ab".to_owned(),
        },
    };
    for message in [beat, stranger] {
        let text = serde_json::to_string(&message).expect("JSON");
        socket
            .send(Message::Text(text.into()))
            .await
            .expect("it is sent");
    }
    loop {
        if let ServerMessage::Abandon { lease: told, .. } = next_message(&mut socket).await {
            assert_eq!(told, lease);
            break;
        }
    }
    let seen: Agent = server.root.get("/agents/one").await.ok();
    assert_eq!(seen.host.map(|host| host.metrics), Some(metrics));
    server.app.agents.store_metrics().await.expect("a store");
    clock.advance(Duration::from_secs(300));
    server.app.agents.store_metrics().await.expect("a store");
    drop(socket);
    let server = server.restart().await;
    let page: Page<HostSample> = server.root.get("/agents/one/metrics").await.ok();
    assert_eq!(page.items.len(), 1);
    assert_eq!(page.items[0].metrics, metrics);
    let none: Page<HostSample> = server.root.get("/agents/one/metrics?minutes=4").await.ok();
    assert!(none.items.is_empty(), "it is five minutes old");
    server
        .root
        .get("/agents/one/metrics?minutes=1441")
        .await
        .refused(422, "invalid_minutes");
}
