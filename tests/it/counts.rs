//! A test counts once in its build, however many reports tell of it.

use crate::support::{Case, TestServer, job_with_script, junit};
use serde_json::json;
use testhide_protocol::api::{Build, BuildState, Comparison, Page, Report};

const TESTS: usize = 2_000;

/// Uploads of the same tests at the same time.
const UPLOADERS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn uploaders_of_the_same_tests_lose_none_and_count_each_once() {
    let server = TestServer::start().await;
    let job = server.job("many", job_with_script("true")).await;
    server.trigger(&job, json!({})).await;
    let names: Vec<String> = (0..TESTS).map(|number| format!("test_{number}")).collect();
    let uploads = (0..UPLOADERS).map(|uploader| {
        let client = server.root.clone();
        let mut cases: Vec<Case<'_>> = names.iter().map(|name| Case::Pass(name)).collect();
        cases[0] = Case::Fail(&names[0], "boom");
        // Each in an order of its own.
        cases.rotate_left(uploader * TESTS / UPLOADERS);
        if uploader % 2 == 1 {
            cases.reverse();
        }
        let file = junit(&cases);
        async move {
            let report: Report = client
                .upload("/builds/1/reports", "application/xml", file)
                .await
                .ok();
            assert_eq!(report.tests.total, TESTS as u64);
        }
    });
    futures_util::future::join_all(uploads).await;
    let build: Build = server.root.get("/builds/1").await.ok();
    assert_eq!(
        (build.tests.passed, build.tests.failed),
        (TESTS as u64 - 1, 1)
    );
    let reports: Page<Report> = server.root.get("/builds/1/reports").await.ok();
    assert_eq!(reports.items.len(), UPLOADERS);
    // What the last of several uploads says of a test counts, also when the server has forgotten what it had counted.
    let server = server.restart().await;
    let mended = junit(&[Case::Pass(&names[0]), Case::Pass("test_new")]);
    server
        .root
        .upload("/builds/1/reports", "application/xml", mended)
        .await
        .json();
    let build: Build = server.root.get("/builds/1").await.ok();
    assert_eq!(
        (build.tests.passed, build.tests.failed),
        (TESTS as u64 + 1, 0)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worst_of_one_step_counts_and_a_later_step_is_a_further_attempt() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let write =
        |file: &str, cases: &[Case<'_>]| format!("cat > {file} <<'END'\n{}\nEND\n", junit(cases));
    let (fails, passes) = (Case::Fail("a", "boom"), Case::Pass("a"));
    let run = async |name: &str, steps: &[String]| {
        let steps: Vec<_> = steps
            .iter()
            .map(|script| json!({"type": "bash", "run": script}))
            .collect();
        let definition = json!({
            "steps": steps,
            "post_steps": [{"type": "test_provider", "provider": "junit", "path": "*.xml"}],
        });
        let job = server.job(name, definition).await;
        let number = server.trigger(&job, json!({})).await.build_number;
        let build = server.finished(number).await;
        (build.status, build.tests.passed, build.tests.failed)
    };
    let shards = write("1.xml", &[fails, Case::Pass("b")]) + &write("2.xml", &[passes]);
    assert_eq!(run("shards", &[shards]).await, (BuildState::Failed, 1, 1));
    // The later step's file comes first by name. A file's time may lag behind the clock by a tick, and one without a fraction of a
    // second could be anywhere in that second: so each is touched until its time is clearly of its step.
    let written = |file: &str, cases: &[Case<'_>]| {
        let until = format!(
            "began=$(date +%s%3N); until [ \"$(date -r {file} +%s%3N)\" -gt $((began + 20)) ] && \
             [ \"$(date -r {file} +%3N)\" != 000 ]; do touch {file}; done"
        );
        write(file, cases) + &until
    };
    let again = [
        written("2.xml", &[fails, Case::Pass("b")]),
        written("1.xml", &[passes]),
    ];
    let (_, passed, failed) = run("again", &again).await;
    assert_eq!((passed, failed), (2, 0));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_does_not_wait_for_the_log_to_end() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let gate = server.path("gate");
    let script = format!(
        "for i in $(seq 1 4000); do [ -e '{}' ] && exit; seq 1 20000; done",
        gate.display()
    );
    let job = server.job("chatty", job_with_script(&script)).await;
    server.trigger(&job, json!({})).await;
    server.wait_for(1, &[BuildState::Running]).await;
    for name in ["a", "b", "c", "d"] {
        let file = junit(&[Case::Pass(name)]);
        let uploaded = server
            .root
            .upload("/builds/1/reports", "application/xml", file);
        uploaded.await.json();
    }
    let build: Build = server.root.get("/builds/1").await.ok();
    assert_eq!(
        (build.status, build.tests.passed),
        (BuildState::Running, 4),
        "the reports are stored while the build runs"
    );
    std::fs::write(&gate, "").expect("a file");
    let build = server.finished(1).await;
    assert_eq!((build.status, build.tests.passed), (BuildState::Passed, 4));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_comparison_counts_tests_as_their_builds_do() {
    let server = TestServer::start().await;
    let job = server.job("again", job_with_script("true")).await;
    for _ in 0..2 {
        server.trigger(&job, json!({})).await;
    }
    for (build, cases) in [
        (1, [Case::Pass("adds"), Case::Pass("pays")]),
        (2, [Case::Fail("adds", "boom"), Case::Fail("pays", "boom")]),
        (2, [Case::Pass("adds"), Case::Fail("pays", "boom")]),
    ] {
        let path = format!("/builds/{build}/reports");
        server
            .root
            .upload(&path, "application/xml", junit(&cases))
            .await
            .json();
    }
    let build: Build = server.root.get("/builds/2").await.ok();
    assert_eq!((build.tests.passed, build.tests.failed), (1, 1));
    let found: Comparison = server.root.get("/compare?base=1&head=2").await.ok();
    let new: Vec<&str> = found
        .new_failures
        .iter()
        .map(|test| test.display_name.as_str())
        .collect();
    assert!(new.len() == 1 && new[0].ends_with("pays"), "{new:?}");
}
