//! Wrong input: a clear refusal, nothing half-written, never a 500.

use crate::support::{Case, TestServer, job_with_script, junit};
use serde_json::json;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_that_are_no_reports_are_refused_with_a_reason() {
    let server = TestServer::start().await;
    let path = "/projects/shop/reports";
    let before = server.app.log.last().expect("a store");
    let bomb =
        "<!DOCTYPE a [<!ENTITY b \"ha\"><!ENTITY c \"&b;&b;\">]><testsuites>&c;</testsuites>";
    for (body, status) in [
        (&b""[..], 422),
        (b"hello", 422),
        (b"{\"a\": 1}", 422),
        (b"<html></html>", 422),
        (bomb.as_bytes(), 422),
        (&[0xff; 100], 422),
    ] {
        let answer = server.root.upload(path, "application/xml", body).await;
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{:?}: {}",
            String::from_utf8_lossy(body),
            String::from_utf8_lossy(&answer.body)
        );
        assert_eq!(answer.headers["content-type"], "application/problem+json");
    }
    let valid = junit(&[Case::Pass("a")]);
    assert_eq!(
        server
            .root
            .upload(path, "text/html", valid.clone())
            .await
            .status
            .as_u16(),
        415
    );
    assert_eq!(
        server.app.log.last().expect("a store"),
        before,
        "nothing was stored"
    );
    let cut = &valid[..valid.len() - 20];
    let report = server
        .root
        .upload(path, "application/xml", cut)
        .await
        .json();
    assert_eq!(
        (&report["truncated"], &report["counts"]["total"]),
        (&json!(true), &json!(1)),
        "what was read is kept and said"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_requests_are_told_what_is_broken() {
    let server = TestServer::start().await;
    let root = &server.root;
    let json_type = "application/json";
    root.upload("/projects", json_type, "{")
        .await
        .refused(400, "invalid_json");
    root.upload("/projects", json_type, "{\"name\": 1}")
        .await
        .refused(422, "invalid_field");
    root.upload("/projects", json_type, "{\"name\": \"a\", \"nmae\": 1}")
        .await
        .refused(422, "invalid_field");
    root.upload("/projects", "text/plain", "{}")
        .await
        .refused(415, "not_json");
    root.upload("/projects", json_type, vec![b' '; 3_000_000])
        .await
        .refused(413, "body_too_large");
    root.post("/projects", &json!({"name": "shop"}))
        .await
        .refused(409, "name_taken");
    root.post("/projects", &json!({"name": "../x"}))
        .await
        .refused(422, "invalid_name");
    root.get("/builds/999")
        .await
        .refused(404, "build_not_found");
    root.get("/builds/nonsense")
        .await
        .refused(404, "build_not_found");
    root.get("/builds?limit=100000")
        .await
        .refused(422, "invalid_limit");
    root.get("/builds?cursor=!!")
        .await
        .refused(422, "invalid_cursor");
    root.get("/builds?status=green")
        .await
        .refused(422, "invalid_query");
    root.get("/nowhere").await.refused(404, "no_such_path");
    root.send(reqwest::Method::DELETE, "/builds", &[], None)
        .await
        .refused(405, "method_not_allowed");
    let unknown = "0198c1a2-7f3e-7abc-8def-0123456789ab";
    for path in [
        "jobs",
        "reports",
        "results",
        "tests",
        "artifacts",
        "failures",
    ] {
        let answer = root.get(&format!("/{path}/{unknown}")).await;
        assert_eq!(answer.status.as_u16(), 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_and_triggers_that_cannot_work_are_refused() {
    let server = TestServer::start().await;
    let path = format!("/projects/{}/jobs", server.project.id);
    let job = |definition| json!({"name": "x", "definition": definition});
    server
        .root
        .post(&path, &job(json!({"steps": []})))
        .await
        .refused(422, "job_without_steps");
    let bad = json!({"steps": [{"type": "copy_artifacts", "source": "../../etc/*"}]});
    server
        .root
        .post(&path, &job(bad))
        .await
        .refused(422, "invalid_definition");
    let bad = json!({"steps": [{"type": "teleport", "run": "x"}]});
    server
        .root
        .post(&path, &job(bad))
        .await
        .refused(422, "invalid_field");
    let good = server.job("good", job_with_script("true")).await;
    let trigger = format!("/job/{good}/trigger");
    server
        .root
        .post(&trigger, &json!({"parameters": {"X": "1"}}))
        .await
        .refused(422, "unknown_parameter");
    server
        .root
        .post(&trigger, &json!({"branch": "--upload-pack=evil"}))
        .await
        .refused(422, "invalid_build");
    server
        .root
        .post(&trigger, &json!({"branch": "a b"}))
        .await
        .refused(422, "invalid_build");
    server
        .root
        .patch(&format!("/jobs/{good}"), &json!({"enabled": false}))
        .await
        .json();
    server
        .root
        .post(&trigger, &json!({}))
        .await
        .refused(409, "job_disabled");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_branch_with_shell_in_it_stays_text() {
    let server = TestServer::start().await;
    let agent = server.agent("one", &[], 1).await;
    let definition = json!({
        "parameters": {"TITLE": ""},
        "steps": [{"type": "bash", "run": "echo \"$TESTHIDE_BRANCH\"; echo \"$TITLE\"; ls"}],
    });
    let job = server.job("careful", definition).await;
    let trigger =
        json!({"branch": "$(touch${IFS}pwned)", "parameters": {"TITLE": "\"; touch pwned; \""}});
    server.trigger(&job, trigger).await;
    server.finished(1).await;
    let log = String::from_utf8(server.root.get("/builds/1/log/raw").await.body).expect("text");
    assert_eq!(
        log, "$(touch${IFS}pwned)\n\"; touch pwned; \"\n",
        "nothing was run and no file was made"
    );
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_said_and_not_made_worse() {
    // Floors above what any disk has: the server opens, answers, and takes nothing.
    let server = TestServer::start().await;
    let project = server.project.id;
    let dir = server.stop().await;
    let data = dir.path().join("data");
    let full = FullServer::open(&data).await;
    full.client
        .post(
            "/auth/login",
            &json!({"username": "root", "password": "correct horse battery"}),
        )
        .await
        .json();
    let login = full
        .client
        .post(
            "/auth/login",
            &json!({"username": "root", "password": "correct horse battery"}),
        )
        .await
        .json();
    let root = full
        .client
        .with_token(login["access_token"].as_str().expect("a token"));
    let refused = root.post("/projects", &json!({"name": "more"})).await;
    assert_eq!(refused.headers["retry-after"], "10");
    refused.refused(503, "disk_full");
    let upload = root
        .upload(
            &format!("/projects/{project}/reports"),
            "application/xml",
            junit(&[Case::Pass("a")]),
        )
        .await;
    assert!(
        matches!(upload.status.as_u16(), 503 | 507),
        "{}",
        upload.status
    );
    let listed = root.get("/projects").await.json();
    assert_eq!(
        listed["items"].as_array().expect("a list").len(),
        1,
        "reading goes on"
    );
    assert_eq!(root.get("//readyz").await.status.as_u16(), 503);
}

/// A server whose disk is below its hard floor.
struct FullServer {
    client: crate::support::Client,
}

impl FullServer {
    async fn open(data: &std::path::Path) -> Self {
        use testhide::config::{Environment, Overrides, Settings};
        let overrides = Overrides {
            data_dir: Some(data.to_owned()),
            ..Overrides::default()
        };
        let environment = [
            ("TESTHIDE_HARD_FLOOR_MB", "9000000000000"),
            ("TESTHIDE_SOFT_FLOOR_MB", "9000000000000"),
        ];
        let environment = Environment(
            environment
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .into(),
        );
        let settings = Settings::load(&overrides, &environment).expect("settings");
        let app =
            testhide::app::App::open(&settings, testhide::kit::Clock::system()).expect("it opens");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port");
        let shutdown = tokio_util::sync::CancellationToken::new();
        let serving = testhide::app::serve(app, listener, shutdown).expect("it serves");
        Self {
            client: crate::support::Client::anonymous(&format!("http://{}", serving.address)),
        }
    }
}
