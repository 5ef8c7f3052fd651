//! Sessions, new passwords and changes of users through their front door.

use super::client_tests::{Answer, PASSWORD, TestServer};
use axum::http::Method;
use serde_json::{Value, json};
use std::time::Duration;
use testhide_protocol::UserId;
use utoipa_axum::router::OpenApiRouter;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

const NEW_PASSWORD: &str = "battery staple";

fn server() -> TestServer {
    TestServer::new(|_, _| OpenApiRouter::new())
}

async fn refresh(server: &TestServer, token: &str) -> Answer {
    server
        .post("/auth/refresh", "", json!({ "refresh_token": token }))
        .await
}

async fn me(server: &TestServer, token: &str) -> u16 {
    server.get("/auth/me", token).await.status
}

async fn sessions(server: &TestServer, token: &str) -> Vec<Value> {
    let listed = server.get("/auth/sessions", token).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    listed.body["items"].as_array().unwrap().clone()
}

async fn change(server: &TestServer, root: &str, user: UserId, change: Value) -> Answer {
    let path = format!("/users/{user}");
    server.call(Method::PATCH, &path, root, change).await
}

#[tokio::test]
async fn a_session_lives_as_long_as_it_is_refreshed() {
    let server = server();
    server.set_up().await;
    let mut answer = server.log_in("root", PASSWORD).await;
    for _ in 0..4 {
        server.clock.advance(DAY * 29);
        assert_eq!(me(&server, &answer.text("access_token")).await, 401);
        answer = refresh(&server, &answer.text("refresh_token")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(me(&server, &answer.text("access_token")).await, 200);
    }
    server.clock.advance(DAY * 30);
    let late = refresh(&server, &answer.text("refresh_token")).await;
    assert_eq!(late.refusal(), (401, "not_authenticated"));
    let again = server.log_in("root", PASSWORD).await.text("access_token");
    assert_eq!(
        sessions(&server, &again).await.len(),
        1,
        "ended ones are gone"
    );
}

#[tokio::test]
async fn a_refresh_token_that_comes_twice_ends_its_session_alone() {
    let server = server();
    server.set_up().await;
    let other = server.log_in("root", PASSWORD).await;
    let first = server.log_in("root", PASSWORD).await;
    let second = refresh(&server, &first.text("refresh_token")).await;
    let third = refresh(&server, &second.text("refresh_token")).await;
    assert_eq!(third.status, 200);
    assert_eq!(
        refresh(&server, &first.text("refresh_token"))
            .await
            .refusal(),
        (401, "not_authenticated")
    );
    for answer in [&first, &second, &third] {
        assert_eq!(me(&server, &answer.text("access_token")).await, 401);
        assert_eq!(
            refresh(&server, &answer.text("refresh_token")).await.status,
            401
        );
    }
    assert_eq!(me(&server, &other.text("access_token")).await, 200);
    assert_eq!(
        refresh(&server, &other.text("refresh_token")).await.status,
        200
    );
}

#[tokio::test]
async fn a_made_up_refresh_token_ends_nothing() {
    let server = server();
    server.set_up().await;
    let answer = server.log_in("root", PASSWORD).await;
    let token = answer.text("refresh_token");
    let mut forged = token.clone();
    forged.replace_range(token.len() - 10.., "aaaaaaaaaa");
    for wrong in [
        "",
        "th_ref_",
        "th_ref_aaaa",
        "th_pat_aaaa",
        &forged,
        &token[..token.len() - 1],
    ] {
        assert_eq!(
            refresh(&server, wrong).await.refusal(),
            (401, "not_authenticated"),
            "{wrong}"
        );
    }
    assert_eq!(refresh(&server, &token).await.status, 200);
}

#[tokio::test]
async fn two_refreshes_at_once_have_one_winner() {
    let server = server();
    server.set_up().await;
    let token = server.log_in("root", PASSWORD).await.text("refresh_token");
    let (one, two) = tokio::join!(refresh(&server, &token), refresh(&server, &token));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 401]);
}

#[tokio::test]
async fn what_is_logged_out_or_ended_is_worth_nothing() {
    let server = server();
    let root = server.set_up().await;
    let here = server.log_in("root", PASSWORD).await.text("access_token");
    let there = server.log_in("root", PASSWORD).await;
    let listed = sessions(&server, &here).await;
    let current: Vec<bool> = listed
        .iter()
        .map(|one| one["current"].as_bool().unwrap())
        .collect();
    assert_eq!(current, [false, true, false], "the latest first");

    let (_, stranger) = server.user(&root, "ann").await;
    let path = format!("/auth/sessions/{}", there.text("session"));
    let end = async |token: &str| {
        let answer = server.call(Method::DELETE, &path, token, Value::Null).await;
        answer.status
    };
    assert_eq!(end(&stranger).await, 404);
    assert_eq!(me(&server, &there.text("access_token")).await, 200);
    assert_eq!((end(&here).await, end(&here).await), (204, 404));
    assert_eq!(me(&server, &there.text("access_token")).await, 401);
    assert_eq!(
        refresh(&server, &there.text("refresh_token")).await.status,
        401
    );

    assert_eq!(
        server.post("/auth/logout", &here, Value::Null).await.status,
        204
    );
    assert_eq!(me(&server, &here).await, 401);
    let token = server
        .post("/tokens", &root, json!({"name": "ci"}))
        .await
        .text("secret");
    assert_eq!(
        server
            .post("/auth/logout", &token, Value::Null)
            .await
            .refusal(),
        (409, "no_session")
    );
}

#[tokio::test]
async fn a_user_has_a_hundred_sessions() {
    let server = server();
    server.set_up().await;
    let user = server
        .accounts
        .list_users(&super::Principal::system(), None, 1)
        .unwrap()[0]
        .id;
    let first = server.log_in("root", PASSWORD).await.text("access_token");
    for _ in 0..99 {
        server.clock.advance(Duration::from_millis(1));
        server
            .accounts
            .open_session(user, &super::Origin::default())
            .await
            .unwrap();
    }
    assert_eq!(
        sessions(&server, &first).await.len(),
        100,
        "the one of the set-up made room"
    );
    server.clock.advance(Duration::from_millis(1));
    server
        .accounts
        .open_session(user, &super::Origin::default())
        .await
        .unwrap();
    assert_eq!(me(&server, &first).await, 401);
}

#[tokio::test]
async fn a_new_password_ends_the_other_sessions() {
    let server = server();
    server.set_up().await;
    let here = server.log_in("root", PASSWORD).await;
    let there = server.log_in("root", PASSWORD).await.text("access_token");
    let ask = async |current: &str, new: &str| {
        let change = json!({"current_password": current, "new_password": new});
        let answer = server
            .post("/auth/password", &here.text("access_token"), change)
            .await;
        (
            answer.status,
            answer.body["code"].as_str().unwrap_or_default().to_owned(),
        )
    };
    assert_eq!(
        ask("wrong password", NEW_PASSWORD).await,
        (401, "wrong_password".to_owned())
    );
    assert_eq!(
        ask(PASSWORD, "short").await,
        (422, "invalid_password".to_owned())
    );
    assert_eq!(me(&server, &there).await, 200);
    assert_eq!(ask(PASSWORD, NEW_PASSWORD).await.0, 204);
    assert_eq!(me(&server, &there).await, 401);
    assert_eq!(me(&server, &here.text("access_token")).await, 200);
    assert_eq!(
        refresh(&server, &here.text("refresh_token")).await.status,
        200
    );
    assert_eq!(server.log_in("root", PASSWORD).await.status, 401);
    assert_eq!(server.log_in("root", NEW_PASSWORD).await.status, 200);
}

#[tokio::test]
async fn who_has_a_token_cannot_guess_the_password() {
    let server = server();
    let root = server.set_up().await;
    let guess = json!({"current_password": "wrong password", "new_password": NEW_PASSWORD});
    for _ in 0..5 {
        assert_eq!(
            server
                .post("/auth/password", &root, guess.clone())
                .await
                .status,
            401
        );
    }
    let sixth = server.post("/auth/password", &root, guess).await;
    assert_eq!(sixth.refusal(), (429, "too_many_tries"));
    assert!(sixth.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn a_reset_token_is_good_once_and_for_an_hour() {
    let server = server();
    let root = server.set_up().await;
    let (ann, before) = server.user(&root, "ann").await;
    let path = format!("/users/{ann}/reset-password");
    assert_eq!(server.post(&path, &before, Value::Null).await.status, 403);
    let make = async || {
        server
            .post(&path, &root, Value::Null)
            .await
            .text("reset_token")
    };
    let reset = async |token: &str, password: &str| {
        let reset = json!({"reset_token": token, "new_password": password});
        server.post("/auth/password/reset", "", reset).await.status
    };
    let (replaced, token) = (make().await, make().await);
    assert_eq!(reset(&replaced, NEW_PASSWORD).await, 403);
    assert_eq!(reset(&token, "short").await, 422);
    assert_eq!(me(&server, &before).await, 200, "nothing happened yet");
    assert_eq!(reset(&token, NEW_PASSWORD).await, 204);
    assert_eq!(reset(&token, NEW_PASSWORD).await, 403);
    assert_eq!(me(&server, &before).await, 401);
    assert_eq!(server.log_in("ann", NEW_PASSWORD).await.status, 200);

    let late = make().await;
    server.clock.advance(Duration::from_secs(3600));
    assert_eq!(reset(&late, PASSWORD).await, 403);
    let missing = format!("/users/{}/reset-password", UserId::generate());
    let root = server.log_in("root", PASSWORD).await.text("access_token");
    assert_eq!(
        server.post(&missing, &root, Value::Null).await.refusal(),
        (404, "user_not_found")
    );
}

#[tokio::test]
async fn a_disabled_user_is_nobody() {
    let server = server();
    let root = server.set_up().await;
    let (ann, session) = server.user(&root, "ann").await;
    let signed_in = server.log_in("ann", PASSWORD).await;
    let token = server
        .post("/tokens", &session, json!({"name": "ci"}))
        .await
        .text("secret");
    assert_eq!(
        change(&server, &session, ann, json!({"superuser": true}))
            .await
            .status,
        403
    );

    let answer = change(&server, &root, ann, json!({"disabled": true})).await;
    assert_eq!(
        (answer.status, &answer.body["disabled"]),
        (200, &json!(true))
    );
    for bearer in [&session, &token, &signed_in.text("access_token")] {
        assert_eq!(me(&server, bearer).await, 401);
    }
    assert_eq!(
        refresh(&server, &signed_in.text("refresh_token"))
            .await
            .status,
        401
    );
    assert_eq!(
        server.log_in("ann", PASSWORD).await.refusal(),
        (401, "wrong_password")
    );

    assert_eq!(
        change(&server, &root, ann, json!({"disabled": false}))
            .await
            .status,
        200
    );
    assert_eq!(
        (me(&server, &token).await, me(&server, &session).await),
        (200, 401)
    );
    assert_eq!(server.log_in("ann", PASSWORD).await.status, 200);
}

#[tokio::test]
async fn somebody_stays_in_charge() {
    let server = server();
    let root = server.set_up().await;
    let id: UserId = server
        .get("/auth/me", &root)
        .await
        .text("id")
        .parse()
        .unwrap();
    for last in [json!({"superuser": false}), json!({"disabled": true})] {
        let refused = change(&server, &root, id, last).await;
        assert_eq!(refused.refusal(), (409, "last_superuser"));
    }
    let (ann, token) = server.user(&root, "ann").await;
    let promoted = change(
        &server,
        &root,
        ann,
        json!({"superuser": true, "disabled": true}),
    )
    .await;
    assert_eq!(promoted.status, 200);
    assert_eq!(
        change(&server, &root, id, json!({"superuser": false}))
            .await
            .status,
        409
    );
    change(&server, &root, ann, json!({"disabled": false})).await;
    assert_eq!(
        change(&server, &root, id, json!({"superuser": false}))
            .await
            .status,
        200
    );
    assert_eq!(
        change(&server, &root, ann, json!({"superuser": false}))
            .await
            .status,
        403
    );
    assert_eq!(
        me(&server, &token).await,
        401,
        "it was disabled for a while"
    );
}
