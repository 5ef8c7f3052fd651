//! The audit log: who did what, read by those who may, whole or found broken.

use crate::support::TestServer;
use serde_json::{Value, json};
use std::process::Command;
use testhide::audit::Chain;
use testhide_protocol::api::{AuditEntry, AuditVerification, Page};

/// Two changes and a refusal.
async fn server() -> TestServer {
    let server = TestServer::start().await;
    let token = server
        .root
        .post("/agents/enrolments", &json!({}))
        .await
        .json();
    let enroll =
        |token: &Value| json!({"token": token, "name": "one", "public_key": "ab".repeat(32)});
    let anonymous = server.anonymous();
    anonymous
        .post("/agents/enroll", &enroll(&token["token"]))
        .await
        .json();
    anonymous
        .post("/agents/enroll", &enroll(&token["token"]))
        .await
        .refused(401, "enrolment_token_invalid");
    server
        .root
        .post("/agents/one/drain", &json!({"reason": "new disk"}))
        .await
        .json();
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_operators_do_is_in_the_log_with_who_where_and_why() {
    let server = server().await;
    let page: Page<AuditEntry> = server.root.get("/audit").await.ok();
    let actions: Vec<&str> = page
        .items
        .iter()
        .map(|entry| entry.action.as_str())
        .collect();
    let expected = [
        "agent.drained",
        "agent.enrolment_refused",
        "agent.enrolled",
        "agent.enrolment_given",
    ];
    assert_eq!(actions, expected);
    let drained = &page.items[0];
    assert_eq!(drained.actor.name.as_deref(), Some("root"));
    assert_eq!(drained.actor.kind.as_str(), "user");
    assert_eq!(drained.address.as_deref(), Some("127.0.0.1"));
    assert_eq!(drained.object.name.as_deref(), Some("one"));
    assert_eq!(drained.reason.as_deref(), Some("new disk"));
    assert_eq!(drained.changes[0].after.as_deref(), Some("draining"));
    let all = server.root.get("/audit").await.body;
    assert!(
        !String::from_utf8_lossy(&all).contains("th_enroll_"),
        "no token is in it"
    );

    // A token is not the person who has it.
    let token = server
        .root
        .post("/tokens", &json!({"name": "ci"}))
        .await
        .json();
    let ci = server
        .root
        .with_token(token["secret"].as_str().expect("a secret"));
    ci.post("/agents/one/resume", &json!({})).await.json();
    let page: Page<AuditEntry> = server.root.get("/audit?actor=token").await.ok();
    assert_eq!(page.items.len(), 1);
    assert_eq!(
        page.items[0].actor.id.as_deref(),
        token["token"]["id"].as_str()
    );

    for (query, count) in [
        ("action=agent.drained", 1),
        ("action=agent", 5),
        ("action=agent.d", 0),
        ("actor=anonymous", 2),
        ("actor=root&outcome=ok", 3),
        ("outcome=refused", 1),
        ("object=one", 3),
        ("from=2020-01-01T00:00:00Z", 5),
        ("until=2020-01-01T00:00:00Z", 0),
    ] {
        let page: Page<AuditEntry> = server.root.get(&format!("/audit?{query}")).await.ok();
        assert_eq!(page.items.len(), count, "{query}");
    }
    let mut cursor = String::new();
    let mut seen = Vec::new();
    loop {
        let page: Page<AuditEntry> = server
            .root
            .get(&format!("/audit?limit=2{cursor}"))
            .await
            .ok();
        seen.extend(page.items.iter().map(|entry| entry.seq));
        match page.next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen, [5, 4, 3, 2, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_for_superusers_and_wrong_questions_are_refused() {
    let server = server().await;
    let anna = server.user("anna").await;
    for path in ["/audit", "/audit/verify", "/audit/export"] {
        anna.get(path).await.refused(403, "not_allowed");
        server
            .anonymous()
            .get(path)
            .await
            .refused(401, "not_authenticated");
    }
    for (query, code) in [
        ("?limit=0", "invalid_limit"),
        ("?outcome=odd", "invalid_query"),
        ("?from=yesterday", "invalid_query"),
        ("?cursor=odd", "invalid_cursor"),
        ("/verify?seq=1", "invalid_query"),
        ("/export?limit=1", "invalid_query"),
    ] {
        server
            .root
            .get(&format!("/audit{query}"))
            .await
            .refused(422, code);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_checked_exported_and_checked_again_without_a_server() {
    let server = server().await;
    let whole: AuditVerification = server.root.get("/audit/verify").await.ok();
    assert!(whole.intact && whole.last_seq == 4, "{whole:?}");
    let known = format!("/audit/verify?seq=4&hash={}", whole.head);
    let again: AuditVerification = server.root.get(&known).await.ok();
    assert!(again.intact);
    let other = format!("/audit/verify?seq=3&hash={}", whole.head);
    let again: AuditVerification = server.root.get(&other).await.ok();
    assert_eq!(again.broken_at, Some(3));

    let export = server.root.get("/audit/export").await;
    assert_eq!(export.headers["content-type"], "application/x-ndjson");
    let mut chain = Chain::default();
    for line in export
        .body
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
    {
        chain.add_line(line).expect("it fits");
        let entry: AuditEntry = serde_json::from_slice(line).expect("an entry");
        assert_eq!(entry.seq, chain.last_seq);
    }
    assert_eq!(chain.head(), whole.head);

    let testhide = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_testhide"))
            .args(arguments)
            .args(["--server", server.root.base()])
            .env("TESTHIDE_TOKEN", server.root.token())
            .env("HOME", server.path("home"))
            .output()
            .expect("it runs");
        (
            output.status.code(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    let file = server.path("audit.jsonl");
    let file = file.to_str().expect("a path");
    let run = |arguments: &[&str]| tokio::task::block_in_place(|| testhide(arguments));
    let (code, listed) = run(&["audit", "list", "--outcome", "refused"]);
    assert_eq!(code, Some(0));
    assert!(listed.contains("enrolment_token_invalid"), "{listed}");
    assert_eq!(run(&["audit", "verify"]).0, Some(0));
    assert_eq!(run(&["audit", "export", "-o", file]).0, Some(0));
    let (code, told) = run(&["audit", "verify", "--file", file]);
    assert_eq!(code, Some(0));
    assert!(told.contains(&whole.head), "{told}");
    let changed = std::fs::read_to_string(file)
        .expect("a file")
        .replace("new disk", "old disk");
    std::fs::write(file, changed).expect("a file");
    let (code, told) = run(&["audit", "verify", "--file", file]);
    assert_eq!(
        (code, told.as_str()),
        (
            Some(1),
            "broken: entry 4 was changed: its hash does not fit\n"
        )
    );
}
