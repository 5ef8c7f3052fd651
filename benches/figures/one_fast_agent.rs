//! One agent sends as fast as it can: what others see of it.

use super::support::{Client, Goal, Lab, Spoken, Table, begin, chunk, end, percentile};
use std::time::Instant;
use testhide_protocol::wire::{Lease, compress_chunk};
use tokio::task::JoinSet;

/// Raw bytes of the fast agent's log.
const FLOOD: u64 = 500_000_000;

/// Trivial builds before it, to compare with.
const BEFORE: usize = 100;

pub(crate) async fn measure(table: &mut Table) {
    let (lab, client) = Lab::with_agent(2).await;
    let dir = lab.path("keys");
    std::fs::create_dir(&dir).expect("a directory");
    // Not for the agent that floods: it only speaks. The other one's name is its label.
    let nothing = client.job_for("bench", "nothing").await;
    let speaker = client.speaker(&dir, "flood", &["flood"]).await;
    let small = client.job("small", "seq 1 5000").await;
    let read = client.trigger(&small).await;
    client.passed(read).await;
    let mut quiet = Vec::new();
    for _ in 0..BEFORE {
        quiet.push(trivial(&client, &nothing).await);
    }
    let mut quiet_pages = Vec::new();
    for _ in 0..BEFORE {
        quiet_pages.push(page(&client, read).await);
    }

    let flood_job = client.job_for("flood", "flood").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    let number = client.trigger(&flood_job).await;
    let lease = line.assigned().await;
    lab.forget_peak();
    let began = Instant::now();
    let mut flooding = JoinSet::new();
    flooding.spawn(async move {
        flood(line, lease).await;
        began.elapsed().as_secs_f64()
    });
    let (mut builds, mut pages) = (Vec::new(), Vec::new());
    let seconds = loop {
        if let Some(done) = flooding.try_join_next() {
            break done.expect("it delivers");
        }
        let (build, shown) = tokio::join!(trivial(&client, &nothing), page(&client, read));
        builds.push(build);
        pages.push(shown);
    };
    let most = lab.server_mb("VmHWM");
    client.passed(number).await;
    table.add(
        "one agent sends 500 MB of log as fast as it can",
        FLOOD as f64 / 1e6 / seconds,
        "MB/s",
        Goal::None,
    );
    table.add(
        "builds of another agent meanwhile",
        builds.len() as f64,
        "builds",
        Goal::None,
    );
    for (what, samples, quiet) in [
        ("trivial build of another agent", &mut builds, &mut quiet),
        (
            "page of 1,000 lines for a user",
            &mut pages,
            &mut quiet_pages,
        ),
    ] {
        for percent in [50, 99] {
            let before = percentile(quiet, percent);
            table.add(
                format!("{what}, nobody else, p{percent}"),
                before,
                "ms",
                Goal::None,
            );
            let beside = percentile(samples, percent);
            table.add(
                format!("{what}, meanwhile, p{percent}"),
                beside,
                "ms",
                Goal::None,
            );
        }
    }
    table.add("server meanwhile, most resident", most, "MB", Goal::None);
}

/// Sends without waiting for any acknowledgement. The same lines again and again, compressed once: nothing holds the sender up.
async fn flood(mut line: Spoken, lease: Lease) {
    let mut raw = String::new();
    let mut mixed: u64 = 1;
    while raw.len() < 250_000 {
        mixed = mixed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        raw.push_str(&format!(
            "INFO worker-{} request {mixed:016x} took {} us\n",
            mixed >> 61,
            mixed >> 44
        ));
    }
    let data = compress_chunk(raw.as_bytes());
    let (mut seq, mut offset) = (1, 0);
    line.send([begin(lease)]).await;
    while offset < FLOOD {
        seq += 1;
        line.send([chunk(lease, seq, offset, raw.len(), data.clone())])
            .await;
        offset += raw.len() as u64;
    }
    line.send(end(lease, seq + 1, offset)).await;
    line.stored(lease, seq + 2).await;
}

/// Milliseconds of a build that does nothing.
async fn trivial(client: &Client, job: &str) -> f64 {
    let began = Instant::now();
    let number = client.trigger(job).await;
    client.passed(number).await;
    began.elapsed().as_secs_f64() * 1000.0
}

/// Milliseconds of a page of a log.
async fn page(client: &Client, number: u64) -> f64 {
    let began = Instant::now();
    client.log(number, 2001, 1000, 0).await;
    began.elapsed().as_secs_f64() * 1000.0
}
