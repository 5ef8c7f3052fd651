//! Who uses the server: makes jobs, triggers builds, follows logs, uploads reports.

use super::speaker::Speaker;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use testhide_agent::AgentKey;

/// How long one build may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// A user with a token, and a project of its own.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    address: String,
    token: String,
    project: String,
}

impl Client {
    /// Makes the first user, a token and a project.
    pub(super) async fn set_up(address: &str, setup_token: &str) -> Self {
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            .build()
            .expect("a client");
        let mut client = Self {
            http,
            address: address.to_owned(),
            token: String::new(),
            project: String::new(),
        };
        let password = "correct horse battery";
        let setup = json!({"setup_token": setup_token, "username": "root", "password": password});
        client.post("/setup", setup).await;
        let login = json!({"username": "root", "password": password});
        client.token = text(&client.post("/auth/login", login).await, "access_token");
        client.token = text(
            &client.post("/tokens", json!({"name": "bench"})).await,
            "secret",
        );
        client.project = text(
            &client.post("/projects", json!({"name": "bench"})).await,
            "id",
        );
        client
    }

    /// A one-time token for an agent.
    pub(super) async fn enrolment_token(&self) -> String {
        let request = self.request(reqwest::Method::POST, "/agents/enrolments");
        text(&answer(request).await, "token")
    }

    /// Makes a job of one step; gives its id.
    pub(crate) async fn job(&self, name: &str, script: &str) -> String {
        let job = json!({"name": name, "definition": {"steps": [{"type": "bash", "run": script}]}});
        let path = format!("/projects/{}/jobs", self.project);
        text(&self.post(&path, job).await, "id")
    }

    /// Makes a job that only agents with this label run; gives its id.
    pub(crate) async fn job_for(&self, label: &str, name: &str) -> String {
        let steps = json!([{"type": "bash", "run": "true"}]);
        let job = json!({"name": name, "definition": {"labels": [label], "steps": steps}});
        let path = format!("/projects/{}/jobs", self.project);
        text(&self.post(&path, job).await, "id")
    }

    /// Enrols an agent that only speaks.
    pub(crate) async fn speaker(&self, dir: &Path, name: &str, labels: &[&str]) -> Speaker {
        let key = AgentKey::load_or_create(&dir.join(format!("{name}.key"))).expect("a key");
        let token = self.enrolment_token().await;
        let enroll = json!({"token": token, "name": name, "public_key": key.public_hex()});
        let enrolled = self.post("/agents/enroll", enroll).await;
        Speaker {
            id: text(&enrolled, "agent_id").parse().expect("an id"),
            key,
            url: format!("{}/ws/agent", self.address.replace("http", "ws")),
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
        }
    }

    /// What a program of its own needs to ask: the server's `host:port` and a token.
    pub(crate) fn door(&self) -> (String, String) {
        let address = self.address.trim_start_matches("http://").to_owned();
        (address, self.token.clone())
    }

    /// Queues a build; gives its number once it is durable.
    pub(crate) async fn trigger(&self, job: &str) -> u64 {
        let build = self.post(&format!("/job/{job}/trigger"), json!({})).await;
        build["build_number"]
            .as_u64()
            .expect("a build has a number")
    }

    /// A build as it is now.
    pub(crate) async fn build(&self, number: u64) -> Value {
        self.get(&format!("/builds/{number}")).await
    }

    /// Waits until a build is over and asserts that it passed.
    pub(crate) async fn passed(&self, number: u64) {
        let waiting = async {
            loop {
                // A long poll for a line that never comes ends with the attempt.
                self.log(number, u64::from(u32::MAX), 1, 20).await;
                let build = self.build(number).await;
                match build["status"].as_str() {
                    Some("queued" | "running") => {}
                    Some("passed") => return,
                    _ => panic!("build {number} did not pass: {build}"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("build {number} does not end"));
    }

    /// A page of a build's log.
    pub(crate) async fn log(&self, number: u64, from: u64, limit: u32, wait_seconds: u32) -> Value {
        self.get(&format!(
            "/builds/{number}/log?from={from}&limit={limit}&wait_seconds={wait_seconds}"
        ))
        .await
    }

    /// Returns once no event came for `seconds`.
    pub(crate) async fn wait_for_quiet(&self, seconds: u32) {
        let mut after = 0;
        loop {
            let path = format!("/events?after={after}&limit=1000&wait_seconds={seconds}");
            let page = self.get(&path).await;
            let Some(last) = page["items"].as_array().and_then(|items| items.last()) else {
                return;
            };
            after = last["seq"].as_u64().expect("an event has a place");
        }
    }

    /// Uploads a JUnit file; gives the stored report.
    pub(crate) async fn upload(&self, name: &str, xml: String) -> Value {
        let path = format!("/projects/{}/reports?name={name}", self.project);
        let request = self.request(reqwest::Method::POST, &path);
        answer(request.header("content-type", "application/xml").body(xml)).await
    }

    /// The project's id.
    pub(crate) fn project(&self) -> &str {
        &self.project
    }

    /// What a path below `/api/v3` answers.
    pub(crate) async fn get(&self, path: &str) -> Value {
        answer(self.request(reqwest::Method::GET, path)).await
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        answer(self.request(reqwest::Method::POST, path).json(&body)).await
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}/api/v3{path}", self.address));
        if self.token.is_empty() {
            return request;
        }
        request.bearer_auth(&self.token)
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Value {
    let answer = request.send().await.expect("the server answers");
    let status = answer.status();
    let bytes = answer.bytes().await.expect("the answer is whole");
    assert!(
        status.is_success(),
        "{status}: {}",
        String::from_utf8_lossy(&bytes)
    );
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("`{field}` is missing in {value}"))
        .to_owned()
}
