//! Who uses the server: triggers builds, uploads reports, remembers what was acknowledged, and looks for it afterwards.

use super::machine::Machine;
use parking_lot::Mutex;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Lines that each build prints.
const LINES: u64 = 400;

/// Builds that may wait at once, so that the end of the test does not wait for ever.
const MOST_OPEN: usize = 8;

/// How long everything may take to end once the server stays up.
const PATIENCE: Duration = Duration::from_secs(300);

/// What was acknowledged.
#[derive(Default)]
struct Acknowledged {
    /// Build numbers with the nonce that each was triggered with.
    builds: BTreeMap<u64, String>,
    /// Names of uploaded reports with the number of their tests.
    reports: BTreeMap<String, u64>,
}

/// The user.
#[derive(Clone)]
pub(crate) struct Driver {
    client: Client,
    address: String,
    token: String,
    project: String,
    job: String,
    witness: PathBuf,
    acknowledged: Arc<Mutex<Acknowledged>>,
    count: Arc<watch::Sender<u64>>,
    stop: CancellationToken,
}

impl Driver {
    /// Makes the first user, a project and a job.
    pub(crate) async fn set_up(machine: &mut Machine) -> Self {
        testhide_agent::install_crypto();
        let client = Client::builder()
            .timeout(Duration::from_secs(30))
            .build()
            .expect("a client");
        let address = machine.address();
        let witness = machine.path("witness");
        let mut driver = Self {
            client,
            address,
            token: String::new(),
            project: String::new(),
            job: String::new(),
            witness,
            acknowledged: Arc::default(),
            count: Arc::new(watch::channel(0).0),
            stop: CancellationToken::new(),
        };
        let setup_token = machine.setup_token();
        let password = "correct horse battery";
        let setup = json!({"setup_token": setup_token, "username": "root", "password": password});
        driver.must("POST", "/setup", Some(setup)).await;
        std::fs::write(machine.path("user-made"), "").expect("a mark");
        let login = driver
            .must(
                "POST",
                "/auth/login",
                Some(json!({"username": "root", "password": password})),
            )
            .await;
        driver.token = text(&login, "access_token");
        let token = driver
            .must("POST", "/tokens", Some(json!({"name": "crash"})))
            .await;
        driver.token = text(&token, "secret");
        driver.project = text(
            &driver
                .must("POST", "/projects", Some(json!({"name": "crash"})))
                .await,
            "id",
        );
        // The script says its nonce in every line and once in a file outside: proof that it ran, and ran once.
        let script = format!(
            "printf '%s\\n' \"$NONCE\" >> '{}'\nfor line in $(seq {LINES}); do echo \"$NONCE line $line\"; done\n",
            driver.witness.display()
        );
        let job = json!({"name": "lines", "definition": {
            "parameters": {"NONCE": ""},
            "steps": [{"type": "bash", "run": script}],
        }});
        let path = format!("/projects/{}/jobs", driver.project);
        driver.job = text(&driver.must("POST", &path, Some(job)).await, "id");
        driver
    }

    /// A one-time token for an agent.
    pub(crate) async fn enrolment_token(&self) -> String {
        text(
            &self.must("POST", "/agents/enrolments", None).await,
            "token",
        )
    }

    /// Starts to trigger builds and upload reports.
    pub(crate) fn work(&self) -> JoinSet<()> {
        let (builds, reports) = (self.clone(), self.clone());
        let mut working = JoinSet::new();
        working.spawn(async move { builds.trigger_builds().await });
        working.spawn(async move { reports.upload_reports().await });
        working
    }

    /// Waits until `more` further requests were acknowledged.
    pub(crate) async fn wait_for_acknowledgements(&self, more: u64) {
        let mut count = self.count.subscribe();
        let target = *count.borrow_and_update() + more;
        let reached =
            tokio::time::timeout(PATIENCE, count.wait_for(|count| *count >= target)).await;
        reached
            .expect("the server answers")
            .expect("the driver lives");
    }

    /// Ends the work and waits for it.
    pub(crate) async fn stop(&self, mut working: JoinSet<()>) {
        self.stop.cancel();
        while let Some(task) = working.join_next().await {
            task.expect("the work does not panic");
        }
    }

    async fn trigger_builds(&self) {
        let mut number = 0;
        while !self.stop.is_cancelled() {
            number += 1;
            let nonce = format!("nonce-{number}");
            let body = json!({"parameters": {"NONCE": nonce}});
            let path = format!("/job/{}/trigger", self.job);
            // The same key until it is acknowledged: a request whose answer was lost must not make a second build.
            let build = self
                .insist(
                    "POST",
                    &path,
                    &[("idempotency-key", &nonce)],
                    Body::Json(body),
                )
                .await;
            let build_number = build["build_number"].as_u64().expect("a build number");
            let earlier = self.acknowledged.lock().builds.insert(build_number, nonce);
            assert_eq!(earlier, None, "build number {build_number} was given twice");
            self.count.send_modify(|count| *count += 1);
            self.wait_while_busy(build_number).await;
        }
    }

    /// Holds back while too many builds wait.
    async fn wait_while_busy(&self, newest: u64) {
        let Some(old) = newest.checked_sub(MOST_OPEN as u64).filter(|old| *old > 0) else {
            return;
        };
        self.wait_for_end(old).await;
    }

    async fn upload_reports(&self) {
        let mut number = 0;
        while !self.stop.is_cancelled() {
            number += 1;
            let tests = 1 + number % 40;
            let name = format!("report-{number}.xml");
            let mut xml = String::from("<testsuite name=\"crash\">");
            for test in 0..tests {
                let failure = if test % 7 == 3 {
                    "<failure message=\"no\"/>"
                } else {
                    ""
                };
                xml.push_str(&format!(
                    "<testcase classname=\"c{number}\" name=\"t{test}\">{failure}</testcase>"
                ));
            }
            xml.push_str("</testsuite>");
            let path = format!("/projects/{}/reports?name={name}", self.project);
            let report = self
                .insist("POST", &path, &[("idempotency-key", &name)], Body::Xml(xml))
                .await;
            assert_eq!(report["counts"]["total"], tests, "{report}");
            self.acknowledged.lock().reports.insert(name, tests);
            self.count.send_modify(|count| *count += 1);
        }
    }

    /// Waits until a build is over.
    async fn wait_for_end(&self, number: u64) -> Value {
        let waiting = async {
            loop {
                let build = self
                    .insist("GET", &format!("/builds/{number}"), &[], Body::None)
                    .await;
                if !matches!(build["status"].as_str(), Some("queued" | "running")) {
                    return build;
                }
                // A long poll for a line that never comes ends with the attempt.
                let path = format!("/builds/{number}/log?from=1000000&limit=1&wait_seconds=5");
                drop(self.request("GET", &path, &[], &Body::None).await);
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .unwrap_or_else(|_| panic!("build {number} does not end"))
    }

    /// Looks for everything that was acknowledged.
    pub(crate) async fn check(&self) {
        let (builds, reports) = {
            let acknowledged = self.acknowledged.lock();
            (acknowledged.builds.clone(), acknowledged.reports.clone())
        };
        assert!(!builds.is_empty() && !reports.is_empty());
        self.check_builds(&builds).await;
        self.check_reports(&reports).await;
        self.check_events(&builds, reports.len()).await;
    }

    async fn check_builds(&self, builds: &BTreeMap<u64, String>) {
        for (number, nonce) in builds {
            let build = self.wait_for_end(*number).await;
            assert_eq!(
                (&build["status"], &build["attempt"]),
                (&json!("passed"), &json!(1)),
                "{build}"
            );
            let log = self.bytes(&format!("/builds/{number}/log/raw")).await;
            let expected: String = (1..=LINES)
                .map(|line| format!("{nonce} line {line}\n"))
                .collect();
            assert!(
                log == expected.as_bytes(),
                "log of build {number} has {} of {} bytes",
                log.len(),
                expected.len()
            );
        }
        let last = self.insist("GET", "/builds?limit=1", &[], Body::None).await;
        assert_eq!(
            last["items"][0]["build_number"],
            json!(builds.len()),
            "there are builds nobody was told of"
        );
        let witness = std::fs::read_to_string(&self.witness).expect("the witness");
        let mut ran: Vec<&str> = witness.lines().collect();
        ran.sort_unstable();
        let mut expected: Vec<&str> = builds.values().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(ran, expected, "every build ran, and ran once");
    }

    async fn check_reports(&self, reports: &BTreeMap<String, u64>) {
        let mut stored = Vec::new();
        let mut cursor = String::new();
        loop {
            let path = format!("/projects/{}/reports?limit=500{cursor}", self.project);
            let page = self.insist("GET", &path, &[], Body::None).await;
            for report in page["items"].as_array().expect("a list") {
                let results = self.count_results(&text(report, "id")).await;
                stored.push((
                    text(report, "name"),
                    report["counts"]["total"].as_u64().expect("a count"),
                    results,
                ));
            }
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        stored.sort();
        let mut expected: Vec<_> = reports
            .iter()
            .map(|(name, tests)| (name.clone(), *tests, *tests))
            .collect();
        expected.sort();
        assert_eq!(
            stored, expected,
            "every acknowledged report and result is there once"
        );
    }

    async fn count_results(&self, report: &str) -> u64 {
        let page = self
            .insist(
                "GET",
                &format!("/reports/{report}/results?limit=1000"),
                &[],
                Body::None,
            )
            .await;
        page["items"].as_array().expect("a list").len() as u64
    }

    async fn check_events(&self, builds: &BTreeMap<u64, String>, reports: usize) {
        let mut seq = 0;
        let mut finished = BTreeSet::new();
        let mut stored = BTreeSet::new();
        let mut log_ends: BTreeMap<String, u64> = BTreeMap::new();
        loop {
            let page = self
                .insist(
                    "GET",
                    &format!("/events?after={seq}&limit=1000"),
                    &[],
                    Body::None,
                )
                .await;
            let events = page["items"].as_array().expect("a list").clone();
            if events.is_empty() {
                break;
            }
            for event in events {
                assert_eq!(
                    event["seq"].as_u64(),
                    Some(seq + 1),
                    "the log of events has a gap"
                );
                seq += 1;
                match event["kind"].as_str() {
                    Some("build_finished") => {
                        let number = event["number"].as_u64().expect("a number");
                        assert!(finished.insert(number), "build {number} finished twice");
                    }
                    Some("report_stored") => {
                        assert!(
                            stored.insert(text(&event, "report")),
                            "a report was stored twice"
                        );
                    }
                    Some("log_appended") => {
                        let end = log_ends.entry(text(&event, "build")).or_default();
                        assert_eq!(
                            event["from"].as_u64(),
                            Some(*end),
                            "a log has a gap or an overlap"
                        );
                        *end = event["to"].as_u64().expect("an end");
                    }
                    _ => {}
                }
            }
        }
        assert_eq!(
            finished.into_iter().collect::<Vec<_>>(),
            builds.keys().copied().collect::<Vec<_>>()
        );
        assert_eq!(stored.len(), reports);
    }

    async fn bytes(&self, path: &str) -> Vec<u8> {
        let url = format!("{}/api/v3{path}", self.address);
        let answer = self
            .client
            .get(url)
            .bearer_auth(&self.token)
            .send()
            .await
            .expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.bytes().await.expect("its bytes").to_vec()
    }

    async fn must(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let body = body.map_or(Body::None, Body::Json);
        self.request(method, path, &[], &body)
            .await
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"))
    }

    /// Asks until there is an answer; a refusal that is not "try again" fails the test.
    async fn insist(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Value {
        let insisting = async {
            loop {
                match self.request(method, path, headers, &body).await {
                    Ok(answer) => return answer,
                    Err(Failure::Away) => tokio::task::yield_now().await,
                    Err(error) => panic!("{method} {path}: {error}"),
                }
            }
        };
        let answer = tokio::time::timeout(PATIENCE, insisting).await;
        answer.unwrap_or_else(|_| panic!("{method} {path}: the server does not come back"))
    }

    async fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &Body,
    ) -> Result<Value, Failure> {
        let url = format!("{}/api/v3{path}", self.address);
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
            return Err(Failure::Refused(
                status,
                String::from_utf8_lossy(&bytes).into_owned(),
            ));
        }
        Ok(serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

enum Body {
    None,
    Json(Value),
    Xml(String),
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the server is away")]
    Away,
    #[error("refused with {0}: {1}")]
    Refused(StatusCode, String),
}

fn text(value: &Value, field: &str) -> String {
    value[field]
        .as_str()
        .unwrap_or_else(|| panic!("`{field}` is missing in {value}"))
        .to_owned()
}
