//! An agent in this process: opened from its directory, run until it is told to stop.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use testhide_protocol::AgentId;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::{Addresses, Config};
use crate::crypto::install_crypto;
use crate::enroll;
use crate::error::AgentError;
use crate::files;
use crate::guard;
use crate::keys::AgentKey;
use crate::machine::MachineRules;
use crate::metrics::Meter;
use crate::run::{Attempts, Seen, Setup, Workspaces};
use crate::runner::{ALIVE, Runner};
use crate::session::{Tcp, Uplink, serve_forever};
use crate::spool::{SEGMENT_BYTES, Settings};

/// How long a stopping agent tries to deliver what it has; the rest waits in the spool for its next start.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How long stopped attempts may take to end their processes: more than the grace and the kill of a step together.
const LAST_STEPS: Duration = Duration::from_secs(20);

/// Who an agent is and how it works.
#[derive(Debug, Clone)]
pub struct AgentOptions {
    /// The server's address, in any form that the configuration takes.
    pub url: String,
    /// The agent's own directory; one process at a time works in it.
    pub dir: PathBuf,
    /// Labels, beside the name, that jobs may ask for.
    pub labels: Vec<String>,
    /// Builds that run at once.
    pub capacity: u32,
    /// Identity from the enrolment.
    pub agent_id: AgentId,
    /// Key that proves it.
    pub key: AgentKey,
    /// How long a checkout may take.
    pub git_checkout_timeout: Duration,
    /// What the machine's owner allows.
    pub machine: MachineRules,
    /// What runs attempts, apart from the agent.
    pub runner: Arc<dyn Runner>,
    /// The most bytes that wait on this machine for the server, of all builds together; steps wait when they are reached.
    pub max_spool_bytes: u64,
    /// How long a build goes on after its agent is gone.
    pub orphan_after: Duration,
}

impl AgentOptions {
    /// An agent with the defaults of the configuration, on a machine whose owner allows everything.
    #[must_use]
    pub fn new(
        url: impl Into<String>,
        dir: impl Into<PathBuf>,
        agent_id: AgentId,
        key: AgentKey,
        runner: Arc<dyn Runner>,
    ) -> Self {
        let config = Config {
            web_socket_url: url.into(),
            ..Config::default()
        };
        Self {
            machine: MachineRules::default(),
            ..Self::configured(config, dir.into(), agent_id, key, runner)
        }
    }

    fn configured(
        config: Config,
        dir: PathBuf,
        agent_id: AgentId,
        key: AgentKey,
        runner: Arc<dyn Runner>,
    ) -> Self {
        Self {
            machine: config.machine(),
            url: config.web_socket_url,
            dir,
            labels: config.labels,
            capacity: config.capacity,
            agent_id,
            key,
            git_checkout_timeout: Duration::from_secs(config.git_checkout_timeout_seconds),
            runner,
            max_spool_bytes: config.max_spool_mb.saturating_mul(1024 * 1024),
            orphan_after: Duration::from_secs(config.orphan_minutes.saturating_mul(60)),
        }
    }

    /// What each runner is told. The room is shared evenly; a segment of the journal is the least that an attempt can work with.
    fn settings(&self) -> Settings {
        let share = self.max_spool_bytes / u64::from(self.capacity.max(1));
        Settings {
            machine: self.machine.clone(),
            git_limit_seconds: self.git_checkout_timeout.as_secs(),
            spool_bytes: share.max(SEGMENT_BYTES),
            orphan_after_ms: u64::try_from(self.orphan_after.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// An agent that holds its directory.
#[derive(Debug)]
pub struct Agent {
    options: AgentOptions,
    web_socket: String,
    uplink: Arc<dyn Uplink>,
    /// Locked as long as this lives; the system unlocks them when the process dies. The first keeps other agents out, the second tells
    /// runners that they have an agent: those ask by locking it for a moment, which must not keep an agent out.
    _locks: [File; 2],
}

impl Agent {
    /// Opens the configured and enrolled agent in `dir`, whose attempts are run by `runner`.
    ///
    /// # Errors
    /// When it is not configured or not enrolled, or another process runs it.
    pub fn open(dir: &Path, runner: Arc<dyn Runner>) -> Result<Self, AgentError> {
        let config = Config::load(dir)?;
        for key in config.without_effect() {
            tracing::warn!(
                key,
                "a key of the configuration has no effect in this agent"
            );
        }
        let agent_id = enroll::identity(dir)?;
        let key = AgentKey::load(&enroll::key_path(dir))?;
        Self::new(AgentOptions::configured(
            config,
            dir.to_owned(),
            agent_id,
            key,
            runner,
        ))
    }

    /// Takes this process into a cgroup of its own where that is allowed, so that each attempt can have one, too. Says
    /// which limits of the configuration nothing here enforces.
    ///
    /// # Errors
    /// When the directory cannot be written.
    pub fn prepare_machine(&self) -> Result<(), AgentError> {
        let seen = Seen::prepare();
        for limit in self.options.machine.limits.unenforced(seen.means) {
            tracing::warn!("{limit}");
        }
        seen.save(&self.options.dir)
    }

    /// Opens an agent whose identity the caller knows.
    ///
    /// # Errors
    /// When the address cannot be used, or another process works in the directory.
    pub fn new(options: AgentOptions) -> Result<Self, AgentError> {
        let web_socket = Addresses::of(&options.url)?.web_socket;
        files::make_dir(&options.dir)?;
        // Steps change into folders below it: a relative path would mean another place there.
        let dir = std::path::absolute(&options.dir).map_err(AgentError::file(&options.dir))?;
        let path = dir.join("agent.lock");
        let lock = lock_file(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(AgentError::Locked { path: dir }),
            Err(TryLockError::Error(error)) => return Err(AgentError::file(&path)(error)),
        }
        let path = dir.join(ALIVE);
        let alive = lock_file(&path)?;
        alive.lock().map_err(AgentError::file(&path))?;
        Ok(Self {
            options: AgentOptions { dir, ..options },
            web_socket,
            uplink: Arc::new(Tcp),
            _locks: [lock, alive],
        })
    }

    /// The same agent, whose way to the server is the caller's.
    #[must_use]
    pub fn over(self, uplink: Arc<dyn Uplink>) -> Self {
        Self { uplink, ..self }
    }
}

fn lock_file(path: &Path) -> Result<File, AgentError> {
    let mut options = File::options();
    let file = options.write(true).create(true).truncate(false).open(path);
    file.map_err(AgentError::file(path))
}

/// Serves until `shutdown`: takes builds, runs them, delivers what they say.
///
/// Builds that an earlier process of this agent began go on; those whose runner is gone, too, are ended. On shutdown running steps are
/// ended, their builds are delivered as interrupted for up to ten seconds, and the rest is delivered by the next start. Builds go on
/// while the server is away.
///
/// # Errors
/// When the spool cannot be used, or the server refuses this agent for good; running steps are ended in both cases.
pub async fn run(agent: Agent, shutdown: CancellationToken) -> Result<(), AgentError> {
    serve(agent, shutdown, CancellationToken::new(), Machine::Real).await
}

/// What an agent runs on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Machine {
    /// This one: its load is measured, its disk is kept from filling up.
    Real,
    /// One that there is not.
    #[cfg(feature = "simulation")]
    Simulated,
}

/// As [`run`], on a machine of either kind. When `kill` fires, everything stops where it is.
pub(crate) async fn serve(
    agent: Agent,
    shutdown: CancellationToken,
    kill: CancellationToken,
    machine: Machine,
) -> Result<(), AgentError> {
    install_crypto();
    let options = &agent.options;
    let setup = Setup {
        dir: options.dir.clone(),
        capacity: usize::try_from(options.capacity).unwrap_or(usize::MAX),
        settings: options.settings(),
        runner: Arc::clone(&options.runner),
        kill: kill.clone(),
    };
    let attempts = Attempts::open(setup)?;
    let workspaces = Workspaces::new(options.dir.clone());
    let meter = Meter::new(&options.dir);
    let stopped = async {
        shutdown.cancelled().await;
        attempts.stop_all();
        if timeout(LAST_WORDS, attempts.delivered()).await.is_err() {
            tracing::warn!(
                "some builds are not wholly delivered; the next start goes on with them"
            );
        }
    };
    let chores = async {
        match machine {
            Machine::Real => tokio::select! {
                () = meter.run() => {}
                () = guard::keep(&attempts, &workspaces, &options.machine) => {}
            },
            #[cfg(feature = "simulation")]
            Machine::Simulated => std::future::pending().await,
        }
    };
    let (uplink, url) = (&*agent.uplink, &agent.web_socket);
    let result = tokio::select! {
        biased;
        () = kill.cancelled() => {
            attempts.stopped().await;
            return Ok(());
        }
        result = serve_forever(options, uplink, url, &attempts, &meter) => result,
        () = chores => Ok(()),
        () = attempts.watch() => Ok(()),
        () = stopped => Ok(()),
    };
    attempts.stop_all();
    if timeout(LAST_STEPS, attempts.ended()).await.is_err() {
        tracing::error!("some builds could not be ended");
    }
    result
}
