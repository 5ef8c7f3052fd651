//! The main job: a build is triggered, an agent runs it, its log and files arrive.

use crate::support::{TestServer, job_with_script, lines_of};
use serde_json::json;
use testhide_protocol::api::{Artifact, Build, BuildState, LogPage, Page, StepState, Stream};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_build_runs_from_trigger_to_done() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &["linux"], 1).await;
    let script = "echo out; echo err >&2; printf 'caf\\351\\n'; echo \"$GREETING from $TESTHIDE_BUILD_NUMBER\"";
    let definition = json!({
        "labels": ["linux"],
        "parameters": {"GREETING": "hello"},
        "steps": [{"type": "bash", "name": "say", "run": script}, {"type": "bash", "run": "printf tail"}],
    });
    let job = server.job("say", definition).await;
    let build = server
        .trigger(
            &job,
            json!({"branch": "topic", "parameters": {"GREETING": "good day"}}),
        )
        .await;
    assert_eq!(
        (build.status, build.attempt, build.branch.as_str()),
        (BuildState::Queued, 1, "topic")
    );

    let build = server.finished(build.build_number).await;
    assert_eq!(build.status, BuildState::Passed, "{build:?}");
    assert_eq!(build.agent_name.as_deref(), Some("one"));
    assert_eq!(
        (
            build.steps.len(),
            build.steps[0].status,
            build.steps[0].exit_code
        ),
        (2, StepState::Passed, Some(0))
    );
    assert!(build.started_at.is_some() && build.finished_at.is_some() && build.duration.is_some());

    let page: LogPage = server.root.get("/builds/1/log").await.ok();
    assert!(page.complete);
    let own: Vec<_> = page
        .lines
        .iter()
        .filter(|line| line.stream != Stream::System)
        .collect();
    let texts: Vec<&str> = own.iter().map(|line| line.text.as_str()).collect();
    for expected in ["out", "err", "caf\u{fffd}", "good day from 1", "tail"] {
        assert!(texts.contains(&expected), "{expected} is not in {texts:?}");
    }
    let stream = |text: &str| {
        own.iter()
            .find(|line| line.text == text)
            .map(|line| line.stream)
    };
    assert_eq!(
        (stream("out"), stream("err")),
        (Some(Stream::Stdout), Some(Stream::Stderr))
    );
    let raw = server.root.get("/builds/1/log/raw").await;
    assert!(
        raw.body.windows(5).any(|window| window == b"caf\xe9\n"),
        "the raw log is as written"
    );
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failing_steps_skip_the_rest_but_not_the_post_steps() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let definition = json!({
        "steps": [
            {"type": "bash", "name": "make", "run": "mkdir -p logs; echo kept > logs/a.log; exit 3"},
            {"type": "bash", "name": "never", "run": "echo no > never"},
        ],
        "post_steps": [{"type": "copy_artifacts", "name": "keep", "source": "logs/**/*.log", "target": "build_logs"}],
    });
    let job = server.job("fails", definition).await;
    server.trigger(&job, json!({})).await;
    let build = server.finished(1).await;
    assert_eq!(build.status, BuildState::Failed);
    let states: Vec<StepState> = build.steps.iter().map(|step| step.status).collect();
    assert_eq!(
        states,
        [StepState::Failed, StepState::Skipped, StepState::Passed]
    );
    assert_eq!(build.steps[0].exit_code, Some(3));
    assert!(
        build
            .reason
            .as_deref()
            .is_some_and(|reason| reason.contains("make")),
        "{:?}",
        build.reason
    );
    let artifacts: Page<Artifact> = server.root.get("/builds/1/artifacts").await.ok();
    assert_eq!(artifacts.items.len(), 1);
    assert_eq!(
        (artifacts.items[0].path.as_str(), artifacts.items[0].size),
        ("build_logs/logs/a.log", 5)
    );
    let file = server
        .root
        .get(&format!("/artifacts/{}", artifacts.items[0].id))
        .await;
    assert_eq!(file.body, b"kept\n");
    assert!(
        file.headers["content-disposition"]
            .to_str()
            .expect("text")
            .starts_with("attachment")
    );
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_waiting_build_says_why_and_runs_when_its_agent_comes() {
    let server = TestServer::start().await;
    let job = server
        .job(
            "gpu",
            json!({"labels": ["gpu"], "steps": [{"type": "bash", "run": "true"}]}),
        )
        .await;
    let waiting = server.trigger(&job, json!({})).await;
    assert_eq!(waiting.reason.as_deref(), Some("no agent is connected"));
    let linux = server.agent("plain", &["linux"], 1).await;
    let other = server.job("any", job_with_script("true")).await;
    server.trigger(&other, json!({})).await;
    server.finished(2).await;
    let waiting: Build = server.root.get("/builds/1").await.ok();
    assert_eq!(waiting.status, BuildState::Queued);
    assert_eq!(
        waiting.reason.as_deref(),
        Some("no connected agent has label `gpu`")
    );
    let gpu = server.agent("strong", &["gpu"], 1).await;
    let done = server.finished(1).await;
    assert_eq!(
        (done.status, done.agent_name.as_deref()),
        (BuildState::Passed, Some("strong"))
    );
    linux.stop().await;
    gpu.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancel_ends_a_waiting_and_a_running_build() {
    let server = TestServer::start().await;
    let job = server
        .job("long", job_with_script("echo started; exec sleep 600"))
        .await;
    server.trigger(&job, json!({})).await;
    let cancelled: Build = server
        .root
        .post("/builds/1/cancel", &json!({"reason": "not now"}))
        .await
        .ok();
    assert_eq!(
        (cancelled.status, cancelled.reason.as_deref()),
        (BuildState::Cancelled, Some("not now"))
    );
    server
        .root
        .post("/builds/1/cancel", &json!({}))
        .await
        .refused(409, "build_finished");

    let agent = server.agent("one", &[], 1).await;
    server.trigger(&job, json!({})).await;
    let page: LogPage = server
        .root
        .get("/builds/2/log?from=1&wait_seconds=30")
        .await
        .ok();
    assert!(lines_of(&page).contains(&"started"), "{page:?}");
    server
        .root
        .post("/builds/2/cancel", &json!({}))
        .await
        .json();
    let build = server.finished(2).await;
    assert_eq!(build.status, BuildState::Cancelled, "{build:?}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_limits_end_steps_and_builds() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let slow = json!({"steps": [{"type": "bash", "run": "sleep 600", "timeout_seconds": 1}]});
    let job = server.job("slow", slow).await;
    server.trigger(&job, json!({})).await;
    let build = server.finished(1).await;
    assert_eq!(
        (build.status, build.steps[0].status),
        (BuildState::TimedOut, StepState::TimedOut),
        "{build:?}"
    );
    let slow = json!({"timeout_seconds": 1, "steps": [{"type": "bash", "run": "sleep 600"}]});
    let job = server.job("slower", slow).await;
    server.trigger(&job, json!({})).await;
    assert_eq!(server.finished(2).await.status, BuildState::TimedOut);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_idempotency_key_makes_one_build() {
    let server = TestServer::start().await;
    let job = server.job("once", job_with_script("true")).await;
    let path = format!("/job/{job}/trigger");
    let headers = [
        ("content-type", "application/json"),
        ("idempotency-key", "push-7"),
    ];
    let send = async |body: &str| {
        server
            .root
            .send(reqwest::Method::POST, &path, &headers, Some(body.into()))
            .await
    };
    let first: Build = send("{}").await.ok();
    let second: Build = send("{}").await.ok();
    assert_eq!(first.id, second.id);
    send("{\"branch\":\"other\"}")
        .await
        .refused(409, "idempotency_key_reused");
    let all: Page<Build> = server.root.get("/builds").await.ok();
    assert_eq!(all.items.len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_paged_newest_first_and_filtered() {
    let server = TestServer::start().await;
    let job = server.job("many", job_with_script("true")).await;
    for number in 0..7 {
        let branch = if number % 2 == 0 { "main" } else { "topic" };
        server.trigger(&job, json!({"branch": branch})).await;
    }
    let mut seen = Vec::new();
    let mut path = "/builds?limit=3".to_owned();
    loop {
        let page: Page<Build> = server.root.get(&path).await.ok();
        seen.extend(page.items.iter().map(|build| build.build_number));
        match page.next {
            Some(next) => path = format!("/builds?limit=3&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
    let topic: Page<Build> = server
        .root
        .get("/builds?branch=topic&project=shop&status=queued")
        .await
        .ok();
    assert_eq!(
        topic
            .items
            .iter()
            .map(|build| build.build_number)
            .collect::<Vec<_>>(),
        [6, 4, 2]
    );
    let of_job: Page<Build> = server
        .root
        .get(&format!("/builds?job={job}&limit=1"))
        .await
        .ok();
    assert_eq!(of_job.items[0].build_number, 7);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn any_lines_of_a_long_log_are_at_hand() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let job = server.job("long", job_with_script("seq 1 200000")).await;
    server.trigger(&job, json!({})).await;
    server.finished(1).await;
    let first: LogPage = server.root.get("/builds/1/log?limit=1").await.ok();
    let offset = first.lines[0]
        .text
        .parse::<u64>()
        .expect("the first line is a number");
    assert_eq!((offset, first.total_lines), (1, 200_000));
    for from in [1u64, 2, 77_777, 131_072, 199_990, 200_000] {
        let page: LogPage = server
            .root
            .get(&format!("/builds/1/log?from={from}&limit=5"))
            .await
            .ok();
        let expected: Vec<String> = (from..(from + 5).min(200_001))
            .map(|number| number.to_string())
            .collect();
        assert_eq!(lines_of(&page), expected, "from {from}");
    }
    let past: LogPage = server.root.get("/builds/1/log?from=200001").await.ok();
    assert!(past.lines.is_empty() && past.complete);
    agent.stop().await;
}
