//! The least that is safe: nobody gets in without being somebody.

use crate::support::{TestServer, job_with_script};
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everything_but_the_door_answers_401_to_strangers() {
    let server = TestServer::start().await;
    let stranger = server.anonymous();
    let description = stranger.get("/openapi.json").await.json();
    // The whole description, so that a new route is in this test the day it is written.
    let open = [
        "/api/v3/setup",
        "/api/v3/auth/login",
        "/api/v3/auth/refresh",
        "/api/v3/auth/password/reset",
        "/api/v3/agents/enroll",
    ];
    let mut tried = 0;
    for (path, methods) in description["paths"].as_object().expect("paths") {
        if open.contains(&path.as_str()) {
            continue;
        }
        for method in methods.as_object().expect("methods").keys() {
            let path = path.replace("{seq}", "1");
            let parts = path.split('/').map(|part| {
                if part.starts_with('{') {
                    "0198c1a2-7f3e-7abc-8def-0123456789ab"
                } else {
                    part
                }
            });
            let path = format!("/{}", parts.collect::<Vec<_>>().join("/"));
            let method: Method = method.to_uppercase().parse().expect("a method");
            for client in [
                stranger.clone(),
                stranger.with_token("th_pat_wrong"),
                stranger.with_token("a.b.c"),
            ] {
                let headers = [("content-type", "application/json")];
                client
                    .send(method.clone(), &path, &headers, Some(b"{}".to_vec()))
                    .await
                    .refused(401, "not_authenticated");
                tried += 1;
            }
        }
    }
    assert!(tried > 90, "only {tried} requests were tried");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_to_a_project_sees_nothing_of_it() {
    let server = TestServer::start().await;
    let job = server.job("tests", job_with_script("true")).await;
    let build = server.trigger(&job, json!({})).await;
    let ann = server.user("ann").await;
    let project = server.project.id;
    for path in [
        format!("/projects/{project}"),
        "/projects/shop".to_owned(),
        format!("/projects/{project}/jobs"),
        format!("/jobs/{job}"),
        format!("/projects/{project}/reports"),
        format!("/projects/{project}/tests"),
    ] {
        ann.get(&path).await.refused(404, "not_found");
    }
    for path in [
        "",
        "/log",
        "/log/raw",
        "/artifacts",
        "/reports",
        "/results",
        "/verdicts",
        "/gates",
    ] {
        ann.get(&format!("/builds/{}{path}", build.build_number))
            .await
            .refused(404, "build_not_found");
    }
    ann.post(&format!("/job/{job}/trigger"), &json!({}))
        .await
        .refused(404, "not_found");
    ann.post("/builds/1/cancel", &json!({}))
        .await
        .refused(404, "build_not_found");
    assert_eq!(ann.get("/builds").await.json()["items"], json!([]));
    let events = ann.get("/events").await.json();
    let kinds: Vec<&Value> = events["items"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|event| &event["kind"])
        .collect();
    assert!(kinds.is_empty(), "{kinds:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permissions_open_exactly_what_they_name() {
    let server = TestServer::start().await;
    let job = server.job("tests", job_with_script("true")).await;
    let ann = server.user("ann").await;
    let user = ann.get("/auth/me").await.json()["id"].clone();
    let grant =
        |list: Value| json!({"user": user, "project": server.project.id, "permissions": list});
    let put = async |list: Value| {
        let body = serde_json::to_vec(&grant(list)).expect("JSON");
        let headers = [("content-type", "application/json")];
        server
            .root
            .send(Method::PUT, "/permissions", &headers, Some(body))
            .await
            .json();
    };
    put(json!(["READ"])).await;
    ann.get(&format!("/jobs/{job}")).await.json();
    ann.post(&format!("/job/{job}/trigger"), &json!({}))
        .await
        .refused(403, "not_allowed");
    ann.patch(&format!("/jobs/{job}"), &json!({"enabled": false}))
        .await
        .refused(403, "not_allowed");
    put(json!(["READ", "EXECUTE"])).await;
    ann.post(&format!("/job/{job}/trigger"), &json!({}))
        .await
        .json();
    put(json!([])).await;
    ann.get(&format!("/jobs/{job}"))
        .await
        .refused(404, "not_found");
    ann.post(
        "/users",
        &json!({"username": "eve", "password": "a long password"}),
    )
    .await
    .refused(403, "not_allowed");
    ann.post("/agents/enrolments", &json!({}))
        .await
        .refused(403, "not_allowed");
    ann.get("/backup").await.refused(403, "not_allowed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_setup_token_is_good_once() {
    let server = TestServer::start().await;
    let again =
        json!({"setup_token": "th_setup_guess", "username": "eve", "password": "a long password"});
    let refused = server.anonymous().post("/setup", &again).await;
    assert!(
        matches!(refused.status.as_u16(), 401 | 403 | 409),
        "{}",
        refused.status
    );
    assert_eq!(
        server.app.accounts.setup_token().await.expect("a store"),
        None,
        "there is a user: no more tokens"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_api_token_works_until_it_is_revoked() {
    let server = TestServer::start().await;
    let made = server
        .root
        .post("/tokens", &json!({"name": "ci"}))
        .await
        .json();
    let secret = made["secret"].as_str().expect("a secret");
    assert!(secret.starts_with("th_pat_"));
    let program = server.anonymous().with_token(secret);
    assert_eq!(program.get("/auth/me").await.json()["username"], "root");
    let listed = server.root.get("/tokens").await;
    assert!(
        !String::from_utf8_lossy(&listed.body).contains(secret),
        "the secret is never shown again"
    );
    let id = made["token"]["id"].as_str().expect("an id");
    let revoked = server
        .root
        .send(Method::DELETE, &format!("/tokens/{id}"), &[], None)
        .await;
    assert!(revoked.status.is_success());
    program
        .get("/auth/me")
        .await
        .refused(401, "not_authenticated");
}
