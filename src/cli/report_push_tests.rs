//! Pushed reports: each refusal has its exit code, and none that is final is sent again.

use super::args::{GlobalArgs, Push};
use super::error::Exit;
use super::report_push::push;
use super::session::Session;
use super::test_server::{Answer, TestServer};
use crate::config::Environment;
use testhide_protocol::api::OutcomeCounts;

async fn exit_of(answers: Vec<Answer>) -> (Exit, usize) {
    exit_of_push(false, answers).await
}

async fn exit_of_push(gate: bool, answers: Vec<Answer>) -> (Exit, usize) {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("a.xml");
    std::fs::write(&file, "<testsuites/>").unwrap();
    let server =
        TestServer::start(move |_, number| answers[(number - 1).min(answers.len() - 1)].clone())
            .await;
    let global = GlobalArgs {
        server: Some(server.client().server().to_owned()),
        quiet: true,
        ..GlobalArgs::default()
    };
    let token = [("TESTHIDE_TOKEN".to_owned(), "th_pat_test".to_owned())];
    let session = Session::new(global, Environment(token.into()));
    let args = Push {
        files: vec![file],
        build: Some("421".to_owned()),
        project: None,
        branch: None,
        commit: None,
        gate,
    };
    let exit = push(&session, &args)
        .await
        .unwrap_or_else(|error| error.exit);
    (exit, server.asked().await.len())
}

#[tokio::test]
async fn refusals_end_a_push_with_their_exit_code() {
    let check = async |status: u16, expected: Exit| {
        let (exit, asked) = exit_of(vec![Answer::Json(status, "{}".to_owned())]).await;
        assert_eq!((exit, asked), (expected, 1), "status {status}");
    };
    check(401, Exit::NotAllowed).await;
    check(404, Exit::NotFound).await;
    check(409, Exit::Conflict).await;
    check(422, Exit::Usage).await;
}

#[tokio::test]
async fn the_gates_decide_once_everything_is_stored() {
    let id = "0198c1a2-7f3e-7abc-8def-0123456789ab";
    let at = "2026-03-20T10:30:00Z";
    let report = serde_json::json!({
        "id": id, "project_id": id, "name": "a.xml", "format": "junit", "counts": OutcomeCounts::default(),
        "tests": OutcomeCounts::default(), "warnings": [], "truncated": false, "size": 1, "created_at": at,
    });
    let gates = |passed: bool| {
        let evaluation = serde_json::json!({
            "build_id": id, "build_number": 421, "attempt": 1, "passed": passed, "gates": 1, "evaluated_at": at,
            "results": [{
                "gate_id": id, "gate": "merge", "rule": {"type": "zero_failures"}, "passed": passed,
                "message": "m", "threshold": 0.0,
            }],
        });
        Answer::Json(200, evaluation.to_string())
    };
    let stored = Answer::Json(201, report.to_string());
    let check = async |answers: Vec<Answer>, expected: (Exit, usize)| {
        assert_eq!(exit_of_push(true, answers).await, expected);
    };
    check(vec![stored.clone(), gates(true)], (Exit::Ok, 2)).await;
    check(vec![stored.clone(), gates(false)], (Exit::Failed, 2)).await;
    // A report that is not stored leaves nothing to hold against the gates.
    check(
        vec![Answer::Json(422, "{}".to_owned()), gates(true)],
        (Exit::Usage, 1),
    )
    .await;
    check(
        vec![stored, Answer::Json(404, "{}".to_owned())],
        (Exit::NotFound, 2),
    )
    .await;
}
