//! Jobs through their front door.

use super::Jobs;
use crate::accounts::TestServer;
use crate::projects::{self, Projects};
use axum::http::Method;
use serde_json::{Value, json};
use testhide_protocol::JobId;
use testhide_protocol::api::Event;

fn server() -> TestServer {
    TestServer::new(|storage, clock| {
        let projects = Projects::new(storage.clone(), clock.clone());
        let jobs = Jobs::new(storage.clone(), clock.clone(), projects.clone());
        projects::routes(projects).merge(super::routes(jobs))
    })
}

fn job(name: &str) -> Value {
    json!({"name": name, "definition": {"steps": [
        {"type": "bash", "run": "make test", "env": {"A": "1"}},
        {"type": "test_provider", "provider": "junit", "path": "**/*.xml"},
    ]}})
}

#[tokio::test]
async fn a_job_is_made_shown_and_changed() {
    let server = server();
    let root = server.set_up().await;
    server
        .post("/projects", &root, json!({"name": "shop"}))
        .await;
    let made = server
        .post("/projects/shop/jobs", &root, job("nightly"))
        .await;
    assert_eq!(
        (made.status, &made.body["enabled"]),
        (201, &json!(true)),
        "{made:?}"
    );
    assert_eq!(
        made.body["definition"],
        job("")["definition"],
        "as it was given"
    );
    let path = format!("/jobs/{}", made.text("id"));
    assert_eq!(server.get(&path, &root).await.body, made.body);

    let patch = async |update: Value| server.call(Method::PATCH, &path, &root, update).await;
    assert_eq!(patch(json!({})).await.body, made.body);
    let disabled = patch(json!({"enabled": false, "name": "Nightly"})).await;
    assert_eq!(
        (&disabled.body["enabled"], &disabled.body["name"]),
        (&json!(false), &json!("Nightly"))
    );
    let definition = json!({"steps": [{"type": "bash", "run": "make"}], "timeout_seconds": 60});
    let changed = patch(json!({"definition": definition})).await;
    assert_eq!(
        (&changed.body["definition"], &changed.body["enabled"]),
        (&definition, &json!(false))
    );

    let (job, project) = (
        made.text("id").parse().unwrap(),
        made.text("project_id").parse().unwrap(),
    );
    let created = [Event::ProjectCreated { project }, Event::JobCreated { job }];
    let changes = [Event::JobChanged { job }, Event::JobChanged { job }];
    assert_eq!(server.events()[1..], [created, changes].concat());
}

#[tokio::test]
async fn names_are_unique_in_a_project() {
    let server = server();
    let root = server.set_up().await;
    for project in ["shop", "site"] {
        server
            .post("/projects", &root, json!({"name": project}))
            .await;
    }
    let first = server
        .post("/projects/shop/jobs", &root, job("nightly"))
        .await;
    assert_eq!(
        server
            .post("/projects/shop/jobs", &root, job("NIGHTLY"))
            .await
            .refusal(),
        (409, "name_taken")
    );
    assert_eq!(
        server
            .post("/projects/site/jobs", &root, job("nightly"))
            .await
            .status,
        201
    );
    let second = server
        .post("/projects/shop/jobs", &root, job("hourly"))
        .await;
    let rename = async |id: &str, name: &str| {
        server
            .call(
                Method::PATCH,
                &format!("/jobs/{id}"),
                &root,
                json!({"name": name}),
            )
            .await
    };
    assert_eq!(
        rename(&second.text("id"), "nightly").await.refusal(),
        (409, "name_taken")
    );
    assert_eq!(rename(&first.text("id"), "daily").await.status, 200);
    assert_eq!(
        rename(&second.text("id"), "nightly").await.status,
        200,
        "the old name is free again"
    );

    let page = server.get("/projects/shop/jobs?limit=1", &root).await;
    assert_eq!(page.body["items"][0]["name"], "daily");
    let next = server
        .get(
            &format!("/projects/shop/jobs?limit=1&cursor={}", page.text("next")),
            &root,
        )
        .await;
    assert_eq!(
        (&next.body["items"][0]["name"], &next.body["next"]),
        (&json!("nightly"), &Value::Null)
    );
}

#[tokio::test]
async fn what_cannot_be_is_422_and_says_where() {
    let server = server();
    let root = server.set_up().await;
    server
        .post("/projects", &root, json!({"name": "shop"}))
        .await;
    let post = async |body: Value| server.post("/projects/shop/jobs", &root, body).await;
    let empty = post(json!({"name": "nightly", "definition": {"steps": []}})).await;
    assert_eq!(empty.refusal(), (422, "job_without_steps"));
    assert!(empty.body["hint"].is_string());
    assert_eq!(post(job("..")).await.refusal(), (422, "invalid_name"));
    let bad = json!({"name": "nightly", "definition": {"steps": [{"type": "bash", "run": "x"}], "labels": ["a b"]}});
    let bad = post(bad).await;
    assert_eq!(bad.refusal(), (422, "invalid_definition"));
    assert!(bad.text("detail").contains("`labels[0]`"));
    let unknown =
        json!({"name": "nightly", "definition": {"steps": [{"type": "batch", "run": "x"}]}});
    assert_eq!(post(unknown).await.refusal(), (422, "invalid_field"));
}

#[tokio::test]
async fn permissions_of_the_project_count() {
    let server = server();
    let root = server.set_up().await;
    let (ann, ann_token) = server.user(&root, "ann").await;
    let project = server
        .post("/projects", &root, json!({"name": "shop"}))
        .await
        .text("id");
    let path = format!(
        "/jobs/{}",
        server
            .post("/projects/shop/jobs", &root, job("nightly"))
            .await
            .text("id")
    );

    let foreign = server.get(&path, &ann_token).await;
    let absent = server
        .get(&format!("/jobs/{}", JobId::generate()), &ann_token)
        .await;
    assert_eq!((foreign.status, &foreign.body), (404, &absent.body));
    for list in [
        "/projects/shop/jobs".to_owned(),
        format!("/projects/{project}/jobs"),
    ] {
        assert_eq!(
            server.get(&list, &ann_token).await.refusal(),
            (404, "not_found")
        );
        assert_eq!(
            server.post(&list, &ann_token, job("x")).await.refusal(),
            (404, "not_found")
        );
    }

    let grant = json!({"user": ann, "project": project, "permissions": ["READ", "EXECUTE"]});
    assert_eq!(
        server
            .call(Method::PUT, "/permissions", &root, grant)
            .await
            .status,
        200
    );
    assert_eq!(server.get(&path, &ann_token).await.status, 200);
    assert_eq!(
        server.get("/projects/shop/jobs", &ann_token).await.body["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let patch = server
        .call(Method::PATCH, &path, &ann_token, json!({"enabled": false}))
        .await;
    assert_eq!(patch.refusal(), (403, "not_allowed"));
    assert_eq!(
        server
            .post("/projects/shop/jobs", &ann_token, job("x"))
            .await
            .refusal(),
        (403, "not_allowed")
    );
    assert_eq!(
        server.get(&path, "").await.refusal(),
        (401, "not_authenticated")
    );
}
