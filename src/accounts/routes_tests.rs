//! Accounts through their front door.

use super::client_tests::{PASSWORD, TestServer};
use super::grant_creator;
use crate::storage::StorageError;
use axum::http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use testhide_protocol::api::Event;
use testhide_protocol::api::ProjectPermission::{Delete, Execute, Read, Write};
use testhide_protocol::{ProjectId, TokenId, UserId};
use utoipa_axum::router::OpenApiRouter;

fn server() -> TestServer {
    TestServer::new(|_, _| OpenApiRouter::new())
}

fn setup(token: &str, username: &str) -> Value {
    json!({"setup_token": token, "username": username, "password": PASSWORD})
}

async fn project_of(server: &TestServer, creator: UserId) -> ProjectId {
    let project = ProjectId::generate();
    let written = server
        .storage
        .write(move |wtxn| grant_creator(wtxn, creator, project));
    Result::<(), StorageError>::unwrap(written.await);
    project
}

#[tokio::test]
async fn the_setup_token_makes_one_superuser() {
    let server = server();
    let old = server.accounts.setup_token().await.unwrap().unwrap();
    let token = server.accounts.setup_token().await.unwrap().unwrap();
    assert!(token.starts_with("th_setup_"));
    assert_eq!(
        server
            .post("/setup", "", setup(&old, "root"))
            .await
            .refusal(),
        (403, "wrong_setup_token")
    );
    let short = json!({"setup_token": token, "username": "root", "password": "too short"});
    assert_eq!(
        server.post("/setup", "", short).await.refusal(),
        (422, "invalid_password")
    );

    let made = server.post("/setup", "", setup(&token, "root")).await;
    assert_eq!((made.status, &made.body["superuser"]), (201, &json!(true)));
    assert_eq!(
        server
            .post("/setup", "", setup(&token, "again"))
            .await
            .refusal(),
        (409, "already_set_up")
    );
    assert_eq!(server.accounts.setup_token().await.unwrap(), None);
    assert_eq!(
        server.events(),
        [Event::UserCreated {
            user: made.text("id").parse().unwrap()
        }]
    );
}

#[tokio::test]
async fn a_race_for_the_setup_token_has_one_winner() {
    let server = server();
    let token = server.accounts.setup_token().await.unwrap().unwrap();
    let (one, two) = tokio::join!(
        server.post("/setup", "", setup(&token, "one")),
        server.post("/setup", "", setup(&token, "two"))
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    assert_eq!(server.events().len(), 1);
}

#[tokio::test]
async fn a_log_in_lasts_for_fifteen_minutes() {
    let server = server();
    server.set_up().await;
    let answer = server.log_in("ROOT", PASSWORD).await;
    assert_eq!(
        (answer.status, &answer.body["expires_in"]),
        (200, &json!(900))
    );
    let token = answer.text("access_token");
    let me = server.get("/auth/me", &token).await;
    assert_eq!(
        (me.status, me.body["username"].as_str()),
        (200, Some("root"))
    );
    server.clock.advance(Duration::from_secs(899));
    assert_eq!(server.get("/auth/me", &token).await.status, 200);
    server.clock.advance(Duration::from_secs(1));
    let late = server.get("/auth/me", &token).await;
    assert_eq!(late.refusal(), (401, "not_authenticated"));
    assert_eq!(late.headers["www-authenticate"], "Bearer");
    assert_eq!(late.headers["content-type"], "application/problem+json");
}

#[tokio::test]
async fn without_a_token_everything_else_is_401() {
    let server = server();
    server.set_up().await;
    let id = TokenId::generate();
    let check = async |method: Method, path: &str| {
        for token in ["", "nonsense", "th_pat_aaaa"] {
            let answer = server.call(method.clone(), path, token, Value::Null).await;
            assert_eq!(
                answer.refusal(),
                (401, "not_authenticated"),
                "{method} {path} {token:?}"
            );
        }
    };
    check(Method::GET, "/auth/me").await;
    check(Method::GET, "/users").await;
    check(Method::POST, "/users").await;
    check(Method::GET, "/tokens").await;
    check(Method::POST, "/tokens").await;
    check(Method::DELETE, &format!("/tokens/{id}")).await;
    check(Method::PUT, "/permissions").await;
}

#[tokio::test]
async fn a_wrong_password_and_a_wrong_name_answer_the_same() {
    let server = server();
    server.set_up().await;
    let long = "x".repeat(100_000);
    let wrong = server.log_in("root", "wrong password").await;
    assert_eq!(wrong.refusal(), (401, "wrong_password"));
    for (name, password) in [
        ("nobody", PASSWORD),
        ("", PASSWORD),
        (&long, PASSWORD),
        ("root", &long),
        ("root", ""),
    ] {
        let other = server.log_in(name, password).await;
        assert_eq!(
            (other.status, &other.headers, &other.body),
            (wrong.status, &wrong.headers, &wrong.body)
        );
    }
}

#[tokio::test]
async fn guessing_is_slowed_down_for_names_that_exist_and_that_do_not() {
    let server = server();
    server.set_up().await;
    for name in ["root", "nobody"] {
        for _ in 0..5 {
            assert_eq!(server.log_in(name, "wrong password").await.status, 401);
        }
        let blocked = server.log_in(name, PASSWORD).await;
        assert_eq!(blocked.refusal(), (429, "too_many_tries"));
        assert_eq!(blocked.headers["retry-after"], "1");
    }
    server.clock.advance(Duration::from_secs(1));
    assert_eq!(server.log_in("root", PASSWORD).await.status, 200);
    assert_eq!(
        server.log_in("root", "wrong password").await.status,
        401,
        "forgiven"
    );
}

#[tokio::test]
async fn users_are_made_by_superusers() {
    let server = server();
    let root = server.set_up().await;
    let (ann, token) = server.user(&root, "Ann").await;
    let new = |name: &str| json!({"username": name, "password": PASSWORD});
    assert_eq!(
        server.post("/users", &token, new("bob")).await.refusal(),
        (403, "not_allowed")
    );
    assert_eq!(
        server.post("/users", &root, new("aNN")).await.refusal(),
        (409, "username_taken")
    );
    assert_eq!(
        server.post("/users", &root, new("a b")).await.refusal(),
        (422, "invalid_username")
    );
    let unknown = json!({"username": "bob", "password": PASSWORD, "role": "x"});
    assert_eq!(
        server.post("/users", &root, unknown).await.refusal(),
        (422, "invalid_field")
    );

    let first = server.get("/users?limit=1", &token).await;
    assert_eq!(first.body["items"][0]["username"], "root");
    let next = server
        .get(
            &format!("/users?limit=1&cursor={}", first.text("next")),
            &token,
        )
        .await;
    assert_eq!(next.body["items"][0]["id"], ann.to_string());
    assert_eq!(next.body["next"], Value::Null);
    assert!(!next.body.to_string().contains("argon2"));
    assert_eq!(
        server.get("/users?limit=0", &token).await.refusal(),
        (422, "invalid_limit")
    );
    assert_eq!(
        server.get("/users?cursor=x", &token).await.refusal(),
        (422, "invalid_cursor")
    );
}

#[tokio::test]
async fn api_tokens_are_shown_once_end_and_can_be_revoked() {
    let server = server();
    let root = server.set_up().await;
    let (_, ann) = server.user(&root, "ann").await;
    let forever = server.post("/tokens", &ann, json!({"name": "ci"})).await;
    assert_eq!(
        (forever.status, &forever.body["token"]["expires_at"]),
        (201, &Value::Null)
    );
    let forever_secret = forever.text("secret");
    assert!(forever_secret.starts_with("th_pat_"));
    let short = server
        .post(
            "/tokens",
            &forever_secret,
            json!({"name": "day", "expires_in_days": 1}),
        )
        .await;
    let short_secret = short.text("secret");
    assert_eq!(
        server
            .post("/tokens", &ann, json!({"name": ""}))
            .await
            .refusal(),
        (422, "invalid_token_name")
    );

    let child = server
        .post(
            "/tokens",
            &short_secret,
            json!({"name": "child", "expires_in_days": 9}),
        )
        .await;
    assert_eq!(
        child.body["token"]["expires_at"], short.body["token"]["expires_at"],
        "not longer than its parent"
    );

    let list = server.get("/tokens", &short_secret).await;
    let names: Vec<_> = list.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|token| token["name"].clone())
        .collect();
    assert_eq!(names, ["ci", "day", "child"]);
    assert!(!list.body.to_string().contains("th_pat_"));
    assert_eq!(
        server.get("/tokens", &root).await.body["items"],
        json!([]),
        "each sees their own"
    );

    server.clock.advance(Duration::from_secs(24 * 60 * 60));
    assert_eq!(
        server.get("/auth/me", &short_secret).await.refusal(),
        (401, "not_authenticated")
    );
    assert_eq!(
        server.get("/auth/me", &forever_secret).await.body["username"],
        "ann"
    );

    let path = format!("/tokens/{}", forever.body["token"]["id"].as_str().unwrap());
    let root = server.log_in("root", PASSWORD).await.text("access_token");
    let foreign = server.call(Method::DELETE, &path, &root, Value::Null).await;
    assert_eq!(foreign.refusal(), (404, "token_not_found"));
    assert_eq!(
        server
            .call(Method::DELETE, &path, &forever_secret, Value::Null)
            .await
            .status,
        204
    );
    assert_eq!(
        server.get("/auth/me", &forever_secret).await.refusal(),
        (401, "not_authenticated")
    );
}

#[tokio::test]
async fn permissions_are_granted_by_those_who_have_them_all() {
    let server = server();
    let root = server.set_up().await;
    let (ann, ann_token) = server.user(&root, "ann").await;
    let (bob, bob_token) = server.user(&root, "bob").await;
    let project = project_of(&server, ann).await;
    let set = async |token: &str, user: UserId, project: ProjectId, permissions: Value| {
        let grant = json!({"user": user, "project": project, "permissions": permissions});
        server.call(Method::PUT, "/permissions", token, grant).await
    };

    assert_eq!(
        set(&bob_token, bob, project, json!(["READ"]))
            .await
            .refusal(),
        (404, "not_found")
    );
    let granted = set(&ann_token, bob, project, json!(["EXECUTE", "READ", "READ"])).await;
    assert_eq!(
        (granted.status, &granted.body["permissions"]),
        (200, &json!(["READ", "EXECUTE"]))
    );
    assert_eq!(
        set(&bob_token, bob, project, json!(["WRITE"]))
            .await
            .refusal(),
        (403, "not_allowed")
    );

    let nowhere = ProjectId::generate();
    assert_eq!(
        set(&ann_token, bob, nowhere, json!(["READ"]))
            .await
            .refusal(),
        (404, "not_found")
    );
    assert_eq!(
        set(&root, bob, nowhere, json!(["READ"])).await.refusal(),
        (404, "not_found")
    );
    assert_eq!(
        set(&root, UserId::generate(), project, json!([]))
            .await
            .refusal(),
        (404, "user_not_found")
    );

    assert_eq!(
        set(&root, bob, project, json!([])).await.body["permissions"],
        json!([])
    );
    assert_eq!(
        set(&bob_token, bob, project, json!([])).await.refusal(),
        (404, "not_found"),
        "seen at once"
    );
}

#[tokio::test]
async fn every_route_is_documented_with_its_refusals() {
    let TestServer { accounts, .. } = server();
    let api = super::routes(accounts).into_openapi();
    let api: Value = serde_json::to_value(api).unwrap();
    let mut operations = Vec::new();
    for (path, item) in api["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let responses = operation["responses"].as_object().unwrap();
            assert!(
                responses.keys().any(|status| status.starts_with('4')),
                "{method} {path}"
            );
            assert!(operation["security"].is_array(), "{method} {path}");
            operations.push(format!("{method} {path}"));
        }
    }
    operations.sort();
    assert_eq!(
        operations,
        [
            "delete /auth/sessions/{id}",
            "delete /tokens/{id}",
            "get /auth/me",
            "get /auth/sessions",
            "get /tokens",
            "get /users",
            "patch /users/{id}",
            "post /auth/login",
            "post /auth/logout",
            "post /auth/password",
            "post /auth/password/reset",
            "post /auth/refresh",
            "post /setup",
            "post /tokens",
            "post /users",
            "post /users/{id}/reset-password",
            "put /permissions"
        ]
    );
}

#[tokio::test]
async fn a_limited_token_is_no_key_to_the_account() {
    let server = server();
    let root = server.set_up().await;
    let me = server
        .get("/auth/me", &root)
        .await
        .text("id")
        .parse()
        .unwrap();
    let (one, other) = (project_of(&server, me).await, project_of(&server, me).await);
    let make = async |body: Value| server.post("/tokens", &root, body).await;
    let none = make(json!({"name": "ci", "permissions": []})).await;
    assert_eq!(none.refusal(), (422, "invalid_token_permissions"));
    let unknown = make(json!({"name": "ci", "project": ProjectId::generate()})).await;
    assert_eq!(unknown.status, 404);
    let made = make(json!({"name": "ci", "project": one, "permissions": ["EXECUTE"]})).await;
    assert_eq!(
        made.body["token"]["permissions"],
        json!(["READ", "EXECUTE"])
    );
    let token = made.text("secret");

    let limited = server.accounts.authenticate(&token).unwrap();
    let may = |project| [Read, Write, Execute, Delete].map(|op| limited.may(op, project));
    assert_eq!(may(one), [true, false, true, false]);
    assert_eq!(may(other), [false; 4]);
    assert_eq!(
        limited.visible_projects(),
        super::Visible::Only([one].into())
    );
    assert!(!limited.is_superuser());

    let refused = async |method: Method, path: &str, body: Value| {
        let answer = server.call(method.clone(), path, &token, body).await;
        assert_eq!(answer.status, 403, "{method} {path} {answer:?}");
    };
    refused(Method::GET, "/tokens", Value::Null).await;
    refused(Method::POST, "/tokens", json!({"name": "more"})).await;
    refused(
        Method::DELETE,
        &format!("/tokens/{}", TokenId::generate()),
        Value::Null,
    )
    .await;
    refused(Method::GET, "/auth/sessions", Value::Null).await;
    let change = json!({"current_password": PASSWORD, "new_password": "battery staple"});
    refused(Method::POST, "/auth/password", change).await;
    let user = json!({"username": "ann", "password": PASSWORD});
    refused(Method::POST, "/users", user).await;
    let grant = json!({"user": me, "project": one, "permissions": []});
    refused(Method::PUT, "/permissions", grant).await;
}

#[tokio::test]
async fn it_is_known_when_a_token_was_used() {
    let server = server();
    let root = server.set_up().await;
    let token = server
        .post("/tokens", &root, json!({"name": "ci"}))
        .await
        .text("secret");
    let used = async || server.get("/tokens", &root).await.body["items"][0]["last_used_at"].clone();
    assert_eq!(used().await, Value::Null);
    server.clock.advance(Duration::from_secs(60));
    let at = json!(server.clock.now());
    assert_eq!(server.get("/auth/me", &token).await.status, 200);
    assert_eq!(used().await, at);
    server.accounts.store_uses().await.unwrap();
    assert_eq!(used().await, at, "stored");
}
