//! 50,000 tests uploaded, by one and by eight at once who send them in different orders; none of their runs may be lost.

use super::support::{Case, Client, Goal, Lab, Table, junit_of, percentile};
use std::time::Instant;

/// Tests in each file.
const TESTS: usize = 50_000;

/// Uploaders at once.
const UPLOADERS: usize = 8;

/// Uploads of one after the other.
const UPLOADS: usize = 3;

pub(crate) async fn measure(table: &mut Table) {
    alone(table).await;
    together(table).await;
}

async fn alone(table: &mut Table) {
    let (_lab, client) = Lab::start().await;
    let xml = junit_of(&cases(0));
    let mut seconds = Vec::new();
    for number in 0..UPLOADS {
        let body = xml.clone();
        let began = Instant::now();
        client.upload(&format!("{number}.xml"), body).await;
        seconds.push(began.elapsed().as_secs_f64());
    }
    table.add(
        "50,000 tests uploaded for the first time, committed",
        seconds[0],
        "s",
        Goal::AtMost(0.6),
    );
    table.add(
        "… again, the slowest",
        percentile(&mut seconds[1..], 100),
        "s",
        Goal::AtMost(0.6),
    );
}

async fn together(table: &mut Table) {
    let (_lab, client) = Lab::start().await;
    let began = Instant::now();
    let mut uploads = tokio::task::JoinSet::new();
    for number in 0..UPLOADERS {
        let client = client.clone();
        uploads.spawn(async move {
            let xml = junit_of(&cases(number as u64));
            client.upload(&format!("{number}.xml"), xml).await;
        });
    }
    while let Some(uploaded) = uploads.join_next().await {
        uploaded.expect("an upload succeeds");
    }
    let seconds = began.elapsed().as_secs_f64();
    let (tests, whole) = count(&client).await;
    table.add(
        "8 such uploads at once, all committed",
        seconds,
        "s",
        Goal::None,
    );
    table.add(
        "tests after them",
        tests as f64,
        "tests",
        Goal::AtLeast(TESTS as f64),
    );
    table.add(
        "tests with 8 runs each, none lost and none twice",
        whole as f64,
        "tests",
        Goal::AtLeast(TESTS as f64),
    );
    assert_eq!((tests, whole), (TESTS, TESTS), "runs are lost or doubled");
}

/// Tests of the project, and those of them with a run of each uploader.
async fn count(client: &Client) -> (usize, usize) {
    let (mut tests, mut whole, mut cursor) = (0, 0, String::new());
    loop {
        let path = format!("/tests?project={}&limit=1000{cursor}", client.project());
        let page = client.get(&path).await;
        for test in page["items"].as_array().expect("a page") {
            tests += 1;
            whole += usize::from(test["runs"].as_u64() == Some(UPLOADERS as u64));
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (tests, whole),
        }
    }
}

/// All tests in an order of `seed`'s own (Fisher-Yates with the numbers of a linear congruential generator).
fn cases(seed: u64) -> Vec<Case> {
    let mut cases: Vec<Case> = (0..TESTS)
        .map(|number| Case {
            number,
            millis: number as u64 % 997,
            failed: number % 100 == 17,
        })
        .collect();
    let mut state = seed;
    for at in (1..cases.len()).rev().filter(|_| seed > 0) {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let other = (state >> 33) as usize % (at + 1);
        cases.swap(at, other);
    }
    cases
}
