//! Agents: who may be one, what happens when one or the server is gone.

use crate::support::{TestServer, job_with_script};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::time::Duration;
use testhide::agents::Reconcile;
use testhide_protocol::AgentId;
use testhide_protocol::api::{Agent, Build, BuildState, LogPage, Page};
use testhide_protocol::wire::{AgentMessage, PROTOCOL_VERSION, ServerMessage};
use tokio_tungstenite::tungstenite::Message;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enrolment_token_is_good_for_one_agent() {
    let server = TestServer::start().await;
    let token = server
        .root
        .post("/agents/enrolments", &json!({}))
        .await
        .json()["token"]
        .clone();
    let key = "ab".repeat(32);
    let enroll = |name: &str, token: &Value, key: &str| json!({"token": token, "name": name, "public_key": key});
    let stranger = server.anonymous();
    stranger
        .post("/agents/enroll", &enroll("bad name!", &token, &key))
        .await
        .refused(422, "invalid_agent");
    stranger
        .post("/agents/enroll", &enroll("one", &token, "short"))
        .await
        .refused(422, "invalid_agent");
    stranger
        .post("/agents/enroll", &enroll("one", &token, &key))
        .await
        .json();
    stranger
        .post("/agents/enroll", &enroll("two", &token, &key))
        .await
        .refused(401, "enrolment_token_invalid");
    stranger
        .post(
            "/agents/enroll",
            &enroll("two", &json!("th_enroll_x"), &key),
        )
        .await
        .refused(401, "enrolment_token_invalid");
    let next = server
        .root
        .post("/agents/enrolments", &json!({}))
        .await
        .json()["token"]
        .clone();
    stranger
        .post("/agents/enroll", &enroll("one", &next, &key))
        .await
        .refused(409, "agent_exists");
    let agents: Page<Agent> = server.root.get("/agents").await.ok();
    assert_eq!(
        agents
            .items
            .iter()
            .map(|agent| agent.name.as_str())
            .collect::<Vec<_>>(),
        ["one"]
    );
    assert_eq!(agents.items[0].state, "offline");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_without_the_key_is_turned_away() {
    let server = TestServer::start().await;
    let agent = server.agent("real", &[], 1).await;
    let agents: Page<Agent> = server.root.get("/agents").await.ok();
    let id = agents.items[0].id;
    let url = format!("{}/ws/agent", server.root.base().replace("http", "ws"));
    for (agent, signature) in [(id, "00".repeat(64)), (AgentId::generate(), String::new())] {
        let (mut socket, _) = tokio_tungstenite::connect_async(&url)
            .await
            .expect("a connection");
        let challenge = next_message(&mut socket).await;
        assert!(
            matches!(
                challenge,
                ServerMessage::Challenge {
                    protocol: PROTOCOL_VERSION,
                    ..
                }
            ),
            "{challenge:?}"
        );
        let hello = AgentMessage::Hello {
            protocol: PROTOCOL_VERSION,
            agent,
            signature,
            version: "test".into(),
            platform: "test".into(),
            labels: vec![],
            capacity: 1,
            holding: vec![],
        };
        socket
            .send(Message::Text(
                serde_json::to_string(&hello).expect("JSON").into(),
            ))
            .await
            .expect("it is sent");
        let answer = next_message(&mut socket).await;
        assert!(
            matches!(&answer, ServerMessage::Refused { code, retry: false, .. } if code == "unknown_agent"),
            "{answer:?}"
        );
    }
    agent.stop().await;
}

pub(crate) async fn next_message<S>(socket: &mut S) -> ServerMessage
where
    S: StreamExt<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin,
{
    loop {
        match socket
            .next()
            .await
            .expect("the connection is open")
            .expect("a frame")
        {
            Message::Text(text) => return serde_json::from_str(&text).expect("a message"),
            _ => continue,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_goes_on_while_the_server_restarts() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let gate = server.path("gate");
    // It cannot end before the test lets it, and the test lets it while the server is away.
    let script = format!(
        "echo before; until [ -e '{}' ]; do sleep 0.02; done; echo after",
        gate.display()
    );
    let job = server.job("patient", job_with_script(&script)).await;
    server.trigger(&job, json!({})).await;
    let page: LogPage = server
        .root
        .get("/builds/1/log?from=1&wait_seconds=30")
        .await
        .ok();
    assert!(!page.complete && page.lines.iter().any(|line| line.text == "before"));
    let (root, address) = (server.root.clone(), server.root.base().to_owned());
    let server = {
        std::fs::write(&gate, "").expect("a file");
        server.restart().await
    };
    assert_eq!(server.root.base(), address);
    drop(root);
    let build = server.finished(1).await;
    assert_eq!(
        (build.status, build.attempt),
        (BuildState::Passed, 1),
        "{build:?}"
    );
    let page: LogPage = server.root.get("/builds/1/log").await.ok();
    let own: Vec<&str> = page
        .lines
        .iter()
        .map(|line| line.text.as_str())
        .filter(|text| *text == "before" || *text == "after")
        .collect();
    assert_eq!(
        own,
        ["before", "after"],
        "the log is whole and nothing is twice"
    );
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_agent_is_infra_lost_and_the_build_is_queued_again() {
    let server = TestServer::start().await;
    let agent = server.agent("weak", &[], 1).await;
    let job = server
        .job("hangs", job_with_script("echo here; exec sleep 600"))
        .await;
    server.trigger(&job, json!({})).await;
    let _: LogPage = server
        .root
        .get("/builds/1/log?from=1&wait_seconds=30")
        .await
        .ok();

    // With a patience of nothing everybody is lost.
    let impatient = Reconcile::new(server.app.agents.clone(), Duration::ZERO);
    let held = server.app.builds.leases().expect("a store");
    assert_eq!(held.len(), 1);
    assert_eq!(impatient.pass_once().await.expect("a store"), 1);

    // The same agent is told to abandon the first attempt and, as the only one there is, gets the second.
    let second = server.wait_for(1, &[BuildState::Running]).await;
    assert_eq!(second.attempt, 2);
    assert_eq!(second.attempts.len(), 1);
    assert_eq!(second.attempts[0].status, BuildState::InfraLost);
    assert_eq!(impatient.pass_once().await.expect("a store"), 1);
    let lost = server.wait_for(1, &[BuildState::InfraLost]).await;
    assert_eq!(lost.status, BuildState::InfraLost);
    assert!(
        lost.reason
            .as_deref()
            .is_some_and(|reason| reason.contains("lost")),
        "{:?}",
        lost.reason
    );
    let events = server.root.get("/events?limit=1000").await.json();
    let failed = events["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|event| event["status"] == "failed")
        .count();
    assert_eq!(failed, 0, "lost is never failed");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_runs_as_many_builds_as_it_has_room_for() {
    let server = TestServer::start().await;
    let gate = server.path("gate");
    let script = format!("until [ -e '{}' ]; do sleep 0.02; done", gate.display());
    let job = server.job("waits", job_with_script(&script)).await;
    for _ in 0..4 {
        server.trigger(&job, json!({})).await;
    }
    let agent = server.agent("wide", &[], 3).await;
    for number in 1..=3 {
        server.wait_for(number, &[BuildState::Running]).await;
    }
    let fourth: Build = server.root.get("/builds/4").await.ok();
    assert_eq!(fourth.status, BuildState::Queued);
    assert_eq!(
        fourth.reason.as_deref(),
        Some("every agent that could run it is busy")
    );
    let agents: Page<Agent> = server.root.get("/agents").await.ok();
    assert_eq!(
        (agents.items[0].state.as_str(), agents.items[0].builds.len()),
        ("online", 3)
    );
    std::fs::write(&gate, "").expect("a file");
    for number in 1..=4 {
        assert_eq!(server.finished(number).await.status, BuildState::Passed);
    }
    agent.stop().await;
}
