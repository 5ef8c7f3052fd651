//! The API's description, and health.

use crate::support::TestServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_api_describes_itself_and_the_server_says_how_it_is() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let description = stranger.get("/openapi.json").await.json();
    assert_eq!(
        description["openapi"].as_str().map(|version| &version[..3]),
        Some("3.1")
    );
    assert_eq!(
        description["components"]["securitySchemes"]["bearer"]["scheme"],
        "bearer"
    );
    let paths = description["paths"].as_object().expect("paths");
    for path in [
        "/api/v3/job/{job_id}/trigger",
        "/api/v3/builds/{build}/log",
        "/api/v3/search",
        "/api/v3/builds/{build}/verdicts",
        "/api/v3/builds/{build}/gates/evaluate",
    ] {
        assert!(paths.contains_key(path), "{path}");
    }
    let page = stranger.get("/documentation").await;
    let html = String::from_utf8(page.body).expect("text");
    assert!(html.contains("POST /api/v3/job/{job_id}/trigger") && !html.contains("<script"));
    assert_eq!(stranger.get("//livez").await.body, b"ok\n");
    for path in ["//readyz", "//health", "//healthz"] {
        assert_eq!(stranger.get(path).await.json()["status"], "ok");
    }
}
