//! A build that does nothing: how long from its trigger to its end, and how many a second when many wait.

use super::support::{Client, Goal, Lab, Table, percentile};
use std::time::Instant;

/// Builds one after the other.
const ONE_BY_ONE: usize = 200;

/// Builds that are queued at once.
const QUEUED: usize = 200;

/// Requests that trigger at the same time.
const TRIGGERS: usize = 8;

pub(crate) async fn measure(table: &mut Table) {
    let (_lab, client) = Lab::with_agent(4).await;
    let job = client.job("nothing", "true").await;
    for _ in 0..5 {
        let number = client.trigger(&job).await;
        client.passed(number).await;
    }
    let mut millis = Vec::with_capacity(ONE_BY_ONE);
    for _ in 0..ONE_BY_ONE {
        let began = Instant::now();
        let number = client.trigger(&job).await;
        client.passed(number).await;
        millis.push(began.elapsed().as_secs_f64() * 1000.0);
    }
    table.add(
        "trivial build, trigger to end, p50",
        percentile(&mut millis, 50),
        "ms",
        Goal::AtMost(40.0),
    );
    table.add(
        "trivial build, trigger to end, p90",
        percentile(&mut millis, 90),
        "ms",
        Goal::None,
    );
    table.add(
        "trivial build, trigger to end, p99",
        percentile(&mut millis, 99),
        "ms",
        Goal::None,
    );

    let began = Instant::now();
    let mut triggering = tokio::task::JoinSet::new();
    for _ in 0..TRIGGERS {
        let (client, job) = (client.clone(), job.clone());
        triggering.spawn(async move { trigger_many(&client, &job, QUEUED / TRIGGERS).await });
    }
    let mut numbers: Vec<u64> = triggering.join_all().await.into_iter().flatten().collect();
    numbers.sort_unstable();
    for number in numbers.iter().rev() {
        client.passed(*number).await;
    }
    let seconds = began.elapsed().as_secs_f64();
    table.add(
        "200 queued trivial builds, capacity 4",
        QUEUED as f64 / seconds,
        "builds/s",
        Goal::AtLeast(60.0),
    );
}

async fn trigger_many(client: &Client, job: &str, count: usize) -> Vec<u64> {
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        numbers.push(client.trigger(job).await);
    }
    numbers
}
