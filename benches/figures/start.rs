//! Memory of a server that does nothing, and how fast one is ready again after `kill -9` with a gigabyte of data.

use super::support::{Client, Goal, Lab, Table, percentile};
use std::time::Instant;

/// The least that the data directory holds.
const DATA_BYTES: u64 = 1_000_000_000;

/// Bytes that cannot be compressed, of each build.
const BUILD_BYTES: u64 = 128 * 1024 * 1024;

/// Most builds that fill the directory.
const MOST_BUILDS: usize = 12;

/// How often the server is killed.
const KILLS: usize = 5;

/// Seconds without an event after which a server's memory counts as idle.
const REST_SECONDS: u32 = 10;

pub(crate) async fn measure(table: &mut Table) {
    let (mut lab, client) = Lab::with_agent(1).await;
    client.wait_for_quiet(REST_SECONDS).await;
    table.add(
        "idle server with one agent, resident",
        lab.server_mb("VmRSS"),
        "MB",
        Goal::AtMost(60.0),
    );

    let job = client
        .job("noise", &format!("head -c {BUILD_BYTES} /dev/urandom"))
        .await;
    let mut builds = 0;
    while lab.data_bytes() < DATA_BYTES && builds < MOST_BUILDS {
        let number = client.trigger(&job).await;
        client.passed(number).await;
        builds += 1;
    }
    table.add(
        "data directory",
        lab.data_bytes() as f64 / 1e6,
        "MB",
        Goal::None,
    );
    let mut listening = Vec::new();
    let mut ready = Vec::new();
    for _ in 0..KILLS {
        // Killed while it writes, as far as a log in the middle of its way.
        let number = client.trigger(&job).await;
        wait_for_first_line(&client, number).await;
        lab.kill_server();
        let began = Instant::now();
        listening.push(lab.start_server().as_secs_f64());
        let url = format!("{}/readyz", lab.address());
        let answer = reqwest::get(url).await.expect("the server answers");
        assert!(
            answer.status().is_success(),
            "the server is not ready: {}",
            answer.status()
        );
        ready.push(began.elapsed().as_secs_f64());
        client.passed(number).await;
    }
    table.add(
        "start after kill -9 to listening, p50",
        percentile(&mut listening, 50),
        "s",
        Goal::None,
    );
    table.add(
        "start after kill -9 to ready, worst of 5",
        percentile(&mut ready, 100),
        "s",
        Goal::AtMost(1.0),
    );
    lab.kill_agent();
    lab.kill_server();
    lab.start_server();
    client.wait_for_quiet(REST_SECONDS).await;
    table.add(
        "idle server with that data, resident",
        lab.server_mb("VmRSS"),
        "MB",
        Goal::AtMost(60.0),
    );
    table.add(
        "of which heap; the rest is the program and mapped index files",
        lab.server_mb("RssAnon"),
        "MB",
        Goal::None,
    );
}

async fn wait_for_first_line(client: &Client, number: u64) {
    let page = client.log(number, 1000, 1, 20).await;
    assert!(
        page["total_bytes"].as_u64() > Some(0),
        "the build writes nothing: {page}"
    );
}
