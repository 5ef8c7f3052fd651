//! The server's process: the parts that agents meet, as `app` wires them, over the simulated network and disk.

use super::disk::Disk;
use super::net::{Net, Stream};
use super::plan::JobPlan;
use crate::accounts::Principal;
use crate::agents::{self, Agents, Reconcile};
use crate::artifacts::Artifacts;
use crate::builds::Builds;
use crate::events::EventLog;
use crate::jobs::Jobs;
use crate::kit::{Clock, Tasks};
use crate::logs::Logs;
use crate::projects::Projects;
use crate::reports::Reports;
use crate::storage::{Storage, Volumes};
use axum::serve::Listener;
use std::io;
use std::time::Duration;
use testhide_protocol::api::{CreateJob, CreateProject, JobDefinition, Step};
use testhide_protocol::{JobId, ProjectId};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// As in the real server's loops.
const RECONCILE_EVERY: Duration = Duration::from_secs(5);

/// As in the real server's loops.
const MEND_EVERY: Duration = Duration::from_secs(1);

/// How long an end in order may take, as in the real server.
const DRAIN: Duration = Duration::from_secs(5);

/// The largest file that an agent may send.
const MAX_FILE_BYTES: u64 = 400_000;

/// Label of special agents.
pub(super) const SPECIAL: &str = "special";

/// A running server process.
pub(super) struct Server {
    pub(super) builds: Builds,
    pub(super) agents: Agents,
    pub(super) logs: Logs,
    pub(super) artifacts: Artifacts,
    pub(super) events: EventLog,
    pub(super) storage: Storage,
    volumes: Volumes,
    projects: Projects,
    jobs: Jobs,
    tasks: Tasks,
    serving: JoinHandle<()>,
}

impl Server {
    /// Opens what is on the disk and begins to listen.
    pub(super) fn start(
        disk: &Disk,
        net: &Net,
        clock: &Clock,
        lost_after: Duration,
    ) -> Result<Self, crate::storage::StorageError> {
        let (storage, volumes) = disk.open()?;
        let (clock, tasks) = (clock.clone(), Tasks::new());
        let projects = Projects::new(storage.clone(), clock.clone());
        let jobs = Jobs::new(storage.clone(), clock.clone(), projects.clone());
        let logs = Logs::new(storage.clone(), volumes.clone());
        let artifacts = Artifacts::new(storage.clone(), volumes.clone());
        let reports = Reports::new(storage.clone(), volumes.clone(), clock.clone());
        let builds = Builds::new(
            storage.clone(),
            clock.clone(),
            projects.clone(),
            jobs.clone(),
            logs.clone(),
            artifacts.clone(),
            reports.clone(),
        );
        let agents = Agents::new(
            storage.clone(),
            volumes.clone(),
            clock,
            tasks.clone(),
            builds.clone(),
            logs.clone(),
            reports,
            MAX_FILE_BYTES,
        );
        keep_mended(&storage, &volumes, &tasks);
        reconcile(Reconcile::new(agents.clone(), lost_after), &tasks);
        let door = Door(net.listen());
        let (router, stopping) = (agents::socket_routes(agents.clone()), tasks.stopping());
        #[expect(
            clippy::disallowed_methods,
            reason = "the process holds it and ends it"
        )]
        let serving = tokio::spawn(async move {
            let server = axum::serve(door, router)
                .with_graceful_shutdown(async move { stopping.cancelled().await });
            drop(server.await);
        });
        Ok(Self {
            builds,
            agents,
            logs,
            artifacts,
            events: EventLog::new(storage.clone()),
            storage,
            volumes,
            projects,
            jobs,
            tasks,
            serving,
        })
    }

    /// Makes the project and its jobs.
    pub(super) async fn set_up(&self, jobs: &[JobPlan]) -> Vec<JobId> {
        let root = Principal::system();
        let new = CreateProject {
            name: "sim".to_owned(),
            description: String::new(),
        };
        let project = self.projects.create(&root, new).await;
        let project: ProjectId = project.expect("the first project is made").id;
        let mut ids = Vec::new();
        for (number, plan) in jobs.iter().enumerate() {
            let definition = JobDefinition {
                steps: (0..plan.steps).map(|_| step()).collect(),
                labels: plan
                    .is_special
                    .then(|| SPECIAL.to_owned())
                    .into_iter()
                    .collect(),
                infra_retries: plan.retries,
                ..JobDefinition::default()
            };
            let new = CreateJob {
                name: format!("job-{number}"),
                definition,
            };
            let job = self.jobs.create(&root, project, new).await;
            ids.push(job.expect("a job is made").id);
        }
        ids
    }

    /// Ends in order.
    pub(super) async fn stop(self, net: &Net) {
        net.stop_listening();
        self.tasks.stop();
        drop(tokio::time::timeout(DRAIN, self.serving).await);
        drop(tokio::time::timeout(DRAIN, self.tasks.finished()).await);
        self.volumes.close().await;
        self.storage.close().await;
    }

    /// Is gone at once. Whoever still runs of it finds its disk and its network gone before it can do anything.
    pub(super) fn kill(self) {
        self.tasks.stop();
        self.serving.abort();
    }
}

fn step() -> Step {
    Step::Bash {
        name: None,
        run: "simulated".to_owned(),
        env: std::collections::BTreeMap::new(),
        timeout_seconds: None,
        continue_on_error: false,
    }
}

/// Opens again what a full disk has closed.
fn keep_mended(storage: &Storage, volumes: &Volumes, tasks: &Tasks) {
    let (storage, volumes, stopping) = (storage.clone(), volumes.clone(), tasks.stopping());
    tasks.spawn(async move {
        let mut tick = tokio::time::interval(MEND_EVERY);
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                _ = tick.tick() => {
                    // What cannot be mended now is tried again.
                    drop(storage.mend().await);
                    drop(volumes.mend().await);
                }
            }
        }
    });
}

fn reconcile(reconcile: Reconcile, tasks: &Tasks) {
    let stopping = tasks.stopping();
    tasks.spawn(async move {
        let mut tick = tokio::time::interval(RECONCILE_EVERY);
        loop {
            tokio::select! {
                biased;
                () = stopping.cancelled() => return,
                _ = tick.tick() => drop(reconcile.pass_once().await),
            }
        }
    });
}

/// The network as a listener of axum.
struct Door(mpsc::UnboundedReceiver<Stream>);

impl Listener for Door {
    type Io = Stream;
    type Addr = ();

    async fn accept(&mut self) -> (Stream, ()) {
        match self.0.recv().await {
            Some(connection) => (connection, ()),
            // The network has another server by now.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}
