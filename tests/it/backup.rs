//! Backup, verify and restore: a restored server answers the same.

use crate::support::{Case, Client, TestServer, job_with_script, junit};
use serde_json::json;
use testhide::config::{Environment, Overrides, Settings};
use testhide::kit::Clock;
use testhide::storage::backup::{restore, verify};
use testhide_protocol::api::Report;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_server_answers_the_same() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let script = "seq 1 3000; mkdir out; echo kept > out/file";
    let definition = json!({
        "steps": [{"type": "bash", "run": script}],
        "post_steps": [{"type": "copy_artifacts", "source": "out/*", "target": "kept"}],
    });
    let job = server.job("tests", definition).await;
    for _ in 0..2 {
        server.trigger(&job, json!({})).await;
    }
    for (number, message) in [(1, "first"), (2, "second")] {
        let path = format!("/builds/{number}/reports?name=r.xml");
        let _: Report = server
            .root
            .upload(
                &path,
                "application/xml",
                junit(&[Case::Fail("bad", message), Case::Pass("good")]),
            )
            .await
            .ok();
        server.finished(number).await;
    }
    // A build runs while the backup is taken.
    let gate = server.path("gate");
    let busy = server
        .job(
            "busy",
            job_with_script(&format!(
                "until [ -e '{}' ]; do echo busy; sleep 0.02; done",
                gate.display()
            )),
        )
        .await;
    server.trigger(&busy, json!({})).await;
    server
        .wait_for(3, &[testhide_protocol::api::BuildState::Running])
        .await;
    server.settled().await;
    let archive = server.root.get("/backup").await;
    assert!(archive.status.is_success());
    std::fs::write(&gate, "").expect("a file");
    server.finished(3).await;

    let path = server.path("all.backup");
    std::fs::write(&path, &archive.body).expect("the archive");
    verify(&path, &mut |_| {}).expect("the archive is whole");
    let restored = server.path("restored");
    restore(&path, &restored, &mut |_| {}).expect("it is restored");
    let other = Other::open(&restored).await;
    let mut compared = 0;
    for path in [
        "/projects",
        "/builds/1",
        "/builds/2",
        "/builds/1/log?limit=10000",
        "/builds/1/log/raw",
        "/builds/1/artifacts",
        "/builds/1/results",
        "/builds/2/reports",
        "/builds/2/verdicts",
        "/compare?base=1&head=2",
        "/projects/shop/tests",
        "/events?limit=20",
        "/users",
    ] {
        let (before, after) = (server.root.get(path).await, other.client.get(path).await);
        assert_eq!(
            (before.status, String::from_utf8_lossy(&before.body)),
            (after.status, String::from_utf8_lossy(&after.body)),
            "{path}"
        );
        compared += 1;
    }
    assert_eq!(compared, 13);
    other
        .app
        .consumers
        .drain(&*other.app.search.indexer())
        .await
        .expect("the index is made again");
    let found = other
        .client
        .get("/search?q=second%20kind:failure")
        .await
        .json();
    assert_eq!(found["hits"][0]["build_number"], 2, "{found}");
    let mut cut = archive.body;
    cut.truncate(cut.len() - 1);
    std::fs::write(&path, &cut).expect("the archive");
    assert!(
        verify(&path, &mut |_| {}).is_err(),
        "a truncated archive is recognised"
    );
    agent.stop().await;
}

/// The server on a restored directory.
struct Other {
    client: Client,
    app: testhide::app::App,
}

impl Other {
    async fn open(data: &std::path::Path) -> Self {
        let overrides = Overrides {
            data_dir: Some(data.to_owned()),
            ..Overrides::default()
        };
        let settings = Settings::load(&overrides, &Environment::default()).expect("settings");
        let app = testhide::app::App::open(&settings, Clock::system())
            .expect("the restored directory opens");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let serving = testhide::app::serve(app.clone(), listener, CancellationToken::new())
            .expect("it serves");
        let client = Client::anonymous(&format!("http://{}", serving.address));
        // The signing key is not in a backup: people log in again.
        let login = client
            .post(
                "/auth/login",
                &json!({"username": "root", "password": "correct horse battery"}),
            )
            .await
            .json();
        let client = client.with_token(login["access_token"].as_str().expect("a token"));
        Self { client, app }
    }
}
