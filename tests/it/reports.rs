//! Reports: uploaded and collected, found by content, kept whole.

use crate::support::{Case, TestServer, junit};
use serde_json::{Value, json};
use std::path::Path;
use testhide_protocol::api::{
    Build, BuildState, Comparison, Outcome, Page, Report, Test, TestResult, TestRun,
};

fn names(tests: &[testhide_protocol::api::ComparedTest]) -> Vec<&str> {
    tests
        .iter()
        .map(|test| test.display_name.rsplit(" > ").next().unwrap_or_default())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_of_the_official_reporters_arrive_as_they_should() {
    let server = TestServer::start().await;
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/reports");
    let (mut tried, mut compared) = (0, 0);
    for folder in [dir.clone(), dir.join("native")] {
        for entry in std::fs::read_dir(folder).expect("the fixtures") {
            let path = entry.expect("a file").path();
            if path.extension().is_none_or(|kind| kind != "xml") {
                continue;
            }
            let expected = path.with_extension("expected.json");
            let expected: Value =
                serde_json::from_slice(&std::fs::read(expected).expect("its answer"))
                    .expect("JSON");
            let body = std::fs::read(&path).expect("the report");
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name");
            let report: Report = server
                .root
                .upload(
                    &format!("/projects/shop/reports?name={name}"),
                    "application/xml",
                    body,
                )
                .await
                .ok();
            // What is written, row by row; and for files of other writers, what it means, test by test.
            for (said, found) in [("counts", report.counts), ("counts_unique", report.tests)] {
                let found = serde_json::to_value(found).expect("JSON");
                for (outcome, count) in expected[said].as_object().into_iter().flatten() {
                    if count.is_u64() {
                        assert_eq!(&found[outcome], count, "{name}: {said} {outcome}");
                        compared += 1;
                    }
                }
            }
            let mut fail_ids: Vec<String> = Vec::new();
            let mut cursor = String::new();
            loop {
                let path = format!("/reports/{}/results?limit=500{cursor}", report.id);
                let page: Page<TestResult> = server.root.get(&path).await.ok();
                for result in page.items {
                    fail_ids.push(result.fail_id);
                    fail_ids.extend(result.other_fail_ids);
                }
                match page.next {
                    Some(next) => cursor = format!("&cursor={next}"),
                    None => break,
                }
            }
            for expected in expected["fail_ids"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
            {
                assert!(
                    fail_ids.iter().any(|id| id == expected),
                    "{name}: fail_id {expected} is missing"
                );
            }
            tried += 1;
        }
    }
    assert!(
        tried >= 12 && compared >= 5 * tried,
        "only {compared} counts of {tried} examples were compared"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_collects_its_reports_and_is_judged_by_them() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let xml = junit(&[Case::Pass("good"), Case::Fail("bad", "broken")]);
    let script = format!("mkdir reports; cat > reports/r.xml <<'END'\n{xml}\nEND\n");
    let definition = json!({
        "steps": [{"type": "bash", "run": script}],
        "post_steps": [{"type": "test_provider", "provider": "junit", "path": "**/reports/*.xml"}],
    });
    let job = server.job("tests", definition).await;
    server.trigger(&job, json!({})).await;
    let build = server.finished(1).await;
    // Every step succeeded, and yet a test failed: such a build is not green.
    assert_eq!(build.status, BuildState::Failed);
    assert_eq!(
        build.reason.as_deref(),
        Some("1 test failed although every step succeeded")
    );
    assert_eq!((build.tests.passed, build.tests.failed), (1, 1));
    let reports: Page<Report> = server.root.get("/builds/1/reports").await.ok();
    assert_eq!(
        (reports.items.len(), reports.items[0].name.as_str()),
        (1, "reports/r.xml")
    );
    let failed: Page<TestResult> = server
        .root
        .get("/builds/1/results?outcome=failed")
        .await
        .ok();
    assert_eq!(failed.items.len(), 1);
    let result: TestResult = server
        .root
        .get(&format!("/results/{}", failed.items[0].id))
        .await
        .ok();
    assert_eq!(
        (result.outcome, result.message.as_deref()),
        (Outcome::Failed, Some("broken"))
    );
    assert!(
        result
            .trace
            .as_deref()
            .is_some_and(|trace| trace.contains("/srv/shop/cart.py"))
    );
    assert_eq!(result.signature.len(), 32);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_that_cannot_be_read_never_makes_a_green_build() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let definition = json!({
        "steps": [{"type": "bash", "run": "mkdir reports; echo 'not a report' > reports/r.xml"}],
        "post_steps": [{"type": "test_provider", "provider": "junit", "path": "reports/*.xml"}],
    });
    let job = server.job("tests", definition).await;
    server.trigger(&job, json!({})).await;
    let build = server.finished(1).await;
    assert_eq!(build.status, BuildState::Failed, "{build:?}");
    assert!(
        build.steps[1]
            .message
            .as_deref()
            .is_some_and(|text| text.contains("reports/r.xml")),
        "{build:?}"
    );
    let artifacts = server.root.get("/builds/1/artifacts").await.json();
    assert_eq!(
        artifacts["items"][0]["path"], "reports/r.xml",
        "the file is kept for people"
    );
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_test_has_one_history_over_reports() {
    let server = TestServer::start().await;
    for (branch, outcome) in [
        ("main", true),
        ("main", false),
        ("topic", true),
        ("main", false),
    ] {
        let case = if outcome {
            Case::Pass("adds_up")
        } else {
            Case::Fail("adds_up", "no")
        };
        let path = format!("/projects/shop/reports?branch={branch}&commit=abc");
        let _: Report = server
            .root
            .upload(&path, "application/xml", junit(&[case]))
            .await
            .ok();
    }
    let tests: Page<Test> = server.root.get("/projects/shop/tests").await.ok();
    assert_eq!(tests.items.len(), 1);
    let test = &tests.items[0];
    assert_eq!(
        (test.runs, test.failures, test.last_outcome),
        (4, 2, Outcome::Failed)
    );
    let history: Page<TestRun> = server
        .root
        .get(&format!("/tests/{}/history", test.id))
        .await
        .ok();
    let outcomes: Vec<(&str, Outcome)> = history
        .items
        .iter()
        .map(|run| (run.branch.as_str(), run.outcome))
        .collect();
    let (passed, failed) = (Outcome::Passed, Outcome::Failed);
    assert_eq!(
        outcomes,
        [
            ("main", failed),
            ("topic", passed),
            ("main", failed),
            ("main", passed)
        ],
        "newest first"
    );
    let topic: Page<TestRun> = server
        .root
        .get(&format!("/tests/{}/history?branch=topic", test.id))
        .await
        .ok();
    assert_eq!(topic.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_builds_are_compared_by_what_their_tests_are() {
    let server = TestServer::start().await;
    let job = server
        .job(
            "upload",
            json!({"steps": [{"type": "bash", "run": "true"}]}),
        )
        .await;
    let base: Build = server.trigger(&job, json!({})).await;
    let head: Build = server.trigger(&job, json!({})).await;
    let before = junit(&[
        Case::Pass("same"),
        Case::Pass("breaks"),
        Case::Fail("heals", "x"),
        Case::Fail("stays", "x"),
        Case::Pass("goes"),
    ]);
    let after = junit(&[
        Case::Pass("same"),
        Case::Fail("breaks", "y"),
        Case::Pass("heals"),
        Case::Fail("stays", "x"),
        Case::Pass("comes"),
    ]);
    for (build, xml) in [(&base, before), (&head, after)] {
        let path = format!("/builds/{}/reports?name=r.xml", build.build_number);
        let _: Report = server.root.upload(&path, "text/xml", xml).await.ok();
    }
    let path = format!(
        "/compare?base={}&head={}",
        base.build_number, head.build_number
    );
    let diff: Comparison = server.root.get(&path).await.ok();
    assert_eq!(
        (names(&diff.new_failures), names(&diff.fixed)),
        (vec!["breaks"], vec!["heals"])
    );
    assert_eq!(
        (
            names(&diff.still_failing),
            names(&diff.added),
            names(&diff.removed)
        ),
        (vec!["stays"], vec!["comes"], vec!["goes"])
    );
    assert_eq!(diff.unchanged, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrf_is_found_by_its_content() {
    let server = TestServer::start().await;
    let ctrf = json!({"reportFormat": "CTRF", "specVersion": "0.0.0", "results": {
        "tool": {"name": "jest"},
        "summary": {"tests": 2, "passed": 1, "failed": 1, "pending": 0, "skipped": 0, "other": 0, "start": 1, "stop": 2},
        "tests": [
            {"name": "adds", "status": "passed", "duration": 12},
            {"name": "divides", "status": "failed", "duration": 7, "message": "by zero"},
        ],
    }});
    let body = serde_json::to_vec(&ctrf).expect("JSON");
    let report: Report = server
        .root
        .upload(
            "/projects/shop/reports?name=x.xml",
            "application/octet-stream",
            body,
        )
        .await
        .ok();
    assert_eq!(
        (report.format.as_str(), report.reporter.as_deref()),
        ("ctrf", Some("jest"))
    );
    assert_eq!(
        (
            report.counts.passed,
            report.counts.failed,
            report.counts.total
        ),
        (1, 1, 2)
    );
}
