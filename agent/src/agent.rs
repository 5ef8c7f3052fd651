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
use crate::keys::AgentKey;
use crate::metrics::Meter;
use crate::run::{Attempts, Setup};
use crate::session::{Tcp, Uplink, serve_forever};

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
}

/// An agent that holds its directory.
#[derive(Debug)]
pub struct Agent {
    options: AgentOptions,
    web_socket: String,
    uplink: Arc<dyn Uplink>,
    /// Locked as long as this lives; the system unlocks it when the process dies.
    _lock: File,
}

impl Agent {
    /// Opens the configured and enrolled agent in `dir`.
    ///
    /// # Errors
    /// When it is not configured or not enrolled, or another process runs it.
    pub fn open(dir: &Path) -> Result<Self, AgentError> {
        let config = Config::load(dir)?;
        Self::new(AgentOptions {
            url: config.web_socket_url,
            dir: dir.to_owned(),
            labels: config.labels,
            capacity: config.capacity,
            agent_id: enroll::identity(dir)?,
            key: AgentKey::load(&enroll::key_path(dir))?,
            git_checkout_timeout: Duration::from_secs(config.git_checkout_timeout_seconds),
        })
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
        let lock = File::options()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let lock = lock.map_err(AgentError::file(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                options: AgentOptions { dir, ..options },
                web_socket,
                uplink: Arc::new(Tcp),
                _lock: lock,
            }),
            Err(TryLockError::WouldBlock) => Err(AgentError::Locked { path: dir }),
            Err(TryLockError::Error(error)) => Err(AgentError::file(&path)(error)),
        }
    }

    /// The same agent, whose way to the server is the caller's.
    #[must_use]
    pub fn over(self, uplink: Arc<dyn Uplink>) -> Self {
        Self { uplink, ..self }
    }
}

/// Serves until `shutdown`: takes builds, runs them, delivers what they say.
///
/// What an earlier process of this agent left unfinished is ended first. On shutdown running steps are ended, their builds are
/// delivered as interrupted for up to ten seconds, and the rest is delivered by the next start. Builds go on while the server is
/// away.
///
/// # Errors
/// When the spool cannot be used, or the server refuses this agent for good; running steps are ended in both cases.
pub async fn run(agent: Agent, shutdown: CancellationToken) -> Result<(), AgentError> {
    install_crypto();
    let options = &agent.options;
    let setup = Setup {
        dir: options.dir.clone(),
        capacity: usize::try_from(options.capacity).unwrap_or(usize::MAX),
        git_limit: options.git_checkout_timeout,
    };
    let attempts = Attempts::open(setup).await?;
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
    let result = tokio::select! {
        result = serve_forever(options, &*agent.uplink, &agent.web_socket, &attempts, &meter) => result,
        () = meter.run() => Ok(()),
        () = stopped => Ok(()),
    };
    attempts.stop_all();
    if timeout(LAST_STEPS, attempts.ended()).await.is_err() {
        tracing::error!("some builds could not be ended");
    }
    result
}
