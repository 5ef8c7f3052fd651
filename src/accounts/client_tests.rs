//! A server of a few slices in memory, and a client for it, for the tests of routes.

use super::{Accounts, identify, routes};
use crate::events::EventLog;
use crate::kit::Clock;
use crate::storage::{OpenOptions, Storage};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, header};
use serde_json::{Value, json};
use testhide_protocol::api::Event;
use testhide_protocol::{Timestamp, UserId};
use tower::ServiceExt;
use utoipa_axum::router::OpenApiRouter;

/// The password of everybody.
pub(crate) const PASSWORD: &str = "correct horse";

/// Accounts, other slices, and a clock that stands still.
pub(crate) struct TestServer {
    router: Router,
    pub accounts: Accounts,
    pub storage: Storage,
    pub clock: Clock,
    _dir: tempfile::TempDir,
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    /// Status and code of a refusal.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// A text of the body.
    pub(crate) fn text(&self, field: &str) -> String {
        self.body[field]
            .as_str()
            .unwrap_or_else(|| panic!("no text `{field}` in {self:?}"))
            .to_owned()
    }
}

impl TestServer {
    /// A server on an empty store with the accounts' routes and these.
    pub(crate) fn new(others: impl FnOnce(&Storage, &Clock) -> OpenApiRouter) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (storage, _, _) = OpenOptions::new(dir.path().join("data")).open().unwrap();
        let clock = Clock::manual(Timestamp(1_700_000_000_000));
        let accounts = Accounts::open(
            storage.clone(),
            clock.clone(),
            &dir.path().join("keys"),
            None,
        )
        .unwrap();
        let (router, _) = routes(accounts.clone())
            .merge(others(&storage, &clock))
            .split_for_parts();
        let router = router.layer(axum::middleware::from_fn_with_state(
            accounts.clone(),
            identify,
        ));
        Self {
            router,
            accounts,
            storage,
            clock,
            _dir: dir,
        }
    }

    /// Sends a request; `token` and `body` may be empty.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Value,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        };
        let answer = self
            .router
            .clone()
            .oneshot(request.body(body).unwrap())
            .await
            .unwrap();
        let (parts, body) = answer.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let body = if body.is_empty() {
            Value::Null
        } else {
            serde_json::from_slice(&body).unwrap()
        };
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body,
        }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(Method::GET, path, token, Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call(Method::POST, path, token, body).await
    }

    pub(crate) async fn log_in(&self, username: &str, password: &str) -> Answer {
        self.post(
            "/auth/login",
            "",
            json!({"username": username, "password": password}),
        )
        .await
    }

    /// An access token of the first superuser, `root`, made by the way.
    pub(crate) async fn set_up(&self) -> String {
        let token = self.accounts.setup_token().await.unwrap().unwrap();
        let setup = json!({"setup_token": token, "username": "root", "password": PASSWORD});
        assert_eq!(self.post("/setup", "", setup).await.status, 201);
        self.log_in("root", PASSWORD).await.text("access_token")
    }

    /// A new plain user with an access token.
    pub(crate) async fn user(&self, root: &str, username: &str) -> (UserId, String) {
        let made = self
            .post(
                "/users",
                root,
                json!({"username": username, "password": PASSWORD}),
            )
            .await;
        assert_eq!(made.status, 201, "{made:?}");
        (
            made.text("id").parse().unwrap(),
            self.log_in(username, PASSWORD).await.text("access_token"),
        )
    }

    /// Everything that happened so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        let log = EventLog::new(self.storage.clone());
        log.after(0, usize::MAX)
            .unwrap()
            .into_iter()
            .map(|record| record.event)
            .collect()
    }
}
