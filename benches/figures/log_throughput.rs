//! Logs: a million lines of one step, eight streams at once, and how late a follower sees a line.

use super::support::{Client, Goal, Lab, Table, percentile};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Lines of the large log.
pub(crate) const LINES: u64 = 1_000_000;

/// Bytes of one of its lines, with its end.
const LINE_BYTES: u64 = 100;

/// How often the large log is measured; the middle one counts.
const RUNS: usize = 3;

/// Lines of the followed log.
const FOLLOWED: u64 = 150;

pub(crate) async fn measure(table: &mut Table) {
    let (lab, client) = Lab::with_agent(8).await;
    let file = lab.path("lines");
    write_lines(&file);
    let idle = lab.server_mb("VmRSS");

    follow(table, &client).await;

    let script = format!("cat '{}'", file.display());
    let job = client.job("million", &script).await;
    lab.forget_peak();
    let mut seconds = Vec::new();
    for _ in 0..RUNS {
        seconds.push(one_log(&client, &job, LINES).await);
    }
    let rate = LINES as f64 / percentile(&mut seconds, 50);
    table.add(
        "1,000,000 lines of 100 characters, trigger to durable",
        rate,
        "lines/s",
        Goal::AtLeast(1_200_000.0),
    );
    table.add(
        "server while it takes them, most resident",
        lab.server_mb("VmHWM"),
        "MB",
        Goal::AtMost(100.0),
    );
    table.add("server before, resident", idle, "MB", Goal::None);

    let same = "yes \"$(printf 'x%.0s' $(seq 99))\" | head -n 1000000 || true";
    let job = client.job("same", same).await;
    let rate = LINES as f64 / one_log(&client, &job, LINES).await;
    table.add(
        "the same with one line repeated",
        rate,
        "lines/s",
        Goal::None,
    );

    let job = client.job("streams", &script).await;
    lab.forget_peak();
    let began = Instant::now();
    let mut numbers = Vec::new();
    for _ in 0..8 {
        numbers.push(client.trigger(&job).await);
    }
    for number in numbers {
        client.passed(number).await;
    }
    let megabytes = 8.0 * (LINES * LINE_BYTES) as f64 / 1e6;
    let rate = megabytes / began.elapsed().as_secs_f64();
    table.add(
        "8 streams at once, raw bytes durable",
        rate,
        "MB/s",
        Goal::AtLeast(100.0),
    );
    table.add(
        "server while it takes them, most resident",
        lab.server_mb("VmHWM"),
        "MB",
        Goal::None,
    );
}

/// Different lines, as a compressor finds them in a real log: a counter, words, and numbers that do not repeat.
pub(crate) fn write_lines(path: &Path) {
    let mut out = BufWriter::new(std::fs::File::create(path).expect("a file for lines"));
    let mut mixed: u64 = 1;
    for line in 0..LINES {
        mixed = mixed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let text = format!(
            "{line:>8} INFO  worker-{} request {:016x} took {:>6} us, cache {:>5}, status ok",
            mixed >> 61,
            mixed,
            (mixed >> 20) % 1_000_000,
            (mixed >> 40) % 65_536,
        );
        writeln!(out, "{text:.<99}").expect("the disk takes it");
    }
    let bytes = out
        .into_inner()
        .expect("the disk takes it")
        .metadata()
        .expect("its size")
        .len();
    assert_eq!(
        bytes,
        LINES * LINE_BYTES,
        "a line is longer than it should be"
    );
}

/// Seconds from the trigger until every line is durable.
async fn one_log(client: &Client, job: &str, lines: u64) -> f64 {
    let began = Instant::now();
    let number = client.trigger(job).await;
    client.passed(number).await;
    let seconds = began.elapsed().as_secs_f64();
    let page = client.log(number, 1, 1, 0).await;
    assert_eq!(
        page["total_lines"].as_u64(),
        Some(lines),
        "lines are missing"
    );
    seconds
}

/// A step says the time again and again; a follower compares it with the time at which it reads it.
async fn follow(table: &mut Table, client: &Client) {
    let script = format!("for i in $(seq {FOLLOWED}); do echo $EPOCHREALTIME; sleep 0.07; done");
    let job = client.job("clock", &script).await;
    let number = client.trigger(&job).await;
    let mut millis = Vec::new();
    let mut next = 1;
    while next <= FOLLOWED {
        let page = client.log(number, next, 100, 20).await;
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or(Duration::ZERO);
        for line in page["lines"].as_array().expect("a page has lines") {
            let written: f64 = line["text"]
                .as_str()
                .and_then(|text| text.parse().ok())
                .expect("a line is a time");
            millis.push((now.as_secs_f64() - written) * 1000.0);
            next += 1;
        }
    }
    table.add(
        "a line, from its write to a follower, p50",
        percentile(&mut millis, 50),
        "ms",
        Goal::None,
    );
    table.add(
        "a line, from its write to a follower, p99",
        percentile(&mut millis, 99),
        "ms",
        Goal::AtMost(300.0),
    );
    client.passed(number).await;
}
