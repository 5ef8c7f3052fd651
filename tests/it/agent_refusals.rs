//! An agent that attacks the server: each field that it can send, as bad as it can be. What is refused is counted and audited, the attempt is
//! lost at most, and the server goes on.

use crate::support::{Line, RawAgent, TestServer, ended, job_with_script, passed, started};
use serde_json::{Value, json};
use std::time::Duration;
use testhide::kit::Clock;
use testhide_agent::AgentKey;
use testhide_protocol::api::{AgentDetails, Build, BuildState, StepState, Stream};
use testhide_protocol::wire::{
    AgentMessage, AttemptEnd, Chunk, FileKind, Frame, Lease, RecordBody, Segment, ServerMessage,
    compress_chunk,
};
use testhide_protocol::{BuildId, Timestamp};

/// A server with a job whose builds wait for `speaker`.
async fn server() -> (TestServer, RawAgent, String) {
    let server = TestServer::start().await;
    // What is lost is not tried again: each attack has a build of its own.
    let mut definition = job_with_script("true");
    definition["infra_retries"] = json!(0);
    let job = server.job("attacked", definition).await;
    let speaker = RawAgent::enrol(&server, "evil").await;
    (server, speaker, job)
}

/// How often each kind was refused of the agent.
async fn refusals(server: &TestServer) -> Vec<(String, u64)> {
    let agent: AgentDetails = server.root.get("/agents/evil").await.ok();
    let all = agent.refusals.into_iter();
    all.map(|refused| (refused.kind, refused.count)).collect()
}

/// What the audit log says of refusals, newest first: code and kind of actor.
async fn audited(server: &TestServer) -> Vec<(String, String)> {
    let page = server.root.get("/audit?action=agent.refused").await.json();
    let items = page["items"].as_array().expect("a list").clone();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let told = |item: &Value| (text(&item["code"]), text(&item["actor"]["kind"]));
    items.iter().map(told).collect()
}

fn chunk(lease: Lease, seq: u64, change: impl FnOnce(&mut Chunk)) -> Vec<u8> {
    let raw = b"hello\n";
    let mut chunk = Chunk {
        offset: 0,
        raw_len: 6,
        step: 0,
        time: Timestamp(1_800_000_000_000),
        elapsed_ms: 0,
        segments: vec![Segment {
            stream: Stream::Stdout,
            len: 6,
        }],
        data: compress_chunk(raw),
    };
    change(&mut chunk);
    Frame::Chunk { lease, seq, chunk }.encode().to_vec()
}

fn finished(step: u32, status: StepState) -> RecordBody {
    RecordBody::StepFinished {
        step,
        status,
        exit_code: Some(0),
        message: None,
        duration_ms: 1,
    }
}

fn file(step: u32, file: u32, path: &str, size: u64) -> RecordBody {
    RecordBody::File {
        file,
        kind: FileKind::Artifact,
        step,
        path: path.to_owned(),
        size,
        modified_at: None,
        partial: false,
    }
}

/// Hears the server's answer to a broken journal: the attempt is gone, the connection is not.
async fn abandoned(line: &mut Line, lease: Lease) -> String {
    loop {
        match line.hear().await {
            ServerMessage::Abandon { lease: own, reason } if own == lease => return reason,
            ServerMessage::Ack { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_cannot_be_costs_the_attempt_and_nothing_else() {
    let (server, speaker, job) = server().await;
    // One build after another, so that each attack has an attempt of its own.
    let commit = |commit: &str| RecordBody::SourceResolved {
        commit: commit.to_owned(),
    };
    let end = |end, log_bytes| RecordBody::Ended {
        end,
        message: None,
        log_bytes,
    };
    let printed = RecordBody::FailuresPrinted {
        step: 7,
        failures: Vec::new(),
        more: 0,
    };
    let far = RecordBody::StepStarted {
        step: u32::MAX,
        time: Timestamp(0),
    };
    let attacks: Vec<(&str, Vec<RecordBody>, &str)> = vec![
        (
            "no hash",
            vec![commit("4f2c\u{1b}[2J\u{202e}")],
            "bad_value",
        ),
        ("empty hash", vec![commit("")], "bad_value"),
        ("long hash", vec![commit(&"a".repeat(65))], "bad_value"),
        ("no such step", vec![far], "bad_value"),
        ("no such step printed", vec![printed], "bad_value"),
        (
            "a file of no step",
            vec![file(9, 0, "a.bin", 0)],
            "bad_value",
        ),
        (
            "an end before the start",
            vec![passed(0)],
            "impossible_state",
        ),
        (
            "a start that comes twice",
            vec![started(0), started(0)],
            "impossible_state",
        ),
        (
            "an end that comes twice",
            vec![started(0), passed(0), passed(0)],
            "impossible_state",
        ),
        (
            "an end that is none",
            vec![started(0), finished(0, StepState::Running)],
            "impossible_state",
        ),
        (
            "passed without its step",
            vec![end(AttemptEnd::Passed, 0)],
            "impossible_state",
        ),
        (
            "passed with a step that runs",
            vec![started(0), ended()],
            "impossible_state",
        ),
        (
            "a log that is not there",
            vec![end(AttemptEnd::Failed, 7)],
            "bad_log",
        ),
        (
            "a file that did not come",
            vec![started(0), file(0, 0, "a.bin", 7)],
            "bad_order",
        ),
        (
            "more after the end",
            vec![end(AttemptEnd::Failed, 0), started(0)],
            "bad_order",
        ),
    ];
    for (number, (what, records, kind)) in (1u64..).zip(attacks) {
        let before = refusals(&server).await;
        let (mut line, _) = speaker.connect(vec![]).await;
        server.trigger(&job, json!({"parameters": {}})).await;
        let lease = line.assigned().await.lease;
        let ends_well = what == "more after the end";
        // All in one go, so that they are applied together where that is possible.
        for (seq, body) in (1..).zip(records) {
            line.record(lease, seq, body).await;
        }
        if ends_well {
            // The record after the end may be judged with it or after it: then the lease is over.
            loop {
                match line.hear().await {
                    ServerMessage::Abandon { .. } => break,
                    ServerMessage::Ack { .. } => {}
                    other => panic!("{what}: {other:?}"),
                }
            }
        } else {
            abandoned(&mut line, lease).await;
            let grown = refusals(&server).await;
            let count = |all: &[(String, u64)]| {
                let found = all.iter().find(|(own, _)| own == kind);
                found.map_or(0, |(_, count)| *count)
            };
            assert_eq!(count(&grown), count(&before) + 1, "{what}: {grown:?}");
        }
        let build: Build = server.root.get(&format!("/builds/{number}")).await.ok();
        let is_as_expected = match build.status {
            BuildState::InfraLost => true,
            // Its end was stored before what came after it.
            BuildState::Failed => ends_well,
            _ => false,
        };
        assert!(is_as_expected, "{what}: {build:?}");
        drop(line);
    }
    let codes = audited(&server).await;
    assert!(codes.iter().all(|(_, actor)| actor == "agent"), "{codes:?}");
    assert!(codes.iter().any(|(code, _)| code == "impossible_state"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_cannot_be_costs_the_attempt_and_nothing_else() {
    let (server, speaker, job) = server().await;
    type Attack = fn(&mut Chunk);
    let attacks: [(&str, Attack, &str); 6] = [
        ("a gap", |chunk| chunk.offset = 7, "bad_log"),
        ("no such step", |chunk| chunk.step = 3, "bad_value"),
        (
            "another length",
            |chunk| chunk.segments[0].len = 7,
            "bad_log",
        ),
        (
            "a time past all years",
            |chunk| chunk.time = Timestamp(i64::MAX),
            "bad_log",
        ),
        (
            "a time before all years",
            |chunk| chunk.time = Timestamp(i64::MIN),
            "bad_log",
        ),
        (
            "damaged bytes",
            |chunk| chunk.data = bytes::Bytes::from_static(b"no zstd"),
            "bad_log",
        ),
    ];
    for (number, (what, change, kind)) in (1u64..).zip(attacks) {
        let (mut line, _) = speaker.connect(vec![]).await;
        server.trigger(&job, json!({})).await;
        let lease = line.assigned().await.lease;
        line.record(lease, 1, started(0)).await;
        line.bytes(chunk(lease, 2, change)).await;
        abandoned(&mut line, lease).await;
        let kinds = refusals(&server).await;
        assert!(
            kinds.iter().any(|(own, _)| own == kind),
            "{what}: {kinds:?}"
        );
        let build: Build = server.root.get(&format!("/builds/{number}")).await.ok();
        assert_eq!(build.status, BuildState::InfraLost, "{what}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_that_cannot_be_read_ends_the_connection() {
    let (server, speaker, job) = server().await;
    let lease = Lease {
        build: BuildId::generate(),
        attempt: 1,
        fence: 1,
    };
    let part = |offset| {
        let data = bytes::Bytes::from_static(b"x");
        Frame::File {
            lease,
            file: 0,
            offset,
            data,
        }
        .encode()
        .to_vec()
    };
    let mut long = part(0);
    long.extend(std::iter::repeat_n(b'x', 256 * 1024));
    let attacks: Vec<(Vec<u8>, bool, &str)> = vec![
        (b"{".to_vec(), true, "bad_frame"),
        (b"{\"type\":\"rm -rf\"}".to_vec(), true, "bad_frame"),
        (json!({"type": "record", "lease": lease, "seq": 1, "body": {"record": "step_finished", "step": -1}})
            .to_string().into_bytes(), true, "bad_frame"),
        (json!({"type": "record", "lease": lease, "seq": 1, "body": {"record": "step_finished", "step": 0,
            "status": "passed", "duration_ms": -1}}).to_string().into_bytes(), true, "bad_frame"),
        (vec![b' '; 64 * 1024 + 1], true, "too_large"),
        (vec![9; 50], false, "bad_frame"),
        (vec![1; 45], false, "bad_frame"),
        (long, false, "too_large"),
    ];
    for (bytes, is_text, kind) in attacks {
        let count = |all: Vec<(String, u64)>| {
            let found = all.into_iter().find(|(own, _)| own == kind);
            found.map_or(0, |(_, count)| count)
        };
        let before = count(refusals(&server).await);
        let (mut line, _) = speaker.connect(vec![]).await;
        if is_text {
            line.text(&String::from_utf8(bytes).expect("text")).await;
        } else {
            line.bytes(bytes).await;
        }
        let answer = line.hear().await;
        assert!(
            matches!(&answer, ServerMessage::Refused { code, retry: true, .. } if code == "protocol"),
            "{kind}: {answer:?}"
        );
        assert_eq!(count(refusals(&server).await), before + 1, "{kind}");
    }
    // Parts of a file that do not follow each other.
    server.trigger(&job, json!({})).await;
    let (mut line, _) = speaker.connect(vec![]).await;
    let lease = line.assigned().await.lease;
    let data = bytes::Bytes::from_static(b"x");
    let gap = Frame::File {
        lease,
        file: 0,
        offset: 5,
        data,
    };
    line.bytes(gap.encode()).await;
    assert!(matches!(
        line.hear().await,
        ServerMessage::Refused { retry: true, .. }
    ));
    let kinds = refusals(&server).await;
    assert!(
        kinds.iter().any(|(kind, _)| kind == "file_gap"),
        "{kinds:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_agents_business_is_counted_and_audited() {
    let (server, speaker, job) = server().await;
    let other = RawAgent::enrol(&server, "good").await;
    let (mut good, _) = other.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    let lease = good.assigned().await.lease;
    // The lease of another, with its right number, and one that nobody has.
    let (mut evil, _) = speaker.connect(vec![]).await;
    let strange = Lease {
        build: BuildId::generate(),
        ..lease
    };
    for lease in [lease, strange] {
        evil.record(lease, 1, started(0)).await;
        assert!(abandoned(&mut evil, lease).await.contains("not held"));
        evil.bytes(chunk(lease, 1, |_| {})).await;
        abandoned(&mut evil, lease).await;
    }
    let reason = "not mine".to_owned();
    evil.say(&AgentMessage::Declined { lease, reason }).await;
    // An answer to what comes after it says that it was judged.
    evil.record(strange, 2, started(0)).await;
    abandoned(&mut evil, strange).await;
    let kinds = refusals(&server).await;
    assert_eq!(kinds[0].0, "foreign_lease");
    assert!(kinds[0].1 >= 6, "{kinds:?}");
    let audited = audited(&server).await;
    assert!(audited.len() >= 3, "{audited:?}");
    assert!(
        audited
            .iter()
            .all(|own| *own == ("foreign_lease".to_owned(), "agent".to_owned()))
    );
    // The build did not notice.
    good.record(lease, 1, started(0)).await;
    good.record(lease, 2, passed(0)).await;
    good.record(lease, 3, ended()).await;
    good.stored(lease, 3).await;
    assert_eq!(server.finished(1).await.status, BuildState::Passed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_introduction_that_is_not_believed_is_counted() {
    let (server, speaker, _) = server().await;
    let many: Vec<String> = (0..65).map(|number| format!("l{number}")).collect();
    let attacks: Vec<(&str, Value, &str, bool)> = vec![
        ("labels", json!(many), "invalid_agent", false),
        ("labels", json!(["a b"]), "invalid_agent", false),
        ("labels", json!(["\u{1b}[2J"]), "invalid_agent", false),
        ("capacity", json!(0), "invalid_agent", false),
        ("capacity", json!(100_000), "invalid_agent", false),
        ("capacity", json!(-1), "hello_expected", false),
        ("protocol", json!(99), "protocol", false),
        ("signature", json!("00"), "unknown_agent", false),
        ("signature", json!("no hex"), "unknown_agent", false),
        ("agent", json!(BuildId::generate()), "unknown_agent", false),
        ("type", json!("goodbye"), "hello_expected", false),
    ];
    for (field, value, code, retry) in attacks {
        let (_, answer) = speaker.introduce(|hello| hello[field] = value).await;
        let is_as_expected = matches!(&answer, ServerMessage::Refused { code: own, retry: again, .. }
            if own == code && *again == retry);
        assert!(is_as_expected, "{field}: {answer:?}");
    }
    let beat = json!({"type": "heartbeat", "time": "2026-01-01T00:00:00Z"});
    let (_, answer) = speaker.introduce(|hello| *hello = beat).await;
    assert!(
        matches!(answer, ServerMessage::Refused { .. }),
        "{answer:?}"
    );
    let stranger = AgentKey::load_or_create(&server.path("other.key")).expect("a key");
    let (_, answer) = speaker.with_key(stranger).introduce(|_| {}).await;
    assert!(
        matches!(answer, ServerMessage::Refused { .. }),
        "{answer:?}"
    );
    server
        .root
        .post("/agents/evil/disable", &json!({}))
        .await
        .json();
    let (_, answer) = speaker.introduce(|_| {}).await;
    assert!(
        matches!(answer, ServerMessage::Refused { retry: true, .. }),
        "{answer:?}"
    );
    let mut kinds = refusals(&server).await;
    kinds.sort();
    let expected = [
        ("disabled", 1),
        ("invalid_introduction", 5),
        ("protocol_version", 1),
        ("wrong_signature", 3),
    ];
    assert_eq!(
        kinds,
        expected.map(|(kind, count)| (kind.to_owned(), count))
    );
    let audited = audited(&server).await;
    for code in ["unknown_agent", "no_hello", "wrong_signature"] {
        let own = (code.to_owned(), "anonymous".to_owned());
        assert!(audited.contains(&own), "{code}: {audited:?}");
    }
    // Texts of its own choice are cut and plain.
    server
        .root
        .post("/agents/evil/resume", &json!({}))
        .await
        .json();
    let version = format!("1.0\u{1b}[2J{}", "x".repeat(5_000));
    let (_, answer) = speaker
        .introduce(|hello| hello["version"] = json!(version))
        .await;
    assert!(matches!(answer, ServerMessage::Welcome { .. }));
    let agent: AgentDetails = server.root.get("/agents/evil").await.ok();
    assert!(agent.agent.version.len() <= 100 && !agent.agent.version.contains('\u{1b}'));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_agent_says_in_words_and_numbers_is_kept_within_bounds() {
    let (server, speaker, job) = server().await;
    let (mut line, _) = speaker.connect(vec![]).await;
    server.trigger(&job, json!({})).await;
    let lease = line.assigned().await.lease;
    let machine = |cpu| {
        let metrics = json!({"cpu_percent": cpu, "load_hundredths": 0, "memory_used": 9, "memory_total": 1,
            "disk_free": 1, "disk_total": 1});
        json!({"type": "heartbeat", "time": "2026-01-01T00:00:00Z", "metrics": metrics}).to_string()
    };
    line.text(&machine(100)).await;
    let hostile = format!("\u{1b}]0;owned\u{7}\u{202e}{}", "é".repeat(5_000));
    line.record(lease, 1, started(0)).await;
    let lasted_for_ever = RecordBody::StepFinished {
        step: 0,
        status: StepState::Failed,
        exit_code: Some(i32::MIN),
        message: Some(hostile.clone()),
        duration_ms: u64::MAX,
    };
    line.record(lease, 2, lasted_for_ever).await;
    // Paths that lead out of their place, or that a terminal would obey.
    for (seq, path) in (3..).zip(["../../etc/passwd", "/etc/passwd", "a\u{1b}[2J", "C:\\x"]) {
        line.file(lease, seq, FileKind::Artifact, path, b"x").await;
    }
    let end = RecordBody::Ended {
        end: AttemptEnd::Failed,
        message: Some(hostile),
        log_bytes: 0,
    };
    line.record(lease, 7, end).await;
    line.stored(lease, 7).await;
    let build = server.finished(1).await;
    let plain = |text: &str| {
        text.len() <= 2_000 && !text.chars().any(|c| c.is_control() || c == '\u{202e}')
    };
    assert!(
        build.reason.as_deref().is_some_and(plain),
        "{:?}",
        build.reason
    );
    let step = &build.steps[0];
    assert!(
        step.message.as_deref().is_some_and(plain),
        "{:?}",
        step.message
    );
    let took = step.duration_ms.expect("a duration");
    assert!(took < 600_000, "the server knows better than {took} ms");
    let kept = server.root.get("/builds/1/artifacts").await.json();
    assert_eq!(kept["items"].as_array().map(Vec::len), Some(0));
    let mut kinds = refusals(&server).await;
    kinds.sort();
    let expected = [("bad_metrics", 1), ("bad_path", 4), ("impossible_time", 1)];
    assert_eq!(
        kinds,
        expected.map(|(kind, count)| (kind.to_owned(), count))
    );
    let agent: AgentDetails = server.root.get("/agents/evil").await.ok();
    assert!(agent.agent.host.is_none(), "no sample was taken");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chatter_and_reconnecting_have_a_bound() {
    // A clock that stands still: nothing is forgiven by time.
    let server = TestServer::start_at(Clock::manual(Timestamp(1_800_000_000_000)), &[]).await;
    let speaker = RawAgent::enrol(&server, "evil").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    let beat = json!({"type": "heartbeat", "time": "2026-01-01T00:00:00Z"}).to_string();
    for _ in 0..51 {
        line.text(&beat).await;
    }
    let answer = line.hear().await;
    assert!(
        matches!(&answer, ServerMessage::Refused { code, retry: true, .. } if code == "over_rate"),
        "{answer:?}"
    );
    let mut welcomed = 0;
    for _ in 0..61 {
        let (_, answer) = speaker.introduce(|_| {}).await;
        match answer {
            ServerMessage::Welcome { .. } => welcomed += 1,
            ServerMessage::Refused { code, retry, .. } => {
                assert_eq!((code.as_str(), retry), ("over_rate", true));
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(welcomed, 59, "60 with the first one");
    // Others are let in, whatever it does.
    let other = RawAgent::enrol(&server, "good").await;
    other.connect(vec![]).await;
    assert_eq!(refusals(&server).await, [("over_rate".to_owned(), 3)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_hundred_agents_that_come_back_at_once_are_let_in() {
    let server = TestServer::start().await;
    let mut speakers = Vec::new();
    for number in 0..200 {
        speakers.push(RawAgent::enrol(&server, &format!("a{number}")).await);
    }
    let lines =
        futures_util::future::join_all(speakers.iter().map(|one| one.connect(vec![]))).await;
    let agents = server.root.get("/agents").await.json();
    let agents = agents["items"].as_array().expect("a list").clone();
    let online = agents
        .iter()
        .filter(|agent| agent["state"] == "online")
        .count();
    assert_eq!((online, lines.len()), (200, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_refusals_are_few_entries() {
    let clock = Clock::manual(Timestamp(1_800_000_000_000));
    let server = TestServer::start_at(clock.clone(), &[]).await;
    let speaker = RawAgent::enrol(&server, "evil").await;
    let (mut line, _) = speaker.connect(vec![]).await;
    let lease = Lease {
        build: BuildId::generate(),
        attempt: 1,
        fence: 1,
    };
    for seq in 1..=1_000 {
        line.record(lease, seq, started(0)).await;
        abandoned(&mut line, lease).await;
    }
    assert_eq!(audited(&server).await.len(), 3);
    assert_eq!(
        refusals(&server).await,
        [("foreign_lease".to_owned(), 1_000)]
    );
    clock.advance(Duration::from_secs(60));
    server.app.audit.write_counts().await;
    let page = server
        .root
        .get("/audit?action=agent.refused&limit=1")
        .await
        .json();
    assert_eq!(page["items"][0]["times"], 997, "{page}");
    let reason = page["items"][0]["reason"].as_str().expect("a reason");
    assert!(
        reason.starts_with("refused 997 more times in the last minute"),
        "{reason}"
    );
}
