//! The demo's installation: a server, an agent, a user, a project and a job, all through the ways that users have.

use super::server::Server;
use crate::accounts::Principal;
use crate::app::App;
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
use testhide_protocol::{AgentId, BuildId, JobId, ProjectId};
use tokio_util::sync::CancellationToken;

/// How long one build of the sample may take before the demo gives up; on a usual machine it takes a second.
const PATIENCE: Duration = Duration::from_secs(120);

/// The running installation.
pub(super) struct Lab {
    /// Its server.
    pub server: Server,
    site: Site,
}

/// The installation while its server is stopped: the agent works on.
pub(super) struct Stopped(Site);

/// What stays over a restart of the server.
struct Site {
    settings: Settings,
    listens: String,
    shutdown: CancellationToken,
    agent_shutdown: CancellationToken,
    agent: tokio::task::JoinHandle<Result<(), testhide_agent::AgentError>>,
    principal: Principal,
    project: ProjectId,
    job: JobId,
    token: String,
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
        let setup_token = app
            .accounts
            .setup_token()
            .await?
            .context("the demo's directory is not new")?;
        let server = Server::start(app.clone(), listen, &shutdown).await?;

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
            project: None,
            permissions: None,
        };
        let token = app.accounts.create_token(&principal, named).await?.secret;
        let project = CreateProject {
            name: "shop".to_owned(),
            description: "the demo's sample".to_owned(),
        };
        let project = app.projects.create(&principal, project).await?.id;
        let job = CreateJob {
            name: "tests".to_owned(),
            definition: definition(repository),
        };
        let job = app.jobs.create(&principal, project, job).await?.id;
        let agent_shutdown = CancellationToken::new();
        let address = format!("http://{}", server.listens);
        let agent = start_agent(&app, &principal, dir, &address, agent_shutdown.clone()).await?;
        let site = Site {
            settings,
            listens: server.listens.clone(),
            shutdown,
            agent_shutdown,
            agent,
            principal,
            project,
            job,
            token,
        };
        Ok(Self { server, site })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> String {
        format!("http://{}", self.site.listens)
    }

    /// An API token of the demo's user.
    pub(super) fn token(&self) -> &str {
        &self.site.token
    }

    /// Builds `commit` and waits until its verdicts are there.
    pub(super) async fn build(&self, commit: &str) -> anyhow::Result<(Build, BuildVerdicts)> {
        let (_, number) = self.trigger(self.site.job, Some(commit)).await?;
        self.wait_for_end(number).await
    }

    /// Makes another job.
    pub(super) async fn make_job(
        &self,
        name: &str,
        definition: JobDefinition,
    ) -> anyhow::Result<JobId> {
        let job = CreateJob {
            name: name.to_owned(),
            definition,
        };
        let Site {
            principal, project, ..
        } = &self.site;
        let job = self.server.app.jobs.create(principal, *project, job);
        Ok(job.await?.id)
    }

    /// Triggers a build; answers its identity and number.
    pub(super) async fn trigger(
        &self,
        job: JobId,
        commit: Option<&str>,
    ) -> anyhow::Result<(BuildId, u64)> {
        let trigger = Trigger {
            commit: commit.map(str::to_owned),
            ..Trigger::default()
        };
        let request = StartRequest {
            job,
            trigger,
            triggered_by: "demo".to_owned(),
            idempotency_key: None,
        };
        let builds = &self.server.app.builds;
        let record = builds.start(&self.site.principal, request).await?;
        Ok((record.id, record.number))
    }

    /// Waits until line `line` of a build's first attempt is stored.
    pub(super) async fn wait_for_line(&self, build: BuildId, line: u64) -> anyhow::Result<()> {
        let what = format!("line {line} was not stored");
        let look = async || {
            let head = self.server.app.logs.head(build, 1)?;
            Ok((head.ended >= line).then_some(()))
        };
        self.wait_for(&what, look).await
    }

    /// Waits until a build is over and its verdicts are there.
    pub(super) async fn wait_for_end(&self, number: u64) -> anyhow::Result<(Build, BuildVerdicts)> {
        let (app, principal) = (&self.server.app, &self.site.principal);
        let number = number.to_string();
        let look = async || {
            let record = app.builds.resolve(principal, &number)?;
            let build = app.builds.show(record)?;
            if !build.tps.analysed {
                return Ok(None);
            }
            let verdicts = app.analysis.verdicts_of_build(principal, &number).await?;
            Ok(Some((build, verdicts)))
        };
        let what = format!("build {number} did not end");
        self.wait_for(&what, look).await
    }

    /// Looks again after each commit until there is something.
    async fn wait_for<T>(
        &self,
        what: &str,
        look: impl AsyncFn() -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let mut commits = self.server.app.storage.commits();
        let waiting = async {
            loop {
                commits.borrow_and_update();
                if let Some(found) = look().await? {
                    return Ok(found);
                }
                if self.site.agent.is_finished() {
                    bail!("the demo's agent ended");
                }
                commits.changed().await.context("the demo's server ended")?;
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(found) => found,
            Err(_) => bail!("{what} within {} s", PATIENCE.as_secs()),
        }
    }

    /// Ends the server in order; the agent works on.
    pub(super) async fn stop_server(self) -> anyhow::Result<Stopped> {
        let Self { server, site } = self;
        Box::pin(server.stop()).await?;
        Ok(Stopped(site))
    }

    /// Serves until the shutdown fires.
    pub(super) async fn serve_on(self) -> anyhow::Result<()> {
        self.site.shutdown.cancelled().await;
        Box::pin(self.stop()).await
    }

    /// Ends agent and server in order.
    pub(super) async fn stop(self) -> anyhow::Result<()> {
        let Self { server, site } = self;
        // The agent first: it has somebody to say its last words to.
        site.agent_shutdown.cancel();
        site.agent.await.context("the demo's agent panicked")??;
        Box::pin(server.stop()).await
    }
}

impl Stopped {
    /// Starts the server again, from its directory and on its address; answers what `look` saw before anybody could connect.
    pub(super) async fn start_server<T>(
        self,
        look: impl FnOnce(&App) -> anyhow::Result<T>,
    ) -> anyhow::Result<(Lab, T)> {
        let Self(site) = self;
        let app = App::open(&site.settings, Clock::system())?;
        let seen = look(&app)?;
        let server = Server::start(app, &site.listens, &site.shutdown).await?;
        Ok((Lab { server, site }, seen))
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
