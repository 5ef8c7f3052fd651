//! What the server does with an agent that says something unusual: the protocol, frame by frame, without an agent's program.

use crate::support::{
    Case, RawAgent, TestServer, chunk, ended, job_with_script, junit, passed, started,
};
use serde_json::json;
use testhide_protocol::BuildId;
use testhide_protocol::api::{
    Agent, Build, BuildState, FindingKind, Page, StepState, Test, TestRun,
};
use testhide_protocol::wire::{
    AgentMessage, AttemptEnd, FileKind, Lease, PrintedFailure, RecordBody, Resume, ServerMessage,
    compress_chunk,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_declined_build_waits_untouched_for_another_agent() {
    let server = TestServer::start().await;
    let job = server.job("waits", job_with_script("true")).await;
    let speaker = RawAgent::enrol(&server, "stopping").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    for _ in 0..4 {
        server.trigger(&job, json!({})).await;
    }
    for _ in 0..2 {
        let lease = line.assigned().await.lease;
        let reason = "the agent is stopping".to_owned();
        line.say(&AgentMessage::Declined { lease, reason }).await;
    }
    for number in 1..=4 {
        let build = server.wait_for(number, &[BuildState::Queued]).await;
        assert_eq!((build.attempt, build.attempts.len()), (1, 0), "{build:?}");
    }
    // The session that declined is given nothing; whoever comes next gets the whole queue, as first attempts.
    let agent = server.agent("willing", &[], 2).await;
    for number in 1..=4 {
        let build = server.finished(number).await;
        assert_eq!((build.status, build.attempt), (BuildState::Passed, 1));
        assert!(build.attempts.is_empty(), "nothing was tried before");
    }
    let events = server.root.get("/events?limit=1000").await.json();
    let lost = events["items"]
        .as_array()
        .expect("a list")
        .iter()
        .filter(|event| event["kind"] == "attempt_lost")
        .count();
    assert_eq!(lost, 0);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_kept_fails_its_step_and_the_journal_goes_on() {
    let server = TestServer::start_with(&[("CLIENT_MAX_SIZE_MB", "1")]).await;
    let job = server.job("large", job_with_script("true")).await;
    let speaker = RawAgent::enrol(&server, "large").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    let large = vec![b'x'; 1024 * 1024 + 1];
    let files: [(&str, &[u8], &str); 2] = [
        (
            "out/large.bin",
            &large,
            "file `out/large.bin` is larger than 1 MB",
        ),
        ("out/../../x", b"x", "cannot be kept under its name"),
    ];
    for (number, (path, bytes, words)) in (1..).zip(files) {
        server.trigger(&job, json!({})).await;
        let lease = line.assigned().await.lease;
        line.record(lease, 1, started(0)).await;
        line.file(lease, 2, FileKind::Artifact, path, bytes).await;
        line.file(lease, 3, FileKind::Artifact, "out/small.bin", b"small")
            .await;
        line.record(lease, 4, passed(0)).await;
        line.record(lease, 5, ended()).await;
        line.stored(lease, 5).await;
        let build = server.finished(number).await;
        assert_eq!((build.status, build.attempt), (BuildState::Failed, 1));
        let reason = build.reason.expect("a reason");
        assert!(reason.contains(words), "{reason}");
        assert_eq!(build.steps[0].status, StepState::Failed);
        let artifacts = server
            .root
            .get(&format!("/builds/{number}/artifacts"))
            .await
            .json();
        assert_eq!(artifacts["items"].as_array().map(Vec::len), Some(1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_taken_under_a_lease_that_is_not_held() {
    let server = TestServer::start().await;
    let speaker = RawAgent::enrol(&server, "stranger").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    let lease = Lease {
        build: BuildId::generate(),
        attempt: 1,
        fence: 1,
    };
    line.file(lease, 1, FileKind::Artifact, "x", b"bytes").await;
    let answer = line.hear().await;
    assert!(
        matches!(&answer, ServerMessage::Abandon { lease: own, .. } if *own == lease),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_comes_back_hears_whether_its_end_is_stored() {
    let server = TestServer::start().await;
    let job = server.job("short", job_with_script("true")).await;
    let speaker = RawAgent::enrol(&server, "one").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    let lease = line.assigned().await.lease;
    line.record(lease, 1, started(0)).await;
    line.stored(lease, 1).await;
    let resumed = |seq, ended, log_bytes| {
        vec![Resume {
            lease,
            seq,
            ended,
            log_bytes,
        }]
    };
    let (mut line, resume) = speaker.connect(vec![lease]).await;
    assert_eq!(resume, resumed(1, false, 0));
    let text = b"a line\n";
    let frame = chunk(lease, 2, 0, text.len(), compress_chunk(text));
    line.bytes(frame.into_data()).await;
    line.stored(lease, 2).await;
    // An agent whose disk has lost what the server has goes on behind this.
    let (mut line, resume) = speaker.connect(vec![lease]).await;
    assert_eq!(resume, resumed(2, false, 7));
    line.record(lease, 3, passed(0)).await;
    let ended = || RecordBody::Ended {
        end: AttemptEnd::Passed,
        message: None,
        log_bytes: 7,
    };
    line.record(lease, 4, ended()).await;
    line.stored(lease, 4).await;
    let (mut line, resume) = speaker.connect(vec![lease]).await;
    assert_eq!(resume, resumed(4, true, 7));
    // What it sends again is acknowledged, not abandoned.
    line.record(lease, 4, ended()).await;
    line.stored(lease, 4).await;
    assert_eq!(server.finished(1).await.status, BuildState::Passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_carries_the_commit_that_was_checked_out_just_before() {
    let server = TestServer::start().await;
    let job = server.job("commits", job_with_script("true")).await;
    let speaker = RawAgent::enrol(&server, "one").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    let lease = line.assigned().await.lease;
    let commit = "4f2c91a0b".repeat(4);
    let resolved = RecordBody::SourceResolved {
        commit: commit.clone(),
    };
    line.record(lease, 1, resolved).await;
    line.record(lease, 2, started(0)).await;
    let report = junit(&[Case::Pass("test_a")]);
    line.file(lease, 3, FileKind::Report, "a.xml", report.as_bytes())
        .await;
    line.record(lease, 4, passed(0)).await;
    line.record(lease, 5, ended()).await;
    line.stored(lease, 5).await;
    server.finished(1).await;
    let tests: Page<Test> = server.root.get("/projects/shop/tests").await.ok();
    let history: Page<TestRun> = server
        .root
        .get(&format!("/tests/{}/history", tests.items[0].id))
        .await
        .ok();
    assert_eq!(history.items[0].commit, Some(commit));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agents_show_only_builds_that_the_caller_may_see() {
    let server = TestServer::start().await;
    let job = server.job("hidden", job_with_script("true")).await;
    let speaker = RawAgent::enrol(&server, "one").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    line.assigned().await;
    let stranger = server.user("ada").await;
    let seen: Page<Agent> = server.root.get("/agents").await.ok();
    assert_eq!(seen.items[0].builds.len(), 1);
    let seen: Page<Agent> = stranger.get("/agents").await.ok();
    assert_eq!(seen.items[0].builds.len(), 0);
    let hidden: Build = server.root.get("/builds/1").await.ok();
    assert_eq!(hidden.status, BuildState::Running);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_comes_twice_counts_once() {
    let server = TestServer::start().await;
    let job = server.job("twice", job_with_script("true")).await;
    let speaker = RawAgent::enrol(&server, "stutters").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    let lease = line.assigned().await.lease;
    for (seq, body) in [(1, started(0)), (2, passed(0)), (3, ended())] {
        for _ in 0..2 {
            line.record(lease, seq, body.clone()).await;
            line.stored(lease, seq).await;
        }
    }
    let build = server.finished(1).await;
    assert_eq!((build.status, build.attempt), (BuildState::Passed, 1));
    let events = server.root.get("/events?limit=1000").await.json();
    let events = events["items"].as_array().expect("a list").clone();
    let count = |kind: &str| events.iter().filter(|event| event["kind"] == kind).count();
    assert_eq!((count("step_changed"), count("build_finished")), (2, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chunk_that_comes_again_and_again_takes_its_room_once() {
    let server = TestServer::start().await;
    let job = server.job("stutter", job_with_script("true")).await;
    let speaker = RawAgent::enrol(&server, "stutters").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    let lease = line.assigned().await.lease;
    // Nothing in it repeats.
    let raw = testhide::kit::random_bytes::<60_000>();
    let frame = chunk(lease, 1, 0, 60_000, compress_chunk(&raw)).into_data();
    line.bytes(frame.clone()).await;
    line.stored(lease, 1).await;
    let volumes = server.path("data").join("volumes");
    let size = || {
        let files = std::fs::read_dir(&volumes).expect("the volumes");
        let sizes = files.map(|file| file.expect("a file").metadata().expect("its size").len());
        sizes.sum::<u64>()
    };
    let before = size();
    for _ in 0..300 {
        line.bytes(frame.clone()).await;
        line.stored(lease, 1).await;
    }
    let grown = size() - before;
    assert!(grown < 4_000_000, "by {grown} bytes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_of_a_newer_agent_takes_its_place_and_changes_nothing() {
    let server = TestServer::start().await;
    let job = server.job("newer", job_with_script("true")).await;
    let speaker = RawAgent::enrol(&server, "one").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    let lease = line.assigned().await.lease;
    let invented = json!({"type": "record", "lease": lease, "seq": 1,
        "body": {"record": "invented_later", "step": 7, "list": [{"a": null}]}});
    line.text(&invented.to_string()).await;
    line.stored(lease, 1).await;
    for (seq, body) in [(2, started(0)), (3, passed(0)), (4, ended())] {
        line.record(lease, seq, body).await;
    }
    line.stored(lease, 4).await;
    assert_eq!(server.finished(1).await.status, BuildState::Passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_that_calls_a_contradiction_passed_is_not_believed() {
    let server = TestServer::start().await;
    let definition = json!({
        "steps": [{"type": "bash", "name": "tests", "run": "true"}],
        "post_steps": [{"type": "test_provider", "provider": "junit", "path": "*.xml"}],
    });
    let job = server.job("liar", definition).await;
    let speaker = RawAgent::enrol(&server, "one").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    let lease = line.assigned().await.lease;
    let failed = RecordBody::StepFinished {
        step: 0,
        status: StepState::Failed,
        exit_code: Some(1),
        message: None,
        duration_ms: 1,
    };
    // What was printed may be anything: no key, the same twice, more than there may be.
    let printed = |count: usize| RecordBody::FailuresPrinted {
        step: 0,
        failures: (0..count)
            .map(|number| PrintedFailure {
                key: if number % 2 == 0 { "no key" } else { "00" }.to_owned(),
                nodeid: format!("t.py::t{number}"),
                fail_id: String::new(),
            })
            .collect(),
        more: u64::MAX,
    };
    for (seq, body) in [
        (1, started(0)),
        (2, printed(500)),
        (3, printed(0)),
        (4, failed),
        (5, started(1)),
    ] {
        line.record(lease, seq, body).await;
    }
    let report = junit(&[Case::Pass("test_a")]);
    line.file(lease, 6, FileKind::Report, "a.xml", report.as_bytes())
        .await;
    line.record(lease, 7, passed(1)).await;
    line.record(lease, 8, ended()).await;
    line.stored(lease, 8).await;
    let build = server.finished(1).await;
    let kinds: Vec<FindingKind> = build.findings.iter().map(|finding| finding.kind).collect();
    assert_eq!(
        (build.status, kinds),
        (BuildState::Failed, vec![FindingKind::InconsistentExit])
    );
    assert_eq!(
        build.reason.as_deref(),
        Some(
            "step `tests` ended with exit code 1 (tests failed), but the 1 test it reported did not fail"
        )
    );
}
