//! Pushed reports: each refusal has its exit code, and none that is final is sent again.

use super::args::{GlobalArgs, Push};
use super::error::Exit;
use super::report_push::push;
use super::session::Session;
use super::test_server::{Answer, TestServer};
use crate::config::Environment;

async fn exit_of(answers: Vec<Answer>) -> (Exit, usize) {
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
        gate: false,
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
