//! A server in this process, on a port of its own, with agents in this process.

use super::client::Client;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use testhide::app::{App, Serving, serve};
use testhide::config::{Environment, Overrides, Settings};
use testhide::kit::Clock;
use testhide::storage::{DiskGuard, Floors};
use testhide_agent::{Agent, AgentError, AgentKey, AgentOptions, Program};
use testhide_protocol::AgentId;
use testhide_protocol::api::{Build, BuildState, LogPage, Project};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long anything may take before a test gives up; never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running server and its superuser.
pub(crate) struct TestServer {
    /// The server's parts.
    pub(crate) app: App,
    /// The superuser's client.
    pub(crate) root: Client,
    /// A project for everybody's tests.
    pub(crate) project: Project,
    dir: TempDir,
    serving: Serving,
    shutdown: CancellationToken,
    clock: Clock,
}

impl TestServer {
    /// A fresh server with a superuser `root` and a project `shop`.
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// As [`TestServer::start`] with settings from an environment.
    pub(crate) async fn start_with(environment: &[(&str, &str)]) -> Self {
        Self::start_at(Clock::system(), environment).await
    }

    /// As [`TestServer::start_with`] with a clock of the test's own.
    pub(crate) async fn start_at(clock: Clock, environment: &[(&str, &str)]) -> Self {
        Self::start_on(clock, environment, None).await
    }

    /// As [`TestServer::start_at`] on a disk that has as many bytes free as `disk` says at that moment.
    pub(crate) async fn start_on(
        clock: Clock,
        environment: &[(&str, &str)],
        disk: Option<Arc<AtomicU64>>,
    ) -> Self {
        Box::pin(Self::made(clock, environment, disk)).await
    }

    async fn made(
        clock: Clock,
        environment: &[(&str, &str)],
        disk: Option<Arc<AtomicU64>>,
    ) -> Self {
        testhide_agent::install_crypto();
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("data");
        let disk = disk.map(|free| {
            DiskGuard::with_probe(Floors::default(), move || free.load(Ordering::SeqCst))
        });
        let (app, serving, shutdown) = open(data, "127.0.0.1:0", environment, &clock, disk).await;
        let anonymous = Client::anonymous(&format!("http://{}", serving.address));
        let token = app
            .accounts
            .setup_token()
            .await
            .expect("a store")
            .expect("a setup token");
        let setup =
            json!({"setup_token": token, "username": "root", "password": "correct horse battery"});
        anonymous.post("/setup", &setup).await.json();
        let root = Self::log_in(&anonymous, "root", "correct horse battery").await;
        let project = root.post("/projects", &json!({"name": "shop"})).await.ok();
        Self {
            app,
            root,
            project,
            dir,
            serving,
            shutdown,
            clock,
        }
    }

    async fn log_in(anonymous: &Client, username: &str, password: &str) -> Client {
        let login = anonymous
            .post(
                "/auth/login",
                &json!({"username": username, "password": password}),
            )
            .await
            .json();
        anonymous.with_token(login["access_token"].as_str().expect("a token"))
    }

    /// A new plain user's client.
    pub(crate) async fn user(&self, name: &str) -> Client {
        let password = "another good password";
        self.root
            .post("/users", &json!({"username": name, "password": password}))
            .await
            .json();
        Self::log_in(&self.anonymous(), name, password).await
    }

    /// Nobody's client.
    pub(crate) fn anonymous(&self) -> Client {
        Client::anonymous(self.root.base())
    }

    /// A directory that goes with the server.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Makes a job in the project; answers its id.
    pub(crate) async fn job(&self, name: &str, definition: Value) -> String {
        let path = format!("/projects/{}/jobs", self.project.id);
        let job = self
            .root
            .post(&path, &json!({"name": name, "definition": definition}))
            .await
            .json();
        job["id"].as_str().expect("an id").to_owned()
    }

    /// Triggers a build; answers it as it waits.
    pub(crate) async fn trigger(&self, job: &str, trigger: Value) -> Build {
        self.root
            .post(&format!("/job/{job}/trigger"), &trigger)
            .await
            .ok()
    }

    /// Waits until build `number` is in one of `states`.
    pub(crate) async fn wait_for(&self, number: u64, states: &[BuildState]) -> Build {
        let reached = |build: &Build| states.contains(&build.status);
        self.wait_until(number, reached).await
    }

    /// Waits until build `number` is over and its verdicts are there.
    pub(crate) async fn finished(&self, number: u64) -> Build {
        self.wait_until(number, |build| build.tps.analysed).await
    }

    async fn wait_until(&self, number: u64, reached: impl Fn(&Build) -> bool) -> Build {
        let mut commits = self.app.storage.commits();
        let waiting = async {
            loop {
                commits.borrow_and_update();
                let build: Build = self.root.get(&format!("/builds/{number}")).await.ok();
                if reached(&build) {
                    return build;
                }
                commits.changed().await.expect("the store lives");
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(build) => build,
            Err(_) => {
                let build = self.root.get(&format!("/builds/{number}")).await.json();
                panic!("build {number} does not get there: {build}");
            }
        }
    }

    /// Waits until every follower of the event log has seen everything.
    pub(crate) async fn settled(&self) {
        let mut commits = self.app.storage.commits();
        let waiting = async {
            loop {
                commits.borrow_and_update();
                let status = self.app.consumers.status().expect("a store");
                let indexed = self.app.search.lag().expect("an index") == 0;
                if indexed && status.iter().all(|consumer| consumer.lag == 0) {
                    return;
                }
                commits.changed().await.expect("the store lives");
            }
        };
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .expect("the followers catch up");
    }

    /// Enrols an agent that holds `key`; answers its identity.
    pub(crate) async fn enrol(&self, name: &str, key: &AgentKey) -> AgentId {
        let enrolment = self
            .root
            .post("/agents/enrolments", &json!({}))
            .await
            .json();
        let enroll =
            json!({"token": enrolment["token"], "name": name, "public_key": key.public_hex()});
        let enrolled = self
            .anonymous()
            .post("/agents/enroll", &enroll)
            .await
            .json();
        enrolled["agent_id"]
            .as_str()
            .and_then(|id| id.parse().ok())
            .expect("an id")
    }

    /// Enrols and starts an agent with these labels.
    pub(crate) async fn agent(&self, name: &str, labels: &[&str], capacity: u32) -> TestAgent {
        let dir = self.path(name);
        std::fs::create_dir_all(&dir).expect("a directory");
        let key = AgentKey::load_or_create(&dir.join("agent.key")).expect("a key");
        let agent_id = self.enrol(name, &key).await;
        let runner = Program::new(env!("CARGO_BIN_EXE_testhide"), ["agent", "attempt"]);
        let options = AgentOptions {
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            capacity,
            git_checkout_timeout: PATIENCE,
            ..AgentOptions::new(self.root.base(), dir, agent_id, key, Arc::new(runner))
        };
        TestAgent::start(options)
    }

    /// Ends the server in order and starts it again on the same directory and port.
    pub(crate) async fn restart(self) -> Self {
        let Self {
            app,
            root,
            project,
            dir,
            serving,
            shutdown,
            clock,
        } = self;
        let address = serving.address.to_string();
        drop(app);
        shutdown.cancel();
        serving.ended().await.expect("it ends in order");
        let (app, serving, shutdown) =
            open(dir.path().join("data"), &address, &[], &clock, None).await;
        Self {
            app,
            root,
            project,
            dir,
            serving,
            shutdown,
            clock,
        }
    }

    /// Ends the server in order; answers its directory.
    pub(crate) async fn stop(self) -> TempDir {
        let Self {
            app,
            dir,
            serving,
            shutdown,
            ..
        } = self;
        drop(app);
        shutdown.cancel();
        serving.ended().await.expect("it ends in order");
        dir
    }
}

async fn open(
    data: PathBuf,
    listen: &str,
    environment: &[(&str, &str)],
    clock: &Clock,
    disk: Option<DiskGuard>,
) -> (App, Serving, CancellationToken) {
    let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    let overrides = Overrides {
        config_file: None,
        data_dir: Some(data),
        listen: Some(listen.to_owned()),
    };
    let settings = Settings::load(
        &overrides,
        &Environment(environment.iter().map(own).collect()),
    )
    .expect("settings");
    let app = match disk {
        Some(disk) => App::open_on(&settings, clock.clone(), disk),
        None => App::open(&settings, clock.clone()),
    };
    let app = app.expect("the directory opens");
    let listener = TcpListener::bind(listen).await.expect("a port");
    let shutdown = CancellationToken::new();
    let serving = serve(app.clone(), listener, shutdown.clone()).expect("it serves");
    (app, serving, shutdown)
}

/// An agent in this process.
pub(crate) struct TestAgent {
    shutdown: CancellationToken,
    running: JoinHandle<Result<(), AgentError>>,
}

impl TestAgent {
    #[expect(
        clippy::disallowed_methods,
        reason = "stands for a process of its own; `stop` waits for it"
    )]
    fn start(options: AgentOptions) -> Self {
        let shutdown = CancellationToken::new();
        let agent = Agent::new(options).expect("the agent opens");
        let running = tokio::task::spawn(testhide_agent::run(agent, shutdown.clone()));
        Self { shutdown, running }
    }

    /// Ends the agent in order.
    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        self.running
            .await
            .expect("it does not panic")
            .expect("it ends in order");
    }
}

/// A job of one bash step.
pub(crate) fn job_with_script(script: &str) -> Value {
    json!({"steps": [{"type": "bash", "run": script}]})
}

/// Texts of a page's lines.
pub(crate) fn lines_of(page: &LogPage) -> Vec<&str> {
    page.lines.iter().map(|line| line.text.as_str()).collect()
}
