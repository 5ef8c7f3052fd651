//! Projects through their front door.

use super::Projects;
use crate::accounts::{Principal, TestServer};
use axum::http::Method;
use serde_json::{Value, json};
use testhide_protocol::ProjectId;
use testhide_protocol::api::{CreateProject, Event};

fn server() -> TestServer {
    TestServer::new(|storage, clock| super::routes(Projects::new(storage.clone(), clock.clone())))
}

#[tokio::test]
async fn a_project_is_made_found_and_changed() {
    let server = server();
    let root = server.set_up().await;
    let (_, ann) = server.user(&root, "ann").await;
    let made = server
        .post(
            "/projects",
            &ann,
            json!({"name": "Shop", "description": "sells"}),
        )
        .await;
    assert_eq!(made.status, 201, "{made:?}");
    for text in ["Shop", "shop", &made.text("id")] {
        assert_eq!(
            server.get(&format!("/projects/{text}"), &ann).await.body,
            made.body
        );
    }
    let patch =
        async |path: &str, update: Value| server.call(Method::PATCH, path, &ann, update).await;
    assert_eq!(patch("/projects/shop", json!({})).await.body, made.body);
    assert_eq!(
        patch("/projects/shop", json!({"name": "SHOP"}))
            .await
            .text("name"),
        "SHOP"
    );
    let moved = patch("/projects/shop", json!({"name": "store"})).await;
    assert_eq!(
        (moved.text("name"), moved.text("description")),
        ("store".into(), "sells".into())
    );
    assert_eq!(
        server.get("/projects/shop", &ann).await.refusal(),
        (404, "not_found")
    );
    assert_eq!(
        server
            .post("/projects", &ann, json!({"name": "shop"}))
            .await
            .status,
        201,
        "free again"
    );

    let project = made.text("id").parse().unwrap();
    let changed = Event::ProjectChanged { project };
    assert_eq!(
        server.events()[2..5],
        [Event::ProjectCreated { project }, changed.clone(), changed]
    );
}

#[tokio::test]
async fn bad_values_are_refused() {
    let server = server();
    let root = server.set_up().await;
    server
        .post("/projects", &root, json!({"name": "shop"}))
        .await;
    let post = async |body: Value| server.post("/projects", &root, body).await;
    assert_eq!(
        post(json!({"name": "SHOP"})).await.refusal(),
        (409, "name_taken")
    );
    assert_eq!(
        post(json!({"name": "a b"})).await.refusal(),
        (422, "invalid_name")
    );
    let long = json!({"name": "x", "description": "x".repeat(2001)});
    assert_eq!(post(long).await.refusal(), (422, "invalid_description"));
    post(json!({"name": "site"})).await;
    let taken = server
        .call(
            Method::PATCH,
            "/projects/site",
            &root,
            json!({"name": "Shop"}),
        )
        .await;
    assert_eq!(taken.refusal(), (409, "name_taken"));
    assert_eq!(
        server.get("/projects/site", &root).await.text("name"),
        "site"
    );
}

#[tokio::test]
async fn a_foreign_project_is_like_none() {
    let server = server();
    let root = server.set_up().await;
    let (_, ann) = server.user(&root, "ann").await;
    let (bob_id, bob) = server.user(&root, "bob").await;
    let made = server
        .post("/projects", &ann, json!({"name": "shop"}))
        .await;
    let id = made.text("id");

    let absent = server
        .get(&format!("/projects/{}", ProjectId::generate()), &bob)
        .await;
    assert_eq!(absent.refusal(), (404, "not_found"));
    for text in ["shop", &id, "nothing"] {
        let path = format!("/projects/{text}");
        assert_eq!(server.get(&path, &bob).await.body, absent.body);
        assert_eq!(
            server
                .call(Method::PATCH, &path, &bob, json!({"name": "mine"}))
                .await
                .body,
            absent.body
        );
        assert_eq!(
            server.get(&path, "").await.refusal(),
            (401, "not_authenticated")
        );
    }
    assert_eq!(
        server.get("/projects/shop", &root).await.status,
        200,
        "a superuser sees everything"
    );

    let grant = json!({"user": bob_id, "project": id, "permissions": ["READ"]});
    assert_eq!(
        server
            .call(Method::PUT, "/permissions", &ann, grant)
            .await
            .status,
        200,
        "the creator may grant"
    );
    assert_eq!(server.get("/projects/shop", &bob).await.body, made.body);
    let patch = server
        .call(
            Method::PATCH,
            "/projects/shop",
            &bob,
            json!({"name": "mine"}),
        )
        .await;
    assert_eq!(patch.refusal(), (403, "not_allowed"));
}

#[tokio::test]
async fn lists_have_what_is_visible_page_by_page() {
    let server = server();
    let root = server.set_up().await;
    let (_, ann) = server.user(&root, "ann").await;
    for number in 0..6 {
        let owner = if number % 2 == 0 { &ann } else { &root };
        server
            .post("/projects", owner, json!({"name": format!("p{number}")}))
            .await;
    }
    let pages = async |token: &str| {
        let (mut names, mut path) = (Vec::new(), "/projects?limit=2".to_owned());
        loop {
            let page = server.get(&path, token).await;
            let items = page.body["items"].as_array().unwrap().clone();
            names.extend(
                items
                    .iter()
                    .map(|project| project["name"].as_str().unwrap().to_owned()),
            );
            let Some(next) = page.body["next"].as_str() else {
                return names;
            };
            path = format!("/projects?limit=2&cursor={next}");
        }
    };
    assert_eq!(pages(&ann).await, ["p0", "p2", "p4"]);
    assert_eq!(pages(&root).await, ["p0", "p1", "p2", "p3", "p4", "p5"]);
}

#[tokio::test]
async fn the_server_itself_may_make_projects() {
    let server = server();
    let projects = Projects::new(server.storage.clone(), server.clock.clone());
    let new = CreateProject {
        name: "demo".into(),
        description: String::new(),
    };
    let made = projects.create(&Principal::system(), new).await.unwrap();
    assert_eq!(projects.get(made.id).unwrap(), Some(made.clone()));
    assert_eq!(
        projects.resolve(&Principal::system(), "demo").unwrap(),
        made
    );
}
