//! Two reports of 100,000 tests each, compared.

use super::support::{Case, Client, Goal, Lab, Table, junit_of, percentile};
use std::time::Instant;

/// Tests on each side.
const TESTS: usize = 100_000;

/// Reports before the two, so that durations have a history.
const EARLIER: u64 = 6;

/// Times that each comparison is asked for.
const ASKED: usize = 20;

pub(crate) async fn measure(table: &mut Table) {
    let (_lab, client) = Lab::start().await;
    for number in 0..EARLIER {
        upload(&client, &cases(number)).await;
    }
    let base = upload(&client, &cases(EARLIER)).await;
    let mut changed = cases(EARLIER + 1);
    for case in &mut changed {
        case.failed ^= case.number % 100 == 5;
        case.millis += if case.number % 50 == 7 { 2_000 } else { 0 };
    }
    changed.retain(|case| case.number % 200 != 9);
    let head = upload(&client, &changed).await;
    let renamed: Vec<Case> = cases(0)
        .into_iter()
        .map(|case| Case {
            number: case.number + TESTS,
            ..case
        })
        .collect();
    let other = upload(&client, &renamed).await;
    client.wait_for_quiet(3).await;

    for (what, head) in [
        ("one test in 25 differs, p50", &head),
        ("no test is the same, p50", &other),
    ] {
        let path = format!("/compare?base={base}&head={head}");
        let mut millis = Vec::new();
        for _ in 0..ASKED {
            let began = Instant::now();
            let found = client.get(&path).await;
            millis.push(began.elapsed().as_secs_f64() * 1000.0);
            assert!(found["counts"]["removed"].as_u64() > Some(0), "{found}");
        }
        table.add(what, percentile(&mut millis, 50), "ms", Goal::AtMost(100.0));
        table.add(
            "… the slowest",
            percentile(&mut millis, 100),
            "ms",
            Goal::None,
        );
    }
}

/// All tests; each report's durations differ a little.
fn cases(report: u64) -> Vec<Case> {
    let case = |number: usize| Case {
        number,
        millis: 100 + (number as u64 * 31 + report * 7) % 40,
        failed: number % 100 == 17,
    };
    (0..TESTS).map(case).collect()
}

async fn upload(client: &Client, cases: &[Case]) -> String {
    let report = client.upload("large.xml", junit_of(cases)).await;
    report["id"].as_str().expect("a report's id").to_owned()
}
