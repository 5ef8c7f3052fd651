//! A server that was away: everybody comes back at once, and every result arrives once.

use crate::support::{Speaker, TestServer, job_with_script, journal};
use serde_json::json;
use testhide_agent::AgentKey;
use testhide_protocol::api::{BuildState, LogPage, Page};

/// Agents that come back.
const AGENTS: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_agents_deliver_what_they_did_while_the_server_was_away() {
    let server = TestServer::start().await;
    let job = server.job("long", job_with_script("true")).await;
    let mut held = Vec::new();
    for number in 0..AGENTS {
        let name = format!("agent-{number}");
        let key = AgentKey::load_or_create(&server.path(&format!("{name}.key"))).expect("a key");
        let speaker = Speaker {
            id: server.enrol(&name, &key).await,
            key,
            url: format!("{}/ws/agent", server.root.base().replace("http", "ws")),
            labels: vec![],
        };
        let (mut line, _) = speaker.connect(vec![]).await;
        server.trigger(&job, json!({})).await;
        let lease = line.assigned().await;
        held.push((speaker, lease));
    }
    let server = server.restart().await;
    let mut returning = tokio::task::JoinSet::new();
    for (number, (speaker, lease)) in held.into_iter().enumerate() {
        returning.spawn(async move {
            let parts: Vec<Vec<u8>> = (0..3)
                .map(|part| format!("agent {number} part {part}\n").into_bytes())
                .collect();
            let last = parts.len() as u64 + 3;
            let (mut line, resume) = speaker.connect(vec![lease]).await;
            assert_eq!(resume.len(), 1, "the server knows the lease");
            line.send(journal(lease, &parts)).await;
            line.stored(lease, last).await;
            // Once more, as after a break in which the acknowledgement was lost.
            let (mut line, resume) = speaker.connect(vec![lease]).await;
            assert!(resume[0].ended, "{resume:?}");
            line.send(journal(lease, &parts)).await;
            line.stored(lease, last).await;
        });
    }
    while let Some(done) = returning.join_next().await {
        done.expect("it delivers");
    }
    for number in 1..=AGENTS {
        let build = server.finished(number).await;
        assert_eq!((build.status, build.attempt), (BuildState::Passed, 1));
        let page: LogPage = server.root.get(&format!("/builds/{number}/log")).await.ok();
        let own = format!("agent {} part", number - 1);
        assert_eq!(page.lines.len(), 3, "{page:?}");
        assert!(page.lines.iter().all(|line| line.text.starts_with(&own)));
    }
    let events = server.root.get("/events?limit=1000").await;
    let page: Page<serde_json::Value> = events.ok();
    let finished = page
        .items
        .iter()
        .filter(|event| event["kind"] == "build_finished");
    assert_eq!(finished.count() as u64, AGENTS);
}
