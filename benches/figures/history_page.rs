//! One page of a test's history, over 10,000 reports of 200 tests each.

use super::support::{Client, Goal, Lab, Table, percentile};
use std::path::Path;
use std::time::Instant;
use testhide::history::{
    BuildOrigin, History, NewRun, Origin, identify, new_report_id, record, test_id,
};
use testhide::storage::{OpenOptions, StorageError};
use testhide_protocol::api::Outcome;
use testhide_protocol::{BuildId, JobId, ProjectId, Timestamp};

/// Reports in the store.
const REPORTS: u64 = 10_000;

/// Tests in each.
const TESTS: usize = 200;

/// Reports written in one commit.
const TOGETHER: u64 = 100;

/// Times that each page is asked for.
const ASKED: usize = 50;

pub(crate) async fn measure(table: &mut Table) {
    let (mut lab, client) = Lab::start().await;
    let project: ProjectId = client.project().parse().expect("a project's id");
    lab.kill_server();
    let data = lab.path("data");
    let packed = tokio::task::spawn_blocking(move || fill(&data, project))
        .await
        .expect("the store is filled");
    lab.start_server();

    let tests = client
        .get(&format!("/tests?project={project}&limit=1"))
        .await;
    let test = tests["items"][0]["id"].as_str().expect("a test").to_owned();
    table.add(
        "10,000 reports put together by test",
        packed,
        "s",
        Goal::None,
    );
    for (what, query, rows) in [
        ("the newest 50 runs", "limit=50", 50),
        (
            "the newest 50 of a branch of 1 report in 10",
            "limit=50&branch=topic",
            50,
        ),
        (
            "the newest 50 failures, 1 run in 100",
            "limit=50&outcome=failed",
            50,
        ),
        (
            "all runs of a branch that ended 9,000 reports ago",
            "limit=50&branch=old",
            50,
        ),
        ("the newest 1,000 runs", "limit=1000", 1_000),
    ] {
        let mut millis = ask(&client, &format!("/tests/{test}/history?{query}"), rows).await;
        table.add(
            format!("{what}, p50"),
            percentile(&mut millis, 50),
            "ms",
            Goal::AtMost(10.0),
        );
        table.add(
            "… the slowest",
            percentile(&mut millis, 100),
            "ms",
            Goal::None,
        );
    }
    let mut millis = ask(&client, &format!("/tests/{test}"), 0).await;
    table.add(
        "the test with its last failure and streak, p50",
        percentile(&mut millis, 50),
        "ms",
        Goal::AtMost(10.0),
    );
}

/// Milliseconds that each answer took.
async fn ask(client: &Client, path: &str, rows: usize) -> Vec<f64> {
    let mut millis = Vec::new();
    for _ in 0..ASKED {
        let began = Instant::now();
        let page = client.get(path).await;
        millis.push(began.elapsed().as_secs_f64() * 1000.0);
        let found = page["items"].as_array().map_or(0, Vec::len);
        assert_eq!(found, rows, "{path}");
    }
    millis
}

/// Writes the reports' history as uploads do, then puts it together as the server's follower does; answers the seconds of that.
fn fill(data: &Path, project: ProjectId) -> f64 {
    let (storage, volumes, _) = OpenOptions::new(data).open().expect("the store opens");
    let identities: Vec<_> = (0..TESTS)
        .map(|test| {
            let name = format!("case_{test}_does_what_it_says");
            let identity = identify(
                None,
                None,
                &format!("org.example.Class{}Test", test / 10),
                &name,
            );
            (test_id(project, &identity.key, &[]), identity)
        })
        .collect();
    let job = JobId::generate();
    for first in (0..REPORTS).step_by(TOGETHER as usize) {
        let identities = identities.clone();
        let write = move |wtxn: &_| {
            for number in first..first + TOGETHER {
                let origin = Origin {
                    project,
                    build: Some(BuildOrigin {
                        id: BuildId::generate(),
                        number: number + 1,
                        attempt: 1,
                        job,
                        job_name: "unit".to_owned(),
                    }),
                    branch: match number {
                        0..1_000 if number % 2 == 0 => "old",
                        _ if number % 10 == 3 => "topic",
                        _ => "main",
                    }
                    .to_owned(),
                    commit: Some(format!("{number:040x}")),
                    agent: Some("bench".to_owned()),
                };
                let run = |(row, (test, identity)): (u32, &(_, _))| {
                    let failed = (number + u64::from(row)).is_multiple_of(100);
                    NewRun {
                        test: *test,
                        identity: Clone::clone(identity),
                        row,
                        outcome: if failed {
                            Outcome::Failed
                        } else {
                            Outcome::Passed
                        },
                        recovered: false,
                        signature: None,
                        duration_ms: Some(number % 997),
                    }
                };
                let runs: Vec<NewRun> = (0..).zip(&identities).map(run).collect();
                let now = Timestamp(1_700_000_000_000 + number as i64 * 60_000);
                record(wtxn, &origin, new_report_id(), &runs, now)
                    .map_err(|error| StorageError::Panicked(error.to_string()))?;
            }
            Ok::<_, StorageError>(())
        };
        storage.write_blocking(write).expect("reports are written");
    }
    let began = Instant::now();
    let history = History::new(storage.clone());
    history.pack(project).expect("they are put together");
    let seconds = began.elapsed().as_secs_f64();
    drop(history);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    runtime.block_on(async {
        volumes.close().await;
        storage.close().await;
    });
    seconds
}
