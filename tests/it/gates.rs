//! Quality gates: what builds have to hold, and what is said of those that do not.

use crate::support::{Answer, Client, TestServer, job_with_script};
use reqwest::Method;
use serde_json::{Value, json};
use std::fmt::Write;
use std::process::{Command, Stdio};
use testhide_protocol::ReportId;
use testhide_protocol::api::{
    Build, BuildState, Event, EventRecord, Gate, GateEvaluation, GateResult, Page, Report,
};

/// A row of a JUnit file.
#[derive(Clone, Copy)]
enum Row<'a> {
    Pass(&'a str),
    Fail(&'a str),
    Skip(&'a str),
    Recover(&'a str),
    Slow(&'a str),
}

fn junit(rows: &[Row<'_>]) -> String {
    let mut xml = String::from("<testsuite name=\"s\">");
    for row in rows {
        let (name, seconds, inner) = match row {
            Row::Pass(name) => (name, "0.01", ""),
            Row::Fail(name) => (name, "0.01", "<failure message=\"no\">trace</failure>"),
            Row::Skip(name) => (name, "0", "<skipped/>"),
            Row::Recover(name) => (
                name,
                "0.01",
                "<flakyFailure message=\"lost\" type=\"E\">trace</flakyFailure>",
            ),
            Row::Slow(name) => (name, "7.5", ""),
        };
        let _ = write!(
            xml,
            "<testcase classname=\"c\" name=\"{name}\" time=\"{seconds}\">{inner}</testcase>"
        );
    }
    xml.push_str("</testsuite>");
    xml
}

/// A server with a job whose builds get their reports by upload.
struct Bench {
    server: TestServer,
    job: String,
}

impl Bench {
    async fn start() -> Self {
        let server = TestServer::start().await;
        let job = server.job("upload", job_with_script("true")).await;
        Self { server, job }
    }

    fn root(&self) -> &Client {
        &self.server.root
    }

    async fn gate(&self, name: &str, rules: Value) -> Gate {
        let new = json!({"name": name, "rules": rules});
        self.root().post("/projects/shop/gates", &new).await.ok()
    }

    /// A build of a branch, with one report.
    async fn build(&self, branch: &str, rows: &[Row<'_>]) -> u64 {
        let trigger = json!({"branch": branch});
        let build = self.server.trigger(&self.job, trigger).await;
        self.report(build.build_number, rows).await;
        build.build_number
    }

    async fn report(&self, build: u64, rows: &[Row<'_>]) {
        let path = format!("/builds/{build}/reports");
        let xml = junit(rows);
        let _: Report = self.root().upload(&path, "application/xml", xml).await.ok();
    }

    async fn evaluate(&self, build: u64) -> GateEvaluation {
        let path = format!("/builds/{build}/gates/evaluate");
        self.root().post(&path, &json!({})).await.ok()
    }

    /// Evaluations that the log tells of.
    async fn told(&self) -> Vec<(u64, bool)> {
        self.server.settled().await;
        let page: Page<EventRecord> = self.root().get("/events?limit=1000").await.ok();
        let told = page.items.iter().filter_map(|record| match record.event {
            Event::GateEvaluated { number, passed, .. } => Some((number, passed)),
            _ => None,
        });
        told.collect()
    }
}

async fn put(client: &Client, path: &str, body: Value) -> Answer {
    let body = serde_json::to_vec(&body).expect("JSON");
    let headers = [("content-type", "application/json")];
    client.send(Method::PUT, path, &headers, Some(body)).await
}

async fn delete(client: &Client, path: &str) -> u16 {
    let answer = client.send(Method::DELETE, path, &[], None).await;
    answer.status.as_u16()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rule_both_ways_says_what_was_expected_and_found() {
    let bench = Bench::start().await;
    let rules = [
        json!({"type": "pass_rate", "min_percent": 75}),
        json!({"type": "pass_rate", "min_percent": 50, "include_skipped": true}),
        json!({"type": "zero_failures"}),
        json!({"type": "no_new_failures"}),
        json!({"type": "max_duration", "of": "each_test", "max_ms": 5_000}),
        json!({"type": "max_duration", "of": "all_tests", "max_ms": 7_529}),
        json!({"type": "max_flaky_count", "max": 0}),
        json!({"type": "min_test_count", "min": 5}),
        json!({"type": "min_test_count", "min": 6, "include_skipped": true}),
    ];
    bench.gate("all", json!(rules)).await;
    let good: Vec<String> = (0..6).map(|n| format!("good{n}")).collect();
    let good: Vec<Row<'_>> = good.iter().map(|name| Row::Pass(name)).collect();
    let number = bench.build("topic", &good).await;
    let evaluation = bench.evaluate(number).await;
    assert!(evaluation.passed, "{evaluation:#?}");
    assert_eq!((evaluation.gates, evaluation.results.len()), (1, 9));

    let rows = [
        Row::Pass("a"),
        Row::Fail("b"),
        Row::Recover("c"),
        Row::Slow("d"),
        Row::Skip("e"),
    ];
    let number = bench.build("topic", &rows).await;
    let evaluation = bench.evaluate(number).await;
    assert!(!evaluation.passed);
    let found: Vec<(bool, &str)> = evaluation
        .results
        .iter()
        .map(|result| (result.passed, result.message.as_str()))
        .collect();
    let expected = [
        (
            true,
            "expected a pass rate of at least 75 %, found 75 % (1 of 4 tests failed)",
        ),
        (
            true,
            "expected a pass rate of at least 50 %, found 60 % (1 of 5 tests failed, 1 skipped)",
        ),
        (
            false,
            "expected no test that fails, found 1 in 4 tests: c b",
        ),
        (
            false,
            "expected no failure that the last 10 builds on `main` did not have, found 1, none of them known on `main`: c b",
        ),
        (
            false,
            "expected no test of more than 5 s, found 1: c d (7.5 s)",
        ),
        (
            false,
            "expected tests that take at most 7.529 s together, found 7.53 s in 4 tests",
        ),
        (
            false,
            "expected at most 0 tests that passed only after a failed attempt, found 1: c c",
        ),
        (
            false,
            "expected at least 5 tests that ran, found 4 and 1 skipped",
        ),
        (
            false,
            "expected at least 6 tests that ran or were skipped, found 5",
        ),
    ];
    let found: Vec<(bool, String)> = found
        .into_iter()
        .map(|(passed, message)| (passed, message.replace(" > ", " ")))
        .collect();
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((found.0, found.1.as_str()), expected);
    }
    let kept: GateEvaluation = bench
        .root()
        .get(&format!("/builds/{number}/gates"))
        .await
        .ok();
    assert_eq!(kept, evaluation);
    let build: Build = bench.root().get(&format!("/builds/{number}")).await.ok();
    let gates = build.gates.expect("it was evaluated");
    assert_eq!(
        (gates.passed, gates.gates, gates.failed_rules),
        (false, 1, 7)
    );
    assert_eq!(
        gates.message, evaluation.results[2].message,
        "the first rule that does not hold speaks"
    );
    assert_eq!(build.status, BuildState::Queued, "a gate changes no state");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_is_new_unless_the_base_branch_had_it_lately() {
    let bench = Bench::start().await;
    let rule = |more: Value| {
        let mut rule = json!({"type": "no_new_failures"});
        let more = more.as_object().expect("an object").clone();
        rule.as_object_mut().expect("an object").extend(more);
        json!([rule])
    };
    let gate = bench.gate("base", rule(json!({"builds": 2}))).await;
    let verdict = async |number: u64| -> GateResult {
        let evaluation = bench.evaluate(number).await;
        evaluation.results.into_iter().next().expect("one rule")
    };
    bench
        .build("main", &[Row::Fail("old"), Row::Pass("young")])
        .await;
    bench
        .build("main", &[Row::Pass("old"), Row::Pass("young")])
        .await;
    // Not only the previous run: `old` failed two builds ago.
    let both = bench
        .build("topic", &[Row::Fail("old"), Row::Fail("young")])
        .await;
    let found = verdict(both).await;
    assert_eq!((found.passed, found.actual), (false, Some(1.0)));
    assert!(
        found
            .message
            .ends_with("found 1 among 2 failures: c > young"),
        "{}",
        found.message
    );
    let known = bench
        .build("topic", &[Row::Fail("old"), Row::Pass("young")])
        .await;
    assert!(verdict(known).await.passed);

    // Two more builds of the base push the failure out of the window, but not for builds that came before them.
    bench
        .build("main", &[Row::Pass("old"), Row::Fail("young")])
        .await;
    let late = bench.build("topic", &[Row::Fail("old")]).await;
    assert!(!verdict(late).await.passed);
    assert!(
        verdict(known).await.passed,
        "the same question, the same answer"
    );
    assert!(
        !verdict(both).await.passed,
        "`young` failed on the base only afterwards"
    );

    // A build of the base branch is compared with those before it, not with itself.
    let again = bench.build("main", &[Row::Fail("fresh")]).await;
    assert!(!verdict(again).await.passed);
    let again = bench.build("main", &[Row::Fail("fresh")]).await;
    assert!(verdict(again).await.passed);

    // Another branch, by rule and by the job's source.
    let path = format!("/gates/{}", gate.id);
    let other = rule(json!({"base_branch": "topic"}));
    put(bench.root(), &path, json!({"name": "base", "rules": other}))
        .await
        .json();
    let number = bench.build("next", &[Row::Fail("young")]).await;
    let found = verdict(number).await;
    assert!(
        found.passed && found.message.contains("10 builds on `topic`"),
        "{found:?}"
    );
    let new = json!({"name": "base", "rules": rule(json!({}))});
    put(bench.root(), &path, new).await.json();
    let source = json!({"type": "git", "url": "git@example.com:a.git", "branch": "trunk"});
    let definition =
        json!({"source_management": source, "steps": [{"type": "bash", "run": "true"}]});
    let update = json!({"definition": definition});
    bench
        .root()
        .patch(&format!("/jobs/{}", bench.job), &update)
        .await
        .json();
    let found = verdict(number).await;
    assert!(
        !found.passed && found.message.contains("builds on `trunk`"),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_known_does_not_hold() {
    let bench = Bench::start().await;
    let rules = json!([
        {"type": "zero_failures"},
        {"type": "no_new_failures"},
        {"type": "pass_rate", "min_percent": 0},
        {"type": "max_flaky_count", "max": 100},
        {"type": "min_test_count", "min": 1},
        {"type": "max_duration", "max_ms": 3_600_000},
        {"type": "no_inconsistencies"},
    ]);
    bench.gate("strict", rules).await;
    let failing = |evaluation: &GateEvaluation| -> Vec<&'static str> {
        let broken = evaluation.results.iter().filter(|result| !result.passed);
        broken.map(|result| result.rule.kind()).collect()
    };
    let all = [
        "zero_failures",
        "no_new_failures",
        "pass_rate",
        "max_flaky_count",
        "min_test_count",
        "max_duration",
        "no_inconsistencies",
    ];
    let build = bench.server.trigger(&bench.job, json!({})).await;
    let nothing = bench.evaluate(build.build_number).await;
    assert_eq!(failing(&nothing), all);
    assert_eq!(
        nothing.results[0].message,
        "expected no test that fails, found no test that ran (the build has no report)"
    );
    assert_eq!(nothing.results[0].actual, None);

    // A file that broke off, and a report in which nothing ran.
    let build = bench.server.trigger(&bench.job, json!({})).await;
    let whole = junit(&[Row::Pass("a"), Row::Pass("b"), Row::Pass("c")]);
    let path = format!("/builds/{}/reports", build.build_number);
    let cut = &whole[..whole.len() - 60];
    let report: Report = bench
        .root()
        .upload(&path, "application/xml", cut)
        .await
        .ok();
    assert!(report.truncated, "{report:?}");
    let broken = bench.evaluate(build.build_number).await;
    assert_eq!(
        failing(&broken),
        [
            "zero_failures",
            "no_new_failures",
            "pass_rate",
            "max_flaky_count",
            "max_duration",
            "no_inconsistencies"
        ]
    );
    assert!(
        broken.results[0].message.contains("broke off"),
        "{broken:#?}"
    );
    let number = bench.build("main", &[Row::Skip("a")]).await;
    assert_eq!(failing(&bench.evaluate(number).await), all);

    // A cancelled build is evaluated at its end, by the server itself.
    let number = bench.build("main", &[Row::Pass("a")]).await;
    let cancel = format!("/builds/{number}/cancel");
    bench.root().post(&cancel, &json!({})).await.json();
    bench.server.settled().await;
    let cancelled: GateEvaluation = bench
        .root()
        .get(&format!("/builds/{number}/gates"))
        .await
        .ok();
    assert_eq!(failing(&cancelled), all);
    assert_eq!(
        cancelled.results[4].message,
        "expected at least 1 test that ran, found 1, but the build was cancelled"
    );

    // A gate of one job is for its builds alone.
    let rules = json!([{"type": "min_test_count", "min": 1}]);
    let job = bench.server.job("other", job_with_script("true")).await;
    let new = json!({"name": "other", "job": "OTHER", "rules": rules});
    let gate: Gate = bench.root().post("/projects/shop/gates", &new).await.ok();
    assert_eq!(gate.job_id.map(|id| id.to_string()), Some(job.clone()));
    assert_eq!(gate.job_name.as_deref(), Some("other"));
    let build = bench.server.trigger(&job, json!({})).await;
    assert_eq!(bench.evaluate(build.build_number).await.gates, 2);
    assert_eq!(bench.evaluate(number).await.gates, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_is_evaluated_once_at_its_end_and_again_for_a_late_report() {
    let mut bench = Bench::start().await;
    bench
        .gate(
            "green",
            json!([{"type": "zero_failures"}, {"type": "max_duration", "max_ms": 600_000}]),
        )
        .await;
    let agent = bench.server.agent("one", &[], 1).await;
    let script = format!("cat > junit.xml <<'END'\n{}\nEND", junit(&[Row::Pass("a")]));
    let definition = json!({
        "steps": [{"type": "bash", "run": script}],
        "post_steps": [{"type": "test_provider", "provider": "junit", "path": "*.xml"}],
    });
    let job = bench.server.job("real", definition).await;
    bench.server.trigger(&job, json!({})).await;
    let build = bench.server.finished(1).await;
    assert_eq!(build.status, BuildState::Passed, "{build:?}");
    agent.stop().await;
    assert_eq!(bench.told().await, [(1, true)]);
    let build: Build = bench.root().get("/builds/1").await.ok();
    let gates = build.gates.expect("it was evaluated");
    assert_eq!(
        (gates.passed, gates.message.as_str()),
        (true, "all 2 rules hold")
    );

    bench.server = bench.server.restart().await;
    assert_eq!(bench.told().await, [(1, true)]);
    // The server was killed after the verdict and before it remembered that it had seen the event: it comes again.
    let page: Page<EventRecord> = bench.root().get("/events?limit=1000").await.ok();
    let again = bench.server.app.gates.consumer().consume(&page.items).await;
    assert!(again.error.is_none() && again.done == page.items.len());
    assert_eq!(bench.told().await, [(1, true)]);

    bench.report(1, &[Row::Fail("late")]).await;
    assert_eq!(bench.told().await, [(1, true), (1, false)]);
    let build: Build = bench.root().get("/builds/1").await.ok();
    assert!(build.gates.is_some_and(|gates| !gates.passed));
    assert_eq!(build.status, BuildState::Passed, "the state says what ran");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_without_a_gate_says_so() {
    let bench = Bench::start().await;
    let number = bench.build("main", &[Row::Fail("a")]).await;
    let path = format!("/builds/{number}/gates");
    bench.root().get(&path).await.refused(404, "not_evaluated");
    let none = bench.evaluate(number).await;
    assert_eq!((none.passed, none.gates, none.results.len()), (true, 0, 0));
    let build: Build = bench.root().get(&format!("/builds/{number}")).await.ok();
    assert_eq!(build.gates, None, "nothing was promised");

    // A gate that is disabled, deleted or of another job is none for it.
    let gate = bench
        .gate("green", json!([{"type": "zero_failures"}]))
        .await;
    assert!(!bench.evaluate(number).await.passed);
    let path = format!("/gates/{}", gate.id);
    let disabled = json!({"name": "green", "enabled": false, "rules": gate.rules});
    let changed: Gate = put(bench.root(), &path, disabled).await.ok();
    assert!(!changed.enabled && changed.created_at == gate.created_at);
    assert_eq!(bench.evaluate(number).await.gates, 0);
    // A whole gate without `enabled` does not switch it on again.
    let same = json!({"name": "Green", "rules": gate.rules});
    let changed: Gate = put(bench.root(), &path, same).await.ok();
    assert_eq!((changed.enabled, changed.name.as_str()), (false, "Green"));
    let on = json!({"name": "green", "enabled": true, "rules": gate.rules});
    put(bench.root(), &path, on).await.json();
    assert_eq!(bench.evaluate(number).await.gates, 1);
    assert_eq!(delete(bench.root(), &path).await, 204);
    bench.root().get(&path).await.refused(404, "gate_not_found");
    let kept: GateEvaluation = bench
        .root()
        .get(&format!("/builds/{number}/gates"))
        .await
        .ok();
    assert_eq!(kept.results[0].gate, "green", "what it said stays");
    assert_eq!(bench.evaluate(number).await.gates, 0);
    // Its name is free again.
    bench
        .gate("green", json!([{"type": "zero_failures"}]))
        .await;
    let kinds = bench.root().get("/events?limit=1000").await.json();
    let kinds = kinds["items"].as_array().expect("a list").clone();
    let of_gates = kinds.iter().filter_map(|event| event["kind"].as_str());
    let told: Vec<&str> = of_gates
        .filter(|kind| kind.starts_with("gate_") && *kind != "gate_evaluated")
        .collect();
    assert_eq!(
        told,
        [
            "gate_created",
            "gate_changed",
            "gate_changed",
            "gate_changed",
            "gate_deleted",
            "gate_created"
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_do_what_with_gates() {
    let bench = Bench::start().await;
    let gate = bench
        .gate("green", json!([{"type": "zero_failures"}]))
        .await;
    let number = bench.build("main", &[Row::Pass("a")]).await;
    bench.evaluate(number).await;
    let ann = bench.server.user("ann").await;
    let (of_gate, of_build) = (
        format!("/gates/{}", gate.id),
        format!("/builds/{number}/gates"),
    );
    let new = json!({"name": "mine", "rules": [{"type": "zero_failures"}]});
    let user = ann.get("/auth/me").await.json()["id"].clone();
    let grant = async |list: Value| {
        let grant = json!({"user": user, "project": bench.server.project.id, "permissions": list});
        put(bench.root(), "/permissions", grant).await.json();
    };

    ann.get("/projects/shop/gates")
        .await
        .refused(404, "not_found");
    ann.post("/projects/shop/gates", &new)
        .await
        .refused(404, "not_found");
    ann.get(&of_gate).await.refused(404, "gate_not_found");
    put(&ann, &of_gate, new.clone())
        .await
        .refused(404, "gate_not_found");
    assert_eq!(delete(&ann, &of_gate).await, 404);
    ann.get(&of_build).await.refused(404, "build_not_found");
    let evaluate = format!("{of_build}/evaluate");
    ann.post(&evaluate, &json!({}))
        .await
        .refused(404, "build_not_found");

    grant(json!(["READ"])).await;
    let listed: Page<Gate> = ann.get("/projects/shop/gates").await.ok();
    assert_eq!(listed.items, std::slice::from_ref(&gate));
    assert_eq!(ann.get(&of_gate).await.ok::<Gate>(), gate);
    assert!(ann.get(&of_build).await.ok::<GateEvaluation>().passed);
    ann.post("/projects/shop/gates", &new)
        .await
        .refused(403, "not_allowed");
    put(&ann, &of_gate, new.clone())
        .await
        .refused(403, "not_allowed");
    assert_eq!(delete(&ann, &of_gate).await, 403);
    ann.post(&evaluate, &json!({}))
        .await
        .refused(403, "not_allowed");

    grant(json!(["READ", "EXECUTE"])).await;
    ann.post(&evaluate, &json!({})).await.json();
    ann.post("/projects/shop/gates", &new)
        .await
        .refused(403, "not_allowed");
    grant(json!(["READ", "WRITE"])).await;
    ann.post("/projects/shop/gates", &new).await.json();
    ann.post(&evaluate, &json!({}))
        .await
        .refused(403, "not_allowed");
    assert_eq!(delete(&ann, &of_gate).await, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gate_that_cannot_be_is_refused_where_it_is_made() {
    let bench = Bench::start().await;
    let check = async |new: Value, code: &str, word: &str| {
        let problem = bench
            .root()
            .post("/projects/shop/gates", &new)
            .await
            .refused(422, code);
        let detail = problem["detail"].as_str().expect("a sentence");
        assert!(detail.contains(word), "{detail}");
    };
    let zero = json!({"type": "zero_failures"});
    let with = |rules: Value| json!({"name": "a", "rules": rules});
    check(
        json!({"name": "a b", "rules": [zero]}),
        "invalid_name",
        "a name has",
    )
    .await;
    check(with(json!([])), "invalid_gate", "`rules` are 0").await;
    check(
        with(json!(vec![zero.clone(); 21])),
        "invalid_gate",
        "1 to 20",
    )
    .await;
    check(
        with(json!([zero, zero])),
        "invalid_gate",
        "`rules[1]` is about the same as `rules[0]`",
    )
    .await;
    let rate = json!({"type": "pass_rate", "min_percent": 101});
    check(
        with(json!([zero, rate])),
        "invalid_gate",
        "`rules[1].min_percent` is 101",
    )
    .await;
    check(
        with(json!([{"type": "pass_rate", "percent": 5}])),
        "invalid_field",
        "percent",
    )
    .await;
    check(
        with(json!([{"type": "zero_failures", "max": 5}])),
        "invalid_field",
        "max",
    )
    .await;
    check(with(json!([{"type": "shiny"}])), "invalid_field", "shiny").await;
    check(
        json!({"name": "a", "rules": [zero], "colour": "red"}),
        "invalid_field",
        "colour",
    )
    .await;
    check(
        json!({"name": "a", "rules": [zero], "job": "nobody"}),
        "invalid_gate",
        "`job` is `nobody`",
    )
    .await;
    let elsewhere: Value = bench
        .root()
        .post("/projects", &json!({"name": "bank"}))
        .await
        .json();
    let job = json!({"name": "theirs", "definition": job_with_script("true")});
    let theirs = bench
        .root()
        .post(
            &format!(
                "/projects/{}/jobs",
                elsewhere["id"].as_str().expect("an id")
            ),
            &job,
        )
        .await
        .json();
    check(
        json!({"name": "a", "rules": [zero], "job": theirs["id"]}),
        "invalid_gate",
        "no such job",
    )
    .await;

    let gate = bench.gate("Release", json!([zero])).await;
    let same = json!({"name": "release", "rules": [zero]});
    bench
        .root()
        .post("/projects/shop/gates", &same)
        .await
        .refused(409, "name_taken");
    let path = format!("/gates/{}", gate.id);
    let worse = json!({"name": "release", "rules": [{"type": "max_duration", "max_ms": 0}]});
    put(bench.root(), &path, worse)
        .await
        .refused(422, "invalid_gate");
    assert_eq!(
        bench.root().get(&path).await.ok::<Gate>(),
        gate,
        "nothing was changed"
    );
    for number in 1..100 {
        bench.gate(&format!("g{number}"), json!([zero])).await;
    }
    let one_more = json!({"name": "one-more", "rules": [zero]});
    bench
        .root()
        .post("/projects/shop/gates", &one_more)
        .await
        .refused(409, "too_many_gates");
    let page: Page<Gate> = bench
        .root()
        .get("/projects/shop/gates?limit=1000")
        .await
        .ok();
    assert_eq!(page.items.len(), 100);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_makes_gates_and_exits_by_them() {
    let bench = Bench::start().await;
    let token = bench
        .root()
        .post("/tokens", &json!({"name": "cli"}))
        .await
        .json();
    let token = token["secret"].as_str().expect("a secret").to_owned();
    let base = bench.root().base().to_owned();
    let home = bench.server.path("home");
    let testhide = async |line: &str| -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_testhide"));
        command
            .args(line.split_whitespace())
            .env("TESTHIDE_SERVER", &base)
            .env("TESTHIDE_TOKEN", &token)
            .env("XDG_CONFIG_HOME", &home)
            .env("LC_ALL", "C.UTF-8")
            .stdin(Stdio::null());
        let run = tokio::task::spawn_blocking(move || command.output());
        let output = run.await.expect("no panic").expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (
            output.status.code(),
            text(output.stdout),
            text(output.stderr),
        )
    };
    let number = bench.build("main", &[Row::Pass("a"), Row::Fail("b")]).await;
    let (code, out, errors) = testhide(&format!("gate evaluate {number}")).await;
    assert_eq!((code, out.as_str()), (Some(0), "build 1  no gate\n"));
    assert!(errors.contains("no gate applies to build 1"), "{errors}");
    let (code, _, errors) = testhide("gate create shop release").await;
    assert_eq!(code, Some(2), "{errors}");
    let (code, out, errors) =
        testhide("gate create shop release --pass-rate 95 --min-tests 2 --job upload").await;
    assert_eq!(code, Some(0), "{errors}");
    assert!(out.starts_with("created gate shop/release ("), "{out}");
    let (code, out, _) = testhide("gate list shop").await;
    assert_eq!(code, Some(0));
    assert!(
        out.contains("release") && out.contains("pass rate ≥ 95 %, tests ≥ 2"),
        "{out}"
    );

    let (code, out, _) = testhide(&format!("gate evaluate {number}")).await;
    let expected = "✖ failed  build 1\n  gate release\n    \
                    ✖ failed  pass_rate: expected a pass rate of at least 95 %, found 50 % (1 of 2 tests failed): c > b\n    \
                    ✔ passed  min_test_count: expected at least 2 tests that ran, found 2\n";
    assert_eq!((code, out.as_str()), (Some(1), expected));
    let (code, out, _) = testhide(&format!("build gates {number} --json")).await;
    let evaluation: GateEvaluation = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, evaluation.results.len()), (Some(1), 2));
    let (_, out, _) = testhide(&format!("build show {number}")).await;
    assert!(
        out.contains("  gate    ✖ failed  expected a pass rate of at least 95 %"),
        "{out}"
    );

    let (code, _, errors) = testhide("gate update shop/release --pass-rate 50 --all-jobs").await;
    assert_eq!(code, Some(0), "{errors}");
    let (code, out, _) = testhide("gate show shop/release --json").await;
    let gate: Gate = serde_json::from_str(&out).expect("JSON");
    assert_eq!((code, gate.job_id, gate.rules.len()), (Some(0), None, 1));
    let (code, ..) = testhide(&format!("gate evaluate {number}")).await;
    assert_eq!(code, Some(0));
    let (code, ..) = testhide("gate update shop/release").await;
    assert_eq!(code, Some(2), "nothing to change");
    bench
        .root()
        .post("/builds/1/cancel", &json!({}))
        .await
        .json();
    let (code, out, _) = testhide("build wait 1 --gate").await;
    assert_eq!(code, Some(1));
    assert!(out.contains("but the build was cancelled"), "{out}");
    let (code, ..) = testhide("gate delete shop/release").await;
    assert_eq!(code, Some(0));
    let (code, ..) = testhide("gate show shop/release").await;
    assert_eq!(code, Some(3));
    let (code, ..) = testhide("gate evaluate 99").await;
    assert_eq!(code, Some(3));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_together_fails_the_gate() {
    let bench = Bench::start().await;
    let agent = bench.server.agent("one", &[], 1).await;
    bench
        .gate("honest", json!([{"type": "no_inconsistencies"}]))
        .await;
    let green = junit(&[Row::Pass("a"), Row::Pass("b")]);
    let check = async |exit_code: u8, passed: bool, found: &str| {
        let script = format!("echo '{green}' > r.xml; exit {exit_code}");
        let definition = json!({
            "steps": [{"type": "bash", "name": "tests", "run": script}],
            "post_steps": [{"type": "test_provider", "name": "reports", "provider": "junit", "path": "*.xml"}],
        });
        let job = bench
            .server
            .job(&format!("exits-{exit_code}"), definition)
            .await;
        let number = bench.server.trigger(&job, json!({})).await.build_number;
        bench.server.finished(number).await;
        bench.server.settled().await;
        let path = format!("/builds/{number}/gates");
        let evaluation: GateEvaluation = bench.root().get(&path).await.ok();
        assert_eq!(evaluation.passed, passed, "{evaluation:#?}");
        let message = &evaluation.results[0].message;
        assert!(message.contains(found), "{message}");
    };
    check(0, true, "none").await;
    check(1, false, "inconsistent_exit").await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_reporter_left_is_not_all_there_was() {
    let bench = Bench::start().await;
    bench
        .gate("green", json!([{"type": "zero_failures"}]))
        .await;
    let agent = bench.server.agent("one", &[], 1).await;
    let script = "mkdir .r.xml_temp\n\
        echo '<testcase classname=\"c\" name=\"a\" time=\"0.1\"/>' > .r.xml_temp/case_000001_7.xml";
    let definition = json!({
        "steps": [{"type": "bash", "run": script}],
        "post_steps": [{"type": "test_provider", "provider": "testhide", "path": "r.xml"}],
    });
    let job = bench.server.job("killed", definition).await;
    bench.server.trigger(&job, json!({})).await;
    let build = bench.server.finished(1).await;
    assert_eq!(build.tests.passed, 1, "{build:?}");
    let evaluation = bench.evaluate(1).await;
    let message = &evaluation.results[0].message;
    assert!(!evaluation.passed, "{message}");
    assert_eq!(
        message,
        "expected no test that fails, found none in 1 test, but report `r.xml` is what a killed reporter left"
    );
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reports_that_come_at_once_are_one_evaluation() {
    let bench = Bench::start().await;
    bench
        .gate("green", json!([{"type": "zero_failures"}]))
        .await;
    let agent = bench.server.agent("one", &[], 1).await;
    bench.server.trigger(&bench.job, json!({})).await;
    bench.server.finished(1).await;
    agent.stop().await;
    assert_eq!(bench.told().await.len(), 1);
    // The follower of the log sees several reports of the build at once.
    for name in ["two", "three", "four"] {
        bench.gate(name, json!([{"type": "zero_failures"}])).await;
    }
    let page: Page<EventRecord> = bench.root().get("/events?limit=1000").await.ok();
    let build: Build = bench.root().get("/builds/1").await.ok();
    let mut late = page.items[page.items.len() - 3..].to_vec();
    for record in &mut late {
        record.event = Event::ReportStored {
            report: ReportId::generate(),
            build: Some(build.id),
            failures: 0,
        };
    }
    let consumed = bench.server.app.gates.consumer().consume(&late).await;
    assert!(consumed.error.is_none() && consumed.done == 3);
    assert_eq!(bench.told().await.len(), 2);
}
