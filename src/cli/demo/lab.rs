//! The demo's installation: a server, an agent, a user, a project and a job, all through the ways that users have.

use crate::accounts::Principal;
use crate::app::{App, Serving, serve};
use crate::builds::StartRequest;
use crate::config::{Environment, Overrides, Settings};
use crate::kit::{Clock, random_token};
use anyhow::{Context, bail};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use testhide_agent::{Agent, AgentKey, AgentOptions, Program};
use testhide_protocol::api::{
    Build, BuildVerdicts, CreateJob, CreateProject, CreateToken, Enroll, JobDefinition,
    ProviderKind, Setup, Source, Step, Trigger,
};
use testhide_protocol::{AgentId, JobId};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// How long one build of the sample may take before the demo gives up; on a usual machine it takes a second.
const PATIENCE: Duration = Duration::from_secs(120);

/// The running installation.
pub(super) struct Lab {
    app: App,
    serving: Serving,
    shutdown: CancellationToken,
    agent_shutdown: CancellationToken,
    agent: tokio::task::JoinHandle<Result<(), testhide_agent::AgentError>>,
    principal: Principal,
    job: JobId,
    /// Where it listens.
    pub address: String,
    /// An API token of the demo's user.
    pub token: String,
}

impl Lab {
    /// Starts everything below `dir`.
    pub(super) async fn start(
        dir: &Path,
        listen: &str,
        repository: &Path,
        shutdown: CancellationToken,
    ) -> anyhow::Result<Self> {
        let environment = Environment(BTreeMap::new());
        let overrides = Overrides {
            config_file: None,
            data_dir: Some(dir.join("data")),
            listen: Some(listen.to_owned()),
        };
        let settings = Settings::load(&overrides, &environment)?;
        let app = App::open(&settings, Clock::system())?;
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("failed to listen on {listen}"))?;
        let setup_token = app
            .accounts
            .setup_token()
            .await?
            .context("the demo's directory is not new")?;
        let serving = serve(app.clone(), listener, shutdown.clone())?;
        let address = format!("http://{}", serving.address);

        let password = random_token("demo-");
        let setup = Setup {
            setup_token,
            username: "demo".to_owned(),
            password,
        };
        let user = app.accounts.set_up(setup).await?;
        let principal = Principal::new(user.id, user.username, user.superuser);
        let named = CreateToken {
            name: "demo".to_owned(),
            expires_in_days: Some(1),
        };
        let token = app.accounts.create_token(&principal, named).await?.secret;
        let project = CreateProject {
            name: "shop".to_owned(),
            description: "the demo's sample".to_owned(),
        };
        let project = app.projects.create(&principal, project).await?;
        let job = CreateJob {
            name: "tests".to_owned(),
            definition: definition(repository),
        };
        let job = app.jobs.create(&principal, project.id, job).await?.id;
        let agent_shutdown = CancellationToken::new();
        let agent = start_agent(&app, &principal, dir, &address, agent_shutdown.clone()).await?;
        Ok(Self {
            app,
            serving,
            shutdown,
            agent_shutdown,
            agent,
            principal,
            job,
            address,
            token,
        })
    }

    /// Builds `commit` and waits until its verdicts are there.
    pub(super) async fn build(&self, commit: &str) -> anyhow::Result<(Build, BuildVerdicts)> {
        let trigger = Trigger {
            commit: Some(commit.to_owned()),
            ..Trigger::default()
        };
        let request = StartRequest {
            job: self.job,
            trigger,
            triggered_by: "demo".to_owned(),
            idempotency_key: None,
        };
        let number = self
            .app
            .builds
            .start(&self.principal, request)
            .await?
            .number
            .to_string();
        let mut commits = self.app.storage.commits();
        let waiting = async {
            loop {
                commits.borrow_and_update();
                let record = self.app.builds.resolve(&self.principal, &number)?;
                let build = self.app.builds.show(record)?;
                if build.tps.analysed {
                    let verdicts = self
                        .app
                        .analysis
                        .verdicts_of_build(&self.principal, &number)
                        .await?;
                    return Ok((build, verdicts));
                }
                if self.agent.is_finished() {
                    bail!("the demo's agent ended");
                }
                commits.changed().await.context("the demo's server ended")?;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(done) => done,
            Err(_) => bail!("build {number} did not end within {} s", PATIENCE.as_secs()),
        }
    }

    /// Serves until the shutdown fires.
    pub(super) async fn serve_on(self) -> anyhow::Result<()> {
        self.shutdown.cancelled().await;
        Box::pin(self.stop()).await
    }

    /// Ends agent and server in order.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        let Self {
            app,
            serving,
            shutdown,
            agent_shutdown,
            agent,
            ..
        } = self;
        drop(app);
        // The agent first: it has somebody to say its last words to.
        agent_shutdown.cancel();
        agent.await.context("the demo's agent panicked")??;
        shutdown.cancel();
        serving.ended().await
    }
}

/// What the sample's job does: check out, run its tests, take the reports and the log they leave.
fn definition(repository: &Path) -> JobDefinition {
    JobDefinition {
        source_management: Some(Source::Git {
            url: repository.display().to_string(),
            branch: Some("main".to_owned()),
        }),
        steps: vec![Step::Bash {
            name: Some("tests".to_owned()),
            run: "sh run-tests.sh".to_owned(),
            env: BTreeMap::new(),
            timeout_seconds: Some(60),
            continue_on_error: false,
        }],
        post_steps: vec![
            Step::TestProvider {
                name: Some("reports".to_owned()),
                provider: ProviderKind::Junit,
                path: "reports/junit-*.xml".to_owned(),
            },
            Step::CopyArtifacts {
                name: Some("artifacts".to_owned()),
                source: "reports/*.xml".to_owned(),
                target: "junit".to_owned(),
            },
        ],
        ..JobDefinition::default()
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the agent stands for a process of its own; `Lab::stop` waits for it"
)]
async fn start_agent(
    app: &App,
    principal: &Principal,
    dir: &Path,
    address: &str,
    shutdown: CancellationToken,
) -> anyhow::Result<tokio::task::JoinHandle<Result<(), testhide_agent::AgentError>>> {
    let agent_dir = PathBuf::from(dir).join("agent");
    std::fs::create_dir_all(&agent_dir)?;
    let key = AgentKey::load_or_create(&agent_dir.join("agent.key"))?;
    let token = app.agents.new_enrolment(principal).await?.token;
    let enroll = Enroll {
        token,
        name: "demo-agent".to_owned(),
        public_key: key.public_hex(),
    };
    let agent_id: AgentId = app.agents.enroll(enroll, None).await?;
    let runner = Arc::new(Program::this(["agent", "attempt"])?);
    let options = AgentOptions {
        labels: vec!["demo".to_owned()],
        ..AgentOptions::new(address, agent_dir, agent_id, key, runner)
    };
    let agent = Agent::new(options)?;
    Ok(tokio::spawn(testhide_agent::run(agent, shutdown)))
}
