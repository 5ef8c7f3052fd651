//! A thousand who follow one log while it is written: what they cost the one who writes, and the server.
//!
//! The followers are programs of other machines in real life; here they run on the same two processors, and what they cost there is part
//! of the figure.

use super::log_throughput::{LINES, write_lines};
use super::support::{Client, Goal, Lab, Table, percentile};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Who follows.
const FOLLOWERS: usize = 1000;

/// Lines that a follower asks for at once, as `testhide build log --follow` does.
const PAGE: u64 = 2000;

/// How often the large log is written, each time without followers and with them; the middle ones count.
const PAIRS: usize = 5;

pub(crate) async fn measure(table: &mut Table) {
    let (lab, client) = Lab::with_agent(1).await;
    let file = lab.path("lines");
    write_lines(&file);
    let (mut alone, mut followed, mut pages) = (Vec::new(), Vec::new(), Vec::new());
    write_log(&lab, &client, "warm-up", 0, &mut Vec::new()).await;
    let idle = lab.server_mb("VmRSS");
    let mut most = 0.0f64;
    for pair in 0..PAIRS {
        let name = format!("alone-{pair}");
        alone.push(write_log(&lab, &client, &name, 0, &mut Vec::new()).await);
        lab.forget_peak();
        let name = format!("followed-{pair}");
        followed.push(write_log(&lab, &client, &name, FOLLOWERS, &mut pages).await);
        most = most.max(lab.server_mb("VmHWM"));
    }
    let [alone, followed] = [alone, followed].map(|mut rates| percentile(&mut rates, 50));
    table.add(
        "1,000,000 lines, nobody follows",
        alone,
        "lines/s",
        Goal::None,
    );
    table.add(
        "1,000,000 lines, 1,000 follow",
        followed,
        "lines/s",
        Goal::None,
    );
    table.add(
        "with followers to without",
        followed / alone,
        "times",
        Goal::AtLeast(0.9),
    );
    let answered = percentile(&mut pages, 50);
    table.add(
        "pages that the followers got meanwhile",
        answered,
        "pages",
        Goal::None,
    );
    table.add("server before, resident", idle, "MB", Goal::None);
    table.add(
        "server with 1,000 followers, most resident",
        most,
        "MB",
        Goal::None,
    );
    line_latency(table, &client).await;
}

/// Lines a second of a large log, from the moment at which its step may begin to the moment at which all is durable.
async fn write_log(
    lab: &Lab,
    client: &Client,
    name: &str,
    followers: usize,
    pages: &mut Vec<f64>,
) -> f64 {
    let (go, lines) = (lab.path(name), lab.path("lines"));
    let script = format!(
        "until [ -e '{}' ]; do sleep 0.01; done; cat '{}'",
        go.display(),
        lines.display()
    );
    let job = client.job(name, &script).await;
    let number = client.trigger(&job).await;
    let mut following = follow_all(client, number, followers).await;
    let began = Instant::now();
    std::fs::write(&go, "").expect("a file");
    // A long poll would stand in line with the followers.
    while client.build(number).await["status"] != "passed" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    let page = client.log(number, 1, 1, 0).await;
    assert_eq!(
        page["total_lines"].as_u64(),
        Some(LINES),
        "lines are missing"
    );
    following.abort_all();
    while following.join_next().await.is_some() {}
    if followers > 0 {
        pages.push(ANSWERED.swap(0, std::sync::atomic::Ordering::Relaxed) as f64);
    }
    LINES as f64 / seconds
}

/// Answers to all followers.
static ANSWERED: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);

/// Connects followers; returns when each waits for its first line.
async fn follow_all(client: &Client, number: u64, followers: usize) -> JoinSet<()> {
    let mut following = JoinSet::new();
    let (ready, mut all_ready) = tokio::sync::mpsc::channel(followers.max(1));
    for _ in 0..followers {
        let (address, token) = client.door();
        let ready = ready.clone();
        following.spawn(async move {
            let stream = TcpStream::connect(&address).await.expect("a connection");
            let mut follower = Follower {
                stream,
                token,
                buffer: vec![0; 64 * 1024],
            };
            // The first question is answered at once, so that the connection is known to stand.
            follower.ask(number, 1, 0).await;
            ready.send(()).await.expect("somebody waits for all");
            let mut next = 1;
            loop {
                next = follower.ask(number, next, 30).await;
                ANSWERED.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        });
    }
    for _ in 0..followers {
        all_ready.recv().await.expect("a follower comes");
    }
    following
}

/// As little of an HTTP client as follows a log: what it costs stands for nothing.
struct Follower {
    stream: TcpStream,
    token: String,
    buffer: Vec<u8>,
}

impl Follower {
    /// Asks for a page; gives the line to ask for next.
    async fn ask(&mut self, number: u64, from: u64, wait: u32) -> u64 {
        let request = format!(
            "GET /api/v3/builds/{number}/log?from={from}&limit={PAGE}&wait_seconds={wait} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\r\n",
            self.token
        );
        self.stream
            .write_all(request.as_bytes())
            .await
            .expect("the server takes a request");
        let (mut filled, mut left) = (0, None::<usize>);
        loop {
            // Only the head at the beginning and the counts at the end are looked at.
            if filled > self.buffer.len() / 2 && left.is_some() {
                self.buffer.copy_within(filled - 512..filled, 0);
                filled = 512;
            }
            let read = self
                .stream
                .read(&mut self.buffer[filled..])
                .await
                .expect("the server answers");
            assert!(read > 0, "the server hangs up");
            filled += read;
            match &mut left {
                Some(left) => *left -= read,
                None => left = body_left(&self.buffer[..filled]),
            }
            if left == Some(0) {
                break;
            }
        }
        let end = String::from_utf8_lossy(&self.buffer[filled.saturating_sub(200)..filled]);
        let total: u64 = end
            .rsplit_once("\"total_lines\":")
            .and_then(|(_, rest)| rest.split(',').next()?.parse().ok())
            .expect("a page says how many lines there are");
        (total + 1).min(from + PAGE)
    }
}

/// Bytes of the body that are still to come, once the head is there.
fn body_left(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    assert!(text.starts_with("http/1.1 200"), "{text}");
    let length: usize = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .and_then(|length| length.parse().ok())
        .expect("an answer says how long it is");
    Some(head + 4 + length - answer.len())
}

/// A thousand follow a slow step: how late the one whom we watch sees its lines.
async fn line_latency(table: &mut Table, client: &Client) {
    let script = "for i in $(seq 30); do echo $EPOCHREALTIME; sleep 1; done";
    let job = client.job("clock", script).await;
    let number = client.trigger(&job).await;
    let mut following = follow_all(client, number, FOLLOWERS - 1).await;
    let (mut millis, mut next) = (Vec::new(), 1);
    while next <= 30 {
        let page = client.log(number, next, 100, 20).await;
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .expect("after 1970")
            .as_secs_f64();
        for line in page["lines"].as_array().expect("a page has lines") {
            let written: f64 = line["text"]
                .as_str()
                .and_then(|text| text.parse().ok())
                .expect("a line is a time");
            millis.push((now - written) * 1000.0);
            next += 1;
        }
    }
    following.abort_all();
    while following.join_next().await.is_some() {}
    // The first lines were there before all followers were.
    let mut millis = millis.split_off(millis.len() / 3);
    table.add(
        "a line a second, from its write to one of 1,000 followers, p99",
        percentile(&mut millis, 99),
        "ms",
        Goal::None,
    );
}
