//! One test over time: its history, its new names, and what differs between two runs.

use crate::support::{Case, TestServer, junit};
use serde_json::json;
use testhide_protocol::api::{
    AliasChange, AliasState, Build, Comparison, Outcome, Page, Report, Test, TestAlias,
    TestDetails, TestRun,
};

/// A JUnit file with pytest's cases in a file: `name` passes, `!name` fails.
fn pytest(file: &str, tests: &[&str]) -> String {
    let module = file.trim_end_matches(".py").replace('/', ".");
    let mut xml = String::from("<testsuites><testsuite name=\"pytest\">");
    for test in tests {
        let name = test.trim_start_matches('!');
        let failure = match name == *test {
            true => "",
            false => "<failure type=\"AssertionError\" message=\"assert 1 == 2\">boom</failure>",
        };
        xml.push_str(&format!(
            "<testcase classname=\"{module}.TestCart\" name=\"{name}\" file=\"{file}\" time=\"0.02\">{failure}</testcase>"
        ));
    }
    xml.push_str("</testsuite></testsuites>");
    xml
}

impl TestServer {
    async fn push(&self, branch: &str, xml: String) -> Report {
        let path = format!("/projects/shop/reports?name=r.xml&branch={branch}");
        self.root.upload(&path, "application/xml", xml).await.ok()
    }

    async fn tests(&self) -> Vec<Test> {
        let page: Page<Test> = self.root.get("/tests?project=shop").await.ok();
        page.items
    }

    async fn runs(&self, test: &Test, query: &str) -> Vec<TestRun> {
        let path = format!("/tests/{}/history?{query}", test.id);
        let page: Page<TestRun> = self.root.get(&path).await.ok();
        page.items
    }

    async fn aliases(&self, state: &str) -> Vec<TestAlias> {
        self.settled().await;
        let path = format!("/projects/shop/aliases?state={state}");
        let page: Page<TestAlias> = self.root.get(&path).await.ok();
        page.items
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_history_of_one_test_is_filtered_and_marked() {
    let server = TestServer::start().await;
    for (branch, test) in [
        ("main", "test_sum"),
        ("main", "!test_sum"),
        ("topic", "test_sum"),
        ("main", "!test_sum"),
        ("topic", "!test_sum"),
    ] {
        server.push(branch, pytest("t/test_a.py", &[test])).await;
    }
    let tests = server.tests().await;
    let test = &tests[0];
    assert_eq!(
        (tests.len(), test.display_name.as_str()),
        (1, "t/test_a.py::TestCart::test_sum")
    );
    let told = |runs: &[TestRun]| {
        let one = |run: &TestRun| {
            (
                run.branch.clone(),
                run.outcome,
                run.first_failure_after_pass,
            )
        };
        runs.iter().map(one).collect::<Vec<_>>()
    };
    let (main, topic) = ("main".to_owned(), "topic".to_owned());
    let (passed, failed) = (Outcome::Passed, Outcome::Failed);
    let all = [
        (topic.clone(), failed, true),
        (main.clone(), failed, false),
        (topic.clone(), passed, false),
        (main.clone(), failed, true),
        (main.clone(), passed, false),
    ];
    assert_eq!(told(&server.runs(test, "").await), all);
    // A page that ends with a failure knows what came before it.
    assert_eq!(told(&server.runs(test, "limit=1").await), all[..1]);
    assert_eq!(
        told(&server.runs(test, "outcome=failed&branch=main").await),
        [(main.clone(), failed, false), (main.clone(), failed, true)]
    );
    let details: TestDetails = server.root.get(&format!("/tests/{}", test.id)).await.ok();
    assert_eq!((details.test.runs, details.fail_streak), (5, 1));
    assert_eq!(details.last_failure.map(|run| run.branch), Some(topic));
    server
        .root
        .get("/tests")
        .await
        .refused(422, "invalid_query");
    server
        .root
        .get(&format!("/tests/{}/history?outcome=odd", test.id))
        .await
        .refused(422, "invalid_query");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn variants_of_a_test_are_its_family() {
    let server = TestServer::start().await;
    let tests = [
        "test_sum[1]",
        "test_sum[2]",
        "test_summary",
        "test_sum[x-y]",
    ];
    server.push("main", pytest("t/test_a.py", &tests)).await;
    let found: Page<Test> = server.root.get("/tests?project=shop&q=sum[1]").await.ok();
    let details: TestDetails = server
        .root
        .get(&format!("/tests/{}", found.items[0].id))
        .await
        .ok();
    let names: Vec<&str> = details
        .variants
        .iter()
        .map(|variant| variant.display_name.rsplit("::").next().unwrap_or_default())
        .collect();
    assert_eq!(names, ["test_sum[2]", "test_sum[x-y]"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moved_test_goes_on_when_somebody_says_so() {
    let server = TestServer::start().await;
    server
        .push("main", pytest("t/test_a.py", &["!test_sum", "test_tax"]))
        .await;
    server
        .push("main", pytest("t/test_a.py", &["!test_sum", "test_tax"]))
        .await;
    // The whole file moves.
    let moved = server
        .push(
            "main",
            pytest("t/cart/test_a.py", &["!test_sum", "test_tax"]),
        )
        .await;
    let proposed = server.aliases("proposed").await;
    assert_eq!(proposed.len(), 2, "{proposed:?}");
    let alias = proposed
        .iter()
        .find(|alias| alias.old.display_name.ends_with("test_sum"))
        .expect("the failing one");
    assert_eq!(
        (alias.change, alias.rivals, alias.report_id),
        (AliasChange::Moved, 0, moved.id)
    );
    assert_eq!(
        (
            alias.old.display_name.as_str(),
            alias.new.display_name.as_str()
        ),
        (
            "t/test_a.py::TestCart::test_sum",
            "t/cart/test_a.py::TestCart::test_sum"
        )
    );
    assert_eq!((alias.old.runs, alias.new.runs), (2, 1));
    assert_eq!(
        alias.new.run.as_ref().map(|run| run.report_id),
        Some(moved.id)
    );
    assert!(
        alias
            .reasons
            .iter()
            .any(|reason| reason.contains("same way")),
        "{alias:?}"
    );
    assert_eq!(server.tests().await.len(), 4, "a proposal changes nothing");

    let accept = format!("/aliases/{}/accept", alias.id);
    let bob = server.user("bob").await;
    bob.post(&accept, &json!({}))
        .await
        .refused(404, "alias_not_found");
    let accepted: TestAlias = server.root.post(&accept, &json!({})).await.ok();
    assert_eq!(
        (accepted.state, accepted.decided_by.as_deref()),
        (AliasState::Accepted, Some("root"))
    );
    let tests = server.tests().await;
    let test = tests
        .iter()
        .find(|test| test.id == alias.new.test_id)
        .expect("the new one");
    assert_eq!((tests.len(), test.runs, test.failures), (3, 3, 3));
    assert_eq!(server.runs(test, "").await.len(), 3);
    // The old name leads there, and a late report of it counts.
    let old: TestDetails = server
        .root
        .get(&format!("/tests/{}", alias.old.test_id))
        .await
        .ok();
    assert_eq!((old.test.id, old.fail_streak), (test.id, 3));
    assert_eq!(old.aliases[0].id, alias.id);
    let late = server
        .push("late", pytest("t/test_a.py", &["test_sum"]))
        .await;
    assert_eq!(server.runs(test, "limit=1").await[0].report_id, late.id);
    // A comparison of before and after sees one test.
    let diff: Comparison = server
        .root
        .get(&format!("/compare?base={}&head={}", moved.id, late.id))
        .await
        .ok();
    assert_eq!(
        (diff.fixed.len(), diff.added.len(), diff.removed.len()),
        (1, 0, 1)
    );

    // Taken back, the two are two again; said again, one.
    let undone: TestAlias = server
        .root
        .post(&format!("/aliases/{}/undo", alias.id), &json!({}))
        .await
        .ok();
    assert_eq!(
        (undone.state, undone.decided_by),
        (AliasState::Proposed, None)
    );
    assert_eq!(server.tests().await.len(), 4);
    let again: TestAlias = server.root.post(&accept, &json!({})).await.ok();
    assert_eq!(again.state, AliasState::Accepted);
    assert_eq!(server.aliases("accepted").await.len(), 1);

    let reject = format!(
        "/aliases/{}/reject",
        proposed
            .iter()
            .find(|other| other.id != alias.id)
            .expect("the other")
            .id
    );
    let rejected: TestAlias = server.root.post(&reject, &json!({})).await.ok();
    assert_eq!(rejected.state, AliasState::Rejected);
    assert!(server.aliases("proposed").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rename_within_builds_is_proposed_when_the_build_has_ended() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let job_of = |xml: &str| {
        json!({
            "steps": [{"type": "bash", "run": format!("mkdir r; cat > r/r.xml <<'END'\n{xml}\nEND\n")}],
            "post_steps": [{"type": "test_provider", "provider": "pytest", "path": "r/*.xml"}],
        })
    };
    let before = pytest("t/test_a.py", &["test_total_is_right", "test_tax"]);
    let after = pytest("t/test_a.py", &["test_total_is_right_again", "test_tax"]);
    let job = server.job("unit", job_of(&before)).await;
    server.trigger(&job, json!({})).await;
    server.finished(1).await;
    let path = format!("/jobs/{job}");
    server
        .root
        .patch(&path, &json!({"definition": job_of(&after)}))
        .await
        .json();
    server.trigger(&job, json!({})).await;
    server.finished(2).await;
    let proposed = server.aliases("proposed").await;
    assert_eq!(proposed.len(), 1, "{proposed:?}");
    assert_eq!(proposed[0].change, AliasChange::Renamed);
    let build = proposed[0]
        .new
        .run
        .as_ref()
        .and_then(|run| run.build_number);
    assert_eq!(build, Some(2));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plugin_that_learns_node_ids_changes_nobody() {
    let server = TestServer::start().await;
    server
        .push("main", pytest("t/test_a.py", &["test_sum[1]"]))
        .await;
    let with_nodeid = "<testsuites><testsuite name=\"pytest\"><testcase classname=\"t.test_a.TestCart\" name=\"test_sum[1]\" file=\"t/test_a.py\">\
        <properties><property name=\"nodeid\" value=\"t/test_a.py::TestCart::test_sum[1]\"/></properties></testcase></testsuite></testsuites>";
    server.push("main", with_nodeid.to_owned()).await;
    let tests = server.tests().await;
    assert_eq!((tests.len(), tests[0].runs), (1, 2), "{tests:?}");
    assert!(server.aliases("proposed").await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn builds_and_reports_are_compared_with_each_other() {
    let server = TestServer::start().await;
    let job = server
        .job(
            "upload",
            json!({"steps": [{"type": "bash", "run": "true"}]}),
        )
        .await;
    let build: Build = server.trigger(&job, json!({})).await;
    let path = format!("/builds/{}/reports?name=r.xml", build.build_number);
    let xml = junit(&[Case::Pass("one"), Case::Pass("two")]);
    let _: Report = server.root.upload(&path, "text/xml", xml).await.ok();
    let report = server
        .push("main", junit(&[Case::Pass("one"), Case::Fail("two", "no")]))
        .await;
    for base in [build.build_number.to_string(), build.id.to_string()] {
        let path = format!("/compare?base={base}&head={}", report.id);
        let diff: Comparison = server.root.get(&path).await.ok();
        assert_eq!(
            (diff.counts.new_failures, diff.unchanged, diff.truncated),
            (1, 1, false)
        );
    }
    let unknown = format!(
        "/compare?base={}&head=0198c1a2-7f3e-7abc-8def-000000000000",
        report.id
    );
    server
        .root
        .get(&unknown)
        .await
        .refused(404, "report_not_found");
    server
        .root
        .get("/compare?base=1&head=99")
        .await
        .refused(404, "build_not_found");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_history_decides_whether_a_test_is_slower() {
    let server = TestServer::start().await;
    let timed = |steady: &str, wild: &str| {
        format!(
            "<testsuites><testsuite name=\"s\"><testcase classname=\"c\" name=\"steady\" time=\"{steady}\"/>\
             <testcase classname=\"c\" name=\"wild\" time=\"{wild}\"/></testsuite></testsuites>"
        )
    };
    let first = server.push("main", timed("1.0", "1.0")).await;
    let second = server.push("main", timed("1.4", "1.9")).await;
    let compare = async |head: &Report| -> Comparison {
        let path = format!("/compare?base={}&head={}", first.id, head.id);
        server.root.get(&path).await.ok()
    };
    let names = |diff: &Comparison| {
        let name = |test: &testhide_protocol::api::ComparedTest| {
            (test.display_name.clone(), test.significance.is_some())
        };
        diff.slower.iter().map(name).collect::<Vec<_>>()
    };
    // Too little history: the thresholds decide alone.
    let plain = [
        ("c > wild".to_owned(), false),
        ("c > steady".to_owned(), false),
    ];
    assert_eq!(names(&compare(&second).await), plain);
    for wild in ["1.9", "1.0", "2.1", "0.9", "1.8", "1.1"] {
        server.push("main", timed("1.0", wild)).await;
    }
    let head = server.push("main", timed("1.4", "1.9")).await;
    let diff = compare(&head).await;
    assert_eq!(names(&diff), [("c > steady".to_owned(), true)]);
    assert_eq!((diff.counts.slower, diff.unchanged), (1, 1));
}
