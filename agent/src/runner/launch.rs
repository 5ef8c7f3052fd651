//! Starts runners, and knows whether they live.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::process::Command;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::work::run_attempt;
use crate::spool::{Boot, SpoolDir};

/// Runs what stands in a spool directory, apart from the agent.
pub trait Runner: fmt::Debug + Send + Sync {
    /// Starts the runner of the attempt in `spool`, which was never started before. From this call until its end it is alive.
    ///
    /// # Errors
    /// When it cannot be started; nothing of it runs then.
    fn launch(&self, spool: &Path) -> io::Result<()>;

    /// Whether the attempt in `spool` has a runner now, started by this agent process or by an earlier one.
    fn is_alive(&self, spool: &Path) -> bool;

    /// How often the agent looks how far its runners are: there is no event that crosses processes on every system, and a reader of a log
    /// notices more than this.
    fn look_every(&self) -> Duration {
        Duration::from_millis(5)
    }

    /// The present run of the machine on which runners are.
    fn boot(&self) -> Boot {
        Boot::current()
    }
}

/// Directories whose runner was started here and has not ended: it may not hold its lock yet.
#[derive(Debug, Clone, Default)]
struct Started(Arc<Mutex<HashSet<PathBuf>>>);

/// Takes its directory from the list when the runner has ended, however it did.
struct Entry(Started, PathBuf);

impl Started {
    fn enter(&self, spool: &Path) -> Entry {
        self.0.lock().insert(spool.to_owned());
        Entry(self.clone(), spool.to_owned())
    }

    fn is_alive(&self, spool: &Path) -> bool {
        self.0.lock().contains(spool)
            || SpoolDir::at(spool).is_some_and(|directory| directory.is_locked())
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.0.0.lock().remove(&self.1);
    }
}

/// A process for each attempt.
#[derive(Debug, Clone)]
pub struct Program {
    program: PathBuf,
    arguments: Vec<OsString>,
    started: Started,
    tasks: TaskTracker,
}

impl Program {
    /// Runs `program` with these arguments and the directory.
    pub fn new<A: Into<OsString>>(
        program: impl Into<PathBuf>,
        arguments: impl IntoIterator<Item = A>,
    ) -> Self {
        Self {
            program: program.into(),
            arguments: arguments.into_iter().map(Into::into).collect(),
            started: Started::default(),
            tasks: TaskTracker::new(),
        }
    }

    /// Runs this very program, also when its file was replaced by a newer one.
    ///
    /// # Errors
    /// When the system does not say where it is.
    pub fn this<A: Into<OsString>>(arguments: impl IntoIterator<Item = A>) -> io::Result<Self> {
        let program = if cfg!(target_os = "linux") {
            PathBuf::from("/proc/self/exe")
        } else {
            std::env::current_exe()?
        };
        Ok(Self::new(program, arguments))
    }
}

impl Runner for Program {
    fn launch(&self, spool: &Path) -> io::Result<()> {
        let log = SpoolDir::at(spool)
            .ok_or(io::ErrorKind::InvalidInput)?
            .runner_log();
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg(spool)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(log)?);
        #[cfg(unix)]
        command.arg0("testhide-attempt");
        let entry = self.started.enter(spool);
        let mut child = command.spawn()?;
        self.tasks.spawn(async move {
            match child.wait().await {
                Ok(status) if status.success() => {}
                Ok(status) => {
                    tracing::warn!(spool.path = %entry.1.display(), %status, "the runner of a build ended with an error");
                }
                Err(error) => tracing::warn!(%error, "cannot wait for the runner of a build"),
            }
            drop(entry);
        });
        Ok(())
    }

    fn is_alive(&self, spool: &Path) -> bool {
        self.started.is_alive(spool)
    }
}

/// A task of this process for each attempt: does what the program does, and dies with this process.
#[derive(Debug, Clone, Default)]
pub struct InProcess {
    started: Started,
    tasks: TaskTracker,
}

impl Runner for InProcess {
    fn launch(&self, spool: &Path) -> io::Result<()> {
        let entry = self.started.enter(spool);
        self.tasks.spawn(async move {
            if let Err(error) = Box::pin(run_attempt(&entry.1, CancellationToken::new())).await {
                tracing::warn!(%error, "the runner of a build ended with an error");
            }
            drop(entry);
        });
        Ok(())
    }

    fn is_alive(&self, spool: &Path) -> bool {
        self.started.is_alive(spool)
    }
}
