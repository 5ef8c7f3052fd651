//! A large JUnit file: from its first byte to the answer that says it is stored.

use super::support::{Goal, Lab, Table, junit, percentile};
use std::time::Instant;

/// Test cases in the file.
const TESTS: usize = 100_000;

/// Uploads of it.
const UPLOADS: usize = 3;

pub(crate) async fn measure(table: &mut Table) {
    let (lab, client) = Lab::start().await;
    client.upload("warm-up.xml", junit(100)).await;
    let before = lab.server_mb("VmRSS");
    let xml = junit(TESTS);
    let mut seconds = Vec::new();
    let mut most = Vec::new();
    for number in 0..UPLOADS {
        lab.forget_peak();
        let body = xml.clone();
        let began = Instant::now();
        let report = client.upload(&format!("large-{number}.xml"), body).await;
        seconds.push(began.elapsed().as_secs_f64());
        most.push(lab.server_mb("VmHWM") - before);
        assert_eq!(
            report["counts"]["total"].as_u64(),
            Some(TESTS as u64),
            "results are missing"
        );
    }
    table.add(
        "JUnit file of 100,000 tests: size",
        xml.len() as f64 / 1e6,
        "MB",
        Goal::None,
    );
    table.add(
        "the first upload, parsed and committed",
        seconds[0],
        "s",
        Goal::AtMost(2.0),
    );
    table.add(
        "memory of the server above idle, first upload",
        most[0],
        "MB",
        Goal::AtMost(64.0),
    );
    table.add(
        "the slowest upload",
        percentile(&mut seconds, 100),
        "s",
        Goal::None,
    );
    table.add(
        "memory above idle, most",
        percentile(&mut most, 100),
        "MB",
        Goal::None,
    );
}
