//! An agent's page and its session: its past survives the server, an old key ends, a full disk ends nothing, slots are counted from leases.

use crate::support::{Line, RawAgent, TestServer, ended, job_with_script, passed, started};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use testhide::kit::Clock;
use testhide_agent::AgentKey;
use testhide_protocol::Timestamp;
use testhide_protocol::api::{Agent, AgentDetails, BuildState, Page};
use testhide_protocol::wire::ServerMessage;

const START: Timestamp = Timestamp(1_800_000_000_000);

/// Waits until the agent's page is as wanted.
async fn page(server: &TestServer, is_wanted: impl Fn(&AgentDetails) -> bool) -> AgentDetails {
    let mut commits = server.app.storage.commits();
    let waiting = async {
        loop {
            commits.borrow_and_update();
            let page: AgentDetails = server.root.get("/agents/one").await.ok();
            if is_wanted(&page) {
                return page;
            }
            commits.changed().await.expect("the store lives");
        }
    };
    let patience = Duration::from_secs(60);
    tokio::time::timeout(patience, waiting)
        .await
        .expect("it gets there")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agents_past_is_on_its_page_and_survives_a_restart() {
    let server = TestServer::start().await;
    let speaker = RawAgent::enrol(&server, "one").await;
    let (first, _) = speaker.connect(vec![]).await;
    let open = page(&server, |page| !page.connections.is_empty()).await;
    assert_eq!(open.agent.address.as_deref(), Some("127.0.0.1"));
    assert_eq!(open.connections[0].ended, None);
    assert_eq!(open.connections[0].version, "test");
    let (mut second, _) = speaker.connect(vec![]).await;
    let two = page(&server, |page| page.connections.len() == 2).await;
    let why = two.connections[1].ended.as_deref();
    assert_eq!(why, Some("a newer connection took its place"));
    second.text("{").await;
    assert!(matches!(second.hear().await, ServerMessage::Refused { .. }));
    let turned = page(&server, |page| page.connections[0].ended.is_some()).await;
    let why = turned.connections[0].ended.clone().expect("a reason");
    assert!(why.starts_with("turned away: "), "{why}");
    assert!(turned.connections[0].until.is_some());
    drop((first, second));
    let (third, _) = speaker.connect(vec![]).await;
    let server = server.restart().await;
    let page: AgentDetails = server.root.get("/agents/one").await.ok();
    assert_eq!(page.connections.len(), 3);
    assert_eq!(
        page.connections[0].ended.as_deref(),
        Some("the server ended it")
    );
    assert_eq!(
        (page.refusals[0].kind.as_str(), page.refusals[0].count),
        ("bad_frame", 1)
    );
    let listed: Page<Agent> = server.root.get("/agents").await.ok();
    let error = listed.items[0].last_error.clone().expect("an error");
    assert!(error.text.contains("bad_frame"), "{error:?}");
    drop(third);
    // At most fifty are kept.
    for _ in 0..55 {
        speaker.connect(vec![]).await;
    }
    let page: AgentDetails = server.root.get("/agents/one").await.ok();
    assert_eq!(page.connections.len(), 50);
}

/// Waits until the store takes nothing: an answer of the disk is believed for a second.
async fn read_only(server: &TestServer) {
    let waiting = async {
        loop {
            let answer = server.root.post("/agents/enrolments", &json!({})).await;
            if answer.status == 503 {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .expect("it is read-only");
}

/// Hears how the server ends a session.
async fn ending(line: &mut Line) -> ServerMessage {
    loop {
        let heard = line.hear().await;
        if matches!(
            heard,
            ServerMessage::GoAway { .. } | ServerMessage::Refused { .. }
        ) {
            return heard;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_with_an_old_key_ends_when_the_new_one_is_there() {
    let server = TestServer::start().await;
    let speaker = RawAgent::enrol(&server, "one").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    let token = server
        .root
        .post("/agents/one/rotate-key", &json!({}))
        .await
        .json();
    let new = AgentKey::load_or_create(&server.path("new.key")).expect("a key");
    let enroll = json!({"token": token["token"], "name": "one", "public_key": new.public_hex()});
    let open: Agent = server.root.get("/agents/one").await.ok();
    assert_eq!(open.state, "online", "until the new key is there");
    server
        .anonymous()
        .post("/agents/enroll", &enroll)
        .await
        .json();
    ending(&mut line).await;
    let (_, answer) = speaker.introduce(|_| {}).await;
    assert!(
        matches!(answer, ServerMessage::Refused { retry: false, .. }),
        "{answer:?}"
    );
    let speaker = speaker.with_key(new);
    let (mut line, _) = speaker.connect(vec![]).await;
    server
        .root
        .send(reqwest::Method::DELETE, "/agents/one", &[], None)
        .await;
    ending(&mut line).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_no_session_and_loses_no_lease() {
    const ROOM: u64 = 1 << 40;
    let free = Arc::new(AtomicU64::new(ROOM));
    let clock = Clock::manual(START);
    let server = TestServer::start_on(clock.clone(), &[], Some(free.clone())).await;
    let job = server.job("waits", job_with_script("true")).await;
    let speaker = RawAgent::enrol(&server, "one").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    let lease = line.assigned().await.lease;
    line.record(lease, 1, started(0)).await;
    line.stored(lease, 1).await;

    free.store(0, Ordering::SeqCst);
    read_only(&server).await;
    line.record(lease, 2, passed(0)).await;
    line.record(lease, 3, ended()).await;
    // Its silence grows with nobody to blame: what it says waits for the disk.
    clock.advance(Duration::from_secs(59));
    server.app.reconcile.pass_once().await.ok();
    let agent: Agent = server.root.get("/agents/one").await.ok();
    assert_eq!(agent.builds.len(), 1, "the lease is still its own");

    free.store(ROOM, Ordering::SeqCst);
    line.stored(lease, 3).await;
    assert_eq!(server.finished(1).await.status, BuildState::Passed);
    let page: AgentDetails = server.root.get("/agents/one").await.ok();
    assert_eq!(page.connections.len(), 1, "it was one session all the time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_comes_back_to_its_build_while_the_disk_is_full() {
    const ROOM: u64 = 1 << 40;
    let free = Arc::new(AtomicU64::new(ROOM));
    let clock = Clock::manual(START);
    let server = TestServer::start_on(clock.clone(), &[], Some(free.clone())).await;
    let job = server.job("waits", job_with_script("true")).await;
    let speaker = RawAgent::enrol(&server, "one").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    let lease = line.assigned().await.lease;
    line.record(lease, 1, started(0)).await;
    line.stored(lease, 1).await;
    server.app.reconcile.pass_once().await.expect("a pass");
    drop(line);
    free.store(0, Ordering::SeqCst);
    read_only(&server).await;
    // Silent for longer than an agent may be, while nothing can be written: its lease is not given up, and its time begins anew.
    clock.advance(Duration::from_secs(120));
    server.app.reconcile.pass_once().await.ok();
    free.store(ROOM, Ordering::SeqCst);
    assert_eq!(server.app.reconcile.pass_once().await.expect("a pass"), 0);
    free.store(0, Ordering::SeqCst);
    read_only(&server).await;
    let (mut line, resume) = speaker.connect(vec![lease]).await;
    assert_eq!((resume[0].lease, resume[0].seq), (lease, 1));
    free.store(ROOM, Ordering::SeqCst);
    line.record(lease, 2, passed(0)).await;
    line.record(lease, 3, ended()).await;
    line.stored(lease, 3).await;
    let build = server.finished(1).await;
    assert_eq!((build.status, build.attempt), (BuildState::Passed, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_zombie_frees_its_slot_when_its_lease_ends() {
    let clock = Clock::manual(START);
    let server = TestServer::start_at(clock.clone(), &[]).await;
    let definition = json!({"steps": [{"type": "bash", "run": "true"}], "timeout_seconds": 60, "infra_retries": 0});
    let job = server.job("zombie", definition).await;
    let speaker = RawAgent::enrol(&server, "one").await;
    let (mut line, answer) = speaker
        .introduce(|hello| hello["capacity"] = json!(1))
        .await;
    assert!(matches!(answer, ServerMessage::Welcome { .. }));
    for _ in 0..2 {
        server.trigger(&job, json!({})).await;
    }
    let zombie = line.assigned().await.lease;
    line.record(zombie, 1, started(0)).await;
    line.stored(zombie, 1).await;
    server.app.reconcile.pass_once().await.expect("a pass");
    // It talks and talks, and never says the end of its build.
    let beat = json!({"type": "heartbeat", "time": "2026-01-01T00:00:00Z"}).to_string();
    let limit = 60 + 10 * 60;
    for _ in 0..limit / 10 {
        clock.advance(Duration::from_secs(10));
        line.text(&beat).await;
        line.record(zombie, 1, started(0)).await;
        line.stored(zombie, 1).await;
        assert_eq!(server.app.reconcile.pass_once().await.expect("a pass"), 0);
        let agent: Agent = server.root.get("/agents/one").await.ok();
        assert_eq!((agent.state.as_str(), agent.builds.len()), ("online", 1));
    }
    clock.advance(Duration::from_secs(1));
    assert_eq!(server.app.reconcile.pass_once().await.expect("a pass"), 1);
    // The lease is over: its agent hears so, and has a slot for the next build.
    let (mut is_abandoned, mut next) = (false, None);
    while !is_abandoned || next.is_none() {
        match line.hear().await {
            ServerMessage::Abandon { lease, .. } => is_abandoned = lease == zombie,
            ServerMessage::Assign { assignment } => next = Some(assignment.lease),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(server.finished(1).await.status, BuildState::InfraLost);
    let next = next.expect("a lease");
    line.record(next, 1, started(0)).await;
    line.record(next, 2, passed(0)).await;
    line.record(next, 3, ended()).await;
    line.stored(next, 3).await;
    assert_eq!(server.finished(2).await.status, BuildState::Passed);
}
