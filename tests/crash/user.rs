//! Who uses the server: asks through the API, and asks again while the server is away.

use super::machine::Machine;
use super::settings::PATIENCE;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::watch;

/// How long one request may take; a download has as long as its bytes go on coming.
const REQUEST: Duration = Duration::from_secs(60);

/// How long before asking again after "not now", unless the server comes or goes meanwhile.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A line that no log has.
const NO_LINE: u64 = 1 << 50;

/// The first user, with a project.
#[derive(Clone)]
pub(crate) struct User {
    client: Client,
    server: watch::Receiver<Option<SocketAddr>>,
    token: String,
    project: String,
}

impl User {
    /// Makes the first user and a project.
    pub(crate) async fn set_up(machine: &mut Machine) -> Self {
        testhide_agent::install_crypto();
        let client = Client::builder().read_timeout(REQUEST).build();
        let mut user = Self {
            client: client.expect("a client"),
            server: machine.server(),
            token: String::new(),
            project: String::new(),
        };
        let setup_token = machine.setup_token().await;
        let password = "correct horse battery";
        let setup = json!({"setup_token": setup_token, "username": "root", "password": password});
        user.post("/setup", setup).await;
        let login = json!({"username": "root", "password": password});
        user.token = text(&user.post("/auth/login", login).await, "access_token");
        let token = user.post("/tokens", json!({"name": "crash"})).await;
        user.token = text(&token, "secret");
        user.project = text(
            &user.post("/projects", json!({"name": "crash"})).await,
            "id",
        );
        user
    }

    /// The project's id.
    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    /// A one-time token for an agent.
    pub(crate) async fn enrolment_token(&self) -> String {
        text(&self.post("/agents/enrolments", json!({})).await, "token")
    }

    /// Makes a job; answers its id.
    pub(crate) async fn make_job(&self, name: &str, definition: Value) -> String {
        let path = format!("/projects/{}/jobs", self.project);
        let job = json!({"name": name, "definition": definition});
        text(&self.post(&path, job).await, "id")
    }

    /// Triggers a build; answers its number. The same key until it is acknowledged: a request whose answer was lost must not make a
    /// second build.
    pub(crate) async fn trigger(&self, job: &str, key: &str, parameters: Value) -> u64 {
        let body = Body::Json(json!({"parameters": parameters}));
        let path = format!("/job/{job}/trigger");
        let build = self
            .insist("POST", &path, &[("idempotency-key", key)], body)
            .await;
        build["build_number"].as_u64().expect("a build number")
    }

    /// Gets, insisting.
    pub(crate) async fn get(&self, path: &str) -> Value {
        self.insist("GET", path, &[], Body::None).await
    }

    /// Posts once; anything but success fails the test.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        self.request("POST", path, &[], &Body::Json(body))
            .await
            .unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// A build as it is now.
    pub(crate) async fn build(&self, number: u64) -> Value {
        self.get(&format!("/builds/{number}")).await
    }

    /// Waits until line `line` of a build's present log is stored, or the attempt is over.
    pub(crate) async fn wait_for_line(&self, number: u64, line: u64) {
        let path = format!("/builds/{number}/log?from={line}&limit=1&wait_seconds=5");
        let waiting = async {
            loop {
                let page = self.get(&path).await;
                let lines = page["total_lines"].as_u64().expect("a number");
                if lines >= line || page["complete"] == true {
                    return;
                }
            }
        };
        let waited = tokio::time::timeout(PATIENCE, waiting).await;
        waited.unwrap_or_else(|_| panic!("line {line} of build {number} does not come"));
    }

    /// Waits until a build is over; answers it.
    pub(crate) async fn wait_for_end(&self, number: u64) -> Value {
        let is_over =
            |build: &Value| !matches!(build["status"].as_str(), Some("queued" | "running"));
        self.wait_for(number, is_over).await
    }

    /// Waits until a build is as wanted; answers it.
    pub(crate) async fn wait_for(&self, number: u64, wanted: impl Fn(&Value) -> bool) -> Value {
        let waiting = async {
            loop {
                let build = self.build(number).await;
                if wanted(&build) {
                    return build;
                }
                // A line that never comes: the answer is there when the attempt ends, or in a second.
                let path = format!("/builds/{number}/log?from={NO_LINE}&limit=1&wait_seconds=1");
                drop(self.request("GET", &path, &[], &Body::None).await);
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(build) => build,
            Err(_) => panic!(
                "build {number} does not get there: {}",
                self.build(number).await
            ),
        }
    }

    /// Reads the stored log of an attempt as bytes, as they come.
    ///
    /// # Errors
    /// What `take` says of the first bytes that it does not like.
    pub(crate) async fn raw_log(
        &self,
        number: u64,
        attempt: u32,
        mut take: impl FnMut(&[u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        let url = self.url(&format!("/builds/{number}/log/raw?attempt={attempt}"));
        let request = self.client.get(url.expect("the server is there"));
        let answer = request.bearer_auth(&self.token).send().await;
        let mut answer = answer.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "log of build {number}");
        while let Some(bytes) = answer.chunk().await.expect("its bytes") {
            take(&bytes)?;
        }
        Ok(())
    }

    /// Every event of one kind; checks that none is missing on the way.
    pub(crate) async fn events(&self, kinds: &[&str]) -> Vec<Value> {
        let mut seq = 0;
        let mut found = Vec::new();
        loop {
            let page = self.get(&format!("/events?after={seq}&limit=1000")).await;
            let events = page["items"].as_array().expect("a list");
            if events.is_empty() {
                return found;
            }
            for event in events {
                let next = event["seq"].as_u64();
                assert_eq!(next, Some(seq + 1), "the log of events has a gap");
                seq += 1;
                if event["kind"]
                    .as_str()
                    .is_some_and(|kind| kinds.contains(&kind))
                {
                    found.push(event.clone());
                }
            }
        }
    }

    /// Checks that no attempt was ever given up.
    pub(crate) async fn check_nothing_lost(&self) {
        let lost = self.events(&["attempt_lost"]).await;
        assert!(lost.is_empty(), "attempts were given up: {lost:?}");
    }

    /// Asks until there is an answer; a refusal that is not "try again" fails the test.
    pub(crate) async fn insist(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Value {
        let mut server = self.server.clone();
        let insisting = async {
            loop {
                let is_there = server.borrow_and_update().is_some();
                match self.request(method, path, headers, &body).await {
                    Ok(answer) => return answer,
                    Err(Failure::Away) if is_there => {
                        drop(tokio::time::timeout(ASK_AGAIN, server.changed()).await);
                    }
                    Err(Failure::Away) => {
                        let comes = server.wait_for(Option::is_some).await;
                        drop(comes.expect("the machine outlives its users"));
                    }
                    Err(error) => panic!("{method} {path}: {error}"),
                }
            }
        };
        let answer = tokio::time::timeout(PATIENCE, insisting).await;
        answer.unwrap_or_else(|_| panic!("{method} {path}: the server does not come back"))
    }

    /// Asks once.
    ///
    /// # Errors
    /// No answer, or a refusal.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Body,
    ) -> Result<Value, Failure> {
        let url = self.url(path).ok_or(Failure::Away)?;
        let method = method.parse().expect("a method");
        let mut request = self.client.request(method, url);
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request = match body {
            Body::None => request,
            Body::Json(value) => request.json(value),
            Body::Xml(text) => request
                .header("content-type", "application/xml")
                .body(text.clone()),
        };
        let answer = request.send().await.map_err(|_| Failure::Away)?;
        let status = answer.status();
        let bytes = answer.bytes().await.map_err(|_| Failure::Away)?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(Failure::Away);
        }
        if !status.is_success() {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            return Err(Failure::Refused(status, text));
        }
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    /// Whether the server says of itself that it can work; `false` when it says nothing.
    pub(crate) async fn is_ready(&self) -> bool {
        let Some(address) = *self.server.borrow() else {
            return false;
        };
        let answer = self
            .client
            .get(format!("http://{address}/readyz"))
            .send()
            .await;
        answer.is_ok_and(|answer| answer.status() == StatusCode::OK)
    }

    fn url(&self, path: &str) -> Option<String> {
        let address = (*self.server.borrow())?;
        Some(format!("http://{address}/api/v3{path}"))
    }
}

/// What a request carries.
pub(crate) enum Body {
    /// Nothing.
    None,
    /// JSON.
    Json(Value),
    /// A report.
    Xml(String),
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The server is not there, or says that it cannot now.
    #[error("the server is away")]
    Away,
    /// It says no.
    #[error("refused with {0}: {1}")]
    Refused(StatusCode, String),
}

/// A field that is text.
pub(crate) fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("`{field}` is missing in {value}"))
        .to_owned()
}
