//! Readers that do not read: they are dropped, and go on where they were. The facts waited for are the server's own counts of readers.

use crate::support::{RawAgent, TestServer, job_with_script, started};
use futures_util::{SinkExt, StreamExt};
use serde_json::json;
use std::time::Duration;
use testhide_protocol::BuildId;
use testhide_protocol::api::{Event, EventRecord};
use testhide_protocol::wire::FileKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

/// How long anything may take before a test gives up; never reached when all is well.
const GIVE_UP: Duration = Duration::from_secs(60);

/// The server that drops soonest.
const IMPATIENT: [(&str, &str); 1] = [("TESTHIDE_VIEWER_PATIENCE_SEC", "1")];

/// A connection into which the kernel takes little ahead.
async fn narrow(server: &TestServer) -> TcpStream {
    let address = server.root.base().trim_start_matches("http://");
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("it can be small");
    let address = address.parse().expect("an address");
    socket.connect(address).await.expect("a connection")
}

async fn live(server: &TestServer, after: u64) -> WebSocketStream<TcpStream> {
    let url = format!(
        "{}/ws/live?after={after}",
        server.root.base().replace("http", "ws")
    );
    let mut request = url.into_client_request().expect("a request");
    let bearer = format!("Bearer {}", server.root.token());
    let headers = request.headers_mut();
    headers.insert("authorization", bearer.parse().expect("a header"));
    let stream = narrow(server).await;
    let (socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .expect("the feed opens");
    socket
}

/// Waits until `is_so`, looking again whenever another task has run.
async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(GIVE_UP, waiting)
        .await
        .expect("it becomes so");
}

/// Reads events until the feed ends; answers their numbers and the reason of the close frame, if one came.
async fn read_to_end(
    socket: &mut WebSocketStream<TcpStream>,
    last: u64,
) -> (Vec<u64>, Option<String>) {
    let mut seen = Vec::new();
    let reading = async {
        while seen.last() != Some(&last) {
            match socket.next().await {
                Some(Ok(Message::Text(text))) => {
                    let record: EventRecord = serde_json::from_str(&text).expect("an event");
                    seen.push(record.seq);
                }
                Some(Ok(Message::Close(frame))) => {
                    return frame
                        .map(|frame| format!("{} {}", u16::from(frame.code), frame.reason));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            }
        }
        None
    };
    let reason = tokio::time::timeout(GIVE_UP, reading)
        .await
        .expect("the feed goes on or ends");
    (seen, reason)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_feed_that_is_not_read_ends_and_goes_on_without_a_gap() {
    let server = TestServer::start_with(&IMPATIENT).await;
    let start = server.app.log.last().expect("a store");
    let mut slow = live(&server, start).await;
    // Far more than what fits between the two programs.
    let project = server.project.id;
    for _ in 0..8 {
        let written: Result<(), testhide::storage::StorageError> = server
            .app
            .storage
            .write(move |wtxn| {
                for _ in 0..500 {
                    let event = Event::ArtifactStored {
                        build: BuildId::generate(),
                        path: "x".repeat(4096),
                    };
                    let now = testhide_protocol::Timestamp(0);
                    testhide::events::append(wtxn, now, Some(project), &event)?;
                }
                Ok(())
            })
            .await;
        written.expect("the store takes events");
    }
    let viewers = server.app.logs.viewers();
    until(|| viewers.waiting() == 0).await;
    let last = server.app.log.last().expect("a store");
    let (mut seen, _) = read_to_end(&mut slow, last).await;
    assert!(seen.len() < 4000, "it was dropped long before its end");
    let resumed = seen.last().copied().unwrap_or(start);
    let mut socket = live(&server, resumed).await;
    let (rest, _) = read_to_end(&mut socket, last).await;
    seen.extend(rest);
    let all: Vec<u64> = (start + 1..=last).collect();
    assert!(seen == all, "nothing is missing and nothing comes twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_live_feed_that_ends_says_why_and_where_to_go_on() {
    let server = TestServer::start().await;
    let start = server.app.log.last().expect("a store");
    let mut socket = live(&server, start).await;
    server
        .root
        .post("/projects", &json!({"name": "other"}))
        .await
        .json();
    let last = server.app.log.last().expect("a store");
    let (seen, _) = read_to_end(&mut socket, last).await;
    assert_eq!(seen.last(), Some(&last));
    let (server, (_, reason)) = tokio::join!(server.restart(), read_to_end(&mut socket, u64::MAX));
    let restart = u16::from(CloseCode::Restart);
    assert_eq!(reason, Some(format!("{restart} closing after={last}")));
    socket.close(None).await.ok();

    // A token that is revoked ends what it gave.
    let token = server.root.post("/tokens", &json!({"name": "live"})).await;
    let token = token.json();
    let secret = token["secret"].as_str().expect("a secret");
    let own = server.root.with_token(secret);
    let start = server.app.log.last().expect("a store");
    let url = format!("{}/ws/live?after={start}", own.base().replace("http", "ws"));
    let mut request = url.into_client_request().expect("a request");
    let bearer = format!("Bearer {secret}");
    let headers = request.headers_mut();
    headers.insert("authorization", bearer.parse().expect("a header"));
    let stream = narrow(&server).await;
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .expect("the feed opens");
    let path = format!(
        "/tokens/{}",
        token["token"]["id"]
            .as_str()
            .unwrap_or_else(|| token["id"].as_str().expect("an id"))
    );
    let revoked = server
        .root
        .send(reqwest::Method::DELETE, &path, &[], None)
        .await;
    assert!(revoked.status.is_success());
    // A frame of the client makes the server look again.
    socket
        .send(Message::Ping(bytes::Bytes::new()))
        .await
        .expect("it is sent");
    let (_, reason) = read_to_end(&mut socket, u64::MAX).await;
    let policy = u16::from(CloseCode::Policy);
    assert_eq!(
        reason,
        Some(format!("{policy} not_authenticated after={start}"))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_is_not_read_ends_and_its_rest_is_fetched() {
    let server = TestServer::start_with(&IMPATIENT).await;
    let agent = server.agent("one", &[], 1).await;
    let job = server.job("large", job_with_script("seq 1 3000000")).await;
    server.trigger(&job, json!({})).await;
    server.finished(1).await;
    let viewers = server.app.logs.viewers();
    let ask = |from: usize| {
        format!(
            "GET /api/v3/builds/1/log/raw HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nrange: bytes={from}-\r\nconnection: close\r\n\r\n",
            server.root.token()
        )
    };
    let mut slow = narrow(&server).await;
    slow.write_all(ask(0).as_bytes()).await.expect("it is sent");
    let mut answer = vec![0; 4096];
    slow.read_exact(&mut answer)
        .await
        .expect("an answer begins");
    assert_eq!(viewers.downloading(), 1);
    until(|| viewers.downloading() == 0).await;
    // What the kernel had taken is still there; then the connection is over.
    let reading = slow.read_to_end(&mut answer);
    drop(
        tokio::time::timeout(GIVE_UP, reading)
            .await
            .expect("it ends"),
    );
    let head = answer
        .windows(4)
        .position(|bytes| bytes == b"\r\n\r\n")
        .expect("a head");
    let mut log = answer.split_off(head + 4);
    let whole = server.root.get("/builds/1/log/raw").await.body;
    assert!(log.len() < whole.len(), "it was dropped before its end");
    let from = format!("bytes={}-", log.len());
    let rest = server
        .root
        .send(
            reqwest::Method::GET,
            "/builds/1/log/raw",
            &[("range", &from)],
            None,
        )
        .await;
    log.extend(rest.body);
    assert!(log == whole);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_not_read_has_a_counted_place_and_loses_it() {
    let server = TestServer::start_with(&IMPATIENT).await;
    let job = server.job("files", job_with_script("true")).await;
    let speaker = RawAgent::enrol(&server, "one").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    let lease = line.assigned().await.lease;
    let bytes = vec![b'x'; 20_000_000];
    line.record(lease, 1, started(0)).await;
    line.file(lease, 2, FileKind::Artifact, "large.bin", &bytes)
        .await;
    line.stored(lease, 2).await;
    let files = server.root.get("/builds/1/artifacts").await.json();
    let id = files["items"][0]["id"].as_str().expect("an id").to_owned();
    let viewers = server.app.logs.viewers();
    let ask = format!(
        "GET /api/v3/artifacts/{id} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nconnection: close\r\n\r\n",
        server.root.token()
    );
    let mut slow = narrow(&server).await;
    slow.write_all(ask.as_bytes()).await.expect("it is sent");
    let mut answer = vec![0; 4096];
    slow.read_exact(&mut answer)
        .await
        .expect("an answer begins");
    assert_eq!(viewers.downloading(), 1);
    until(|| viewers.downloading() == 0).await;
}
