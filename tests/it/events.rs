//! The feed: resumable, without gaps, over HTTP and WebSocket.

use crate::support::{TestServer, job_with_script};
use futures_util::StreamExt;
use serde_json::{Value, json};
use testhide_protocol::api::{Consumer, Event, EventRecord, Page};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_tell_the_life_of_a_build_in_order() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let job = server.job("tests", job_with_script("echo hi")).await;
    let before = server.app.log.last().expect("a store");
    server.trigger(&job, json!({})).await;
    server.finished(1).await;
    let page: Page<EventRecord> = server
        .root
        .get(&format!("/events?after={before}&limit=1000"))
        .await
        .ok();
    let kinds: Vec<&str> = page
        .items
        .iter()
        .map(|record| record.event.kind())
        .filter(|kind| kind.starts_with("build"))
        .collect();
    assert_eq!(kinds, ["build_queued", "build_started", "build_finished"]);
    let seqs: Vec<u64> = page.items.iter().map(|record| record.seq).collect();
    assert_eq!(
        seqs,
        (before + 1..=before + seqs.len() as u64).collect::<Vec<_>>(),
        "no gaps"
    );
    // In pages of one the same comes out.
    let (mut after, mut singly) = (before, Vec::new());
    loop {
        let page: Page<EventRecord> = server
            .root
            .get(&format!("/events?after={after}&limit=1"))
            .await
            .ok();
        let Some(record) = page.items.into_iter().next() else {
            break;
        };
        after = record.seq;
        singly.push(record.seq);
    }
    assert_eq!(singly[..seqs.len()], seqs);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_live_feed_goes_on_where_it_broke_off() {
    let server = TestServer::start().await;
    let job = server.job("tests", job_with_script("true")).await;
    let start = server.app.log.last().expect("a store");
    let mut seen: Vec<u64> = Vec::new();
    for _ in 0..3 {
        // A new connection each time, resuming at what was seen.
        let after = seen.last().copied().unwrap_or(start);
        let url = format!(
            "{}/ws/live?after={after}",
            server.root.base().replace("http", "ws")
        );
        let mut request = url.into_client_request().expect("a request");
        let bearer = format!("Bearer {}", server.root.token());
        request
            .headers_mut()
            .insert("authorization", bearer.parse().expect("a header"));
        let (mut socket, _) = tokio_tungstenite::connect_async(request)
            .await
            .expect("a connection");
        server.trigger(&job, json!({})).await;
        loop {
            let frame = socket.next().await.expect("it is open").expect("a frame");
            let Message::Text(text) = frame else { continue };
            let record: EventRecord = serde_json::from_str(&text).expect("an event");
            seen.push(record.seq);
            if matches!(record.event, Event::BuildQueued { .. }) {
                break;
            }
        }
    }
    assert_eq!(
        seen,
        (start + 1..=start + seen.len() as u64).collect::<Vec<_>>()
    );
    let stranger = format!("{}/ws/live", server.root.base().replace("http", "ws"));
    assert!(
        tokio_tungstenite::connect_async(&stranger).await.is_err(),
        "nobody listens without a token"
    );
    let mut foreign = stranger.into_client_request().expect("a request");
    let bearer = format!("Bearer {}", server.root.token());
    foreign
        .headers_mut()
        .insert("authorization", bearer.parse().expect("a header"));
    foreign
        .headers_mut()
        .insert("origin", "https://evil.example".parse().expect("a header"));
    assert!(
        tokio_tungstenite::connect_async(foreign).await.is_err(),
        "nor a page of another origin"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_poll_is_answered_by_the_next_event() {
    let server = TestServer::start().await;
    let last = server.app.log.last().expect("a store");
    let path = format!("/events?after={last}&wait_seconds=30");
    let body = json!({"name": "second"});
    let (page, made) = tokio::join!(server.root.get(&path), server.root.post("/projects", &body));
    let (page, _): (Value, Value) = (page.json(), made.json());
    assert_eq!(page["items"][0]["kind"], "project_created");
    server
        .root
        .get("/events?limit=0")
        .await
        .refused(422, "invalid_limit");
    server
        .root
        .get("/events?after=x")
        .await
        .refused(422, "invalid_query");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_say_how_far_they_are() {
    let server = TestServer::start().await;
    server.settled().await;
    let consumers: Page<Consumer> = server.root.get("/consumers").await.ok();
    let mut names: Vec<&str> = consumers
        .items
        .iter()
        .map(|consumer| consumer.name.as_str())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "analysis",
            "gates",
            "renames",
            "root_cause",
            "search",
            "similar_failures",
            "test_runs"
        ]
    );
    assert!(consumers.items.iter().all(|consumer| consumer.parked == 0));
    server
        .root
        .send(
            reqwest::Method::POST,
            "/consumers/search/parked/1/retry",
            &[],
            None,
        )
        .await
        .refused(404, "not_parked");
}
