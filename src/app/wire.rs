//! Every handle of the server, built in floor order.

use crate::accounts::Accounts;
use crate::agents::{Agents, Reconcile};
use crate::analysis::{Analysis, AnalysisSettings};
use crate::artifacts::Artifacts;
use crate::audit::Audit;
use crate::builds::Builds;
use crate::config::Settings;
use crate::events::{Consumers, EventLog};
use crate::feed::Feed;
use crate::gates::Gates;
use crate::history::{Aliases, History};
use crate::jobs::Jobs;
use crate::kit::{Clock, Networks, Tasks, create_private_dir};
use crate::logs::Logs;
use crate::projects::Projects;
use crate::reports::Reports;
use crate::search::{Search, SearchParts};
use crate::storage::{DiskGuard, Floors, OpenOptions, Storage, Volumes};
use crate::web::{Certificate, TlsFiles, ViewerLimits, Viewers};
use anyhow::Context;

/// The server's parts, wired; clones share them.
#[derive(Clone)]
pub struct App {
    /// Time.
    pub clock: Clock,
    /// Background tasks.
    pub tasks: Tasks,
    /// State.
    pub storage: Storage,
    /// Bulk bytes.
    pub volumes: Volumes,
    /// Free disk.
    pub disk: DiskGuard,
    /// The event log.
    pub log: EventLog,
    /// Its followers.
    pub consumers: Consumers,
    /// The audit log.
    pub audit: Audit,
    /// People.
    pub accounts: Accounts,
    /// Projects.
    pub projects: Projects,
    /// Jobs.
    pub jobs: Jobs,
    /// Tests over time.
    pub history: History,
    /// What tests were called before.
    pub aliases: Aliases,
    /// Logs.
    pub logs: Logs,
    /// Files.
    pub artifacts: Artifacts,
    /// Reports.
    pub reports: Reports,
    /// Builds.
    pub builds: Builds,
    /// Agents.
    pub agents: Agents,
    /// Gives up leases of lost agents.
    pub reconcile: Reconcile,
    /// Search.
    pub search: Search,
    /// Verdicts.
    pub analysis: Analysis,
    /// Quality gates.
    pub gates: Gates,
    /// The feed.
    pub feed: Feed,
    /// The certificate, when the server speaks TLS itself.
    pub certificate: Option<Certificate>,
    /// Proxies whose word about a client's address is taken.
    pub trusted_proxies: Networks,
}

impl App {
    /// Opens the data directory and everything on it.
    ///
    /// # Errors
    /// A directory that is held, newer or damaged; nothing was started.
    pub fn open(settings: &Settings, clock: Clock) -> anyhow::Result<Self> {
        let disk = DiskGuard::new(settings.data_dir.clone(), floors(settings));
        Self::open_on(settings, clock, disk)
    }

    /// As [`App::open`] with a disk guard of the caller's, for tests of a full disk.
    ///
    /// # Errors
    /// As [`App::open`].
    pub fn open_on(settings: &Settings, clock: Clock, disk: DiskGuard) -> anyhow::Result<Self> {
        let certificate = settings.tls.clone().map(|(certificate, key)| {
            let files = TlsFiles { certificate, key };
            Certificate::load(files)
        });
        let certificate = certificate.transpose()?;
        let (storage, volumes) = OpenOptions::new(&settings.data_dir)
            .floors(floors(settings))
            .open_with(&disk)?;
        let tasks = Tasks::new();
        let log = EventLog::new(storage.clone());
        let consumers = Consumers::new(storage.clone(), log.clone(), clock.clone());

        let keys = settings.data_dir.join("keys");
        create_private_dir(&keys)
            .with_context(|| format!("failed to create `{}`", keys.display()))?;
        let audit = Audit::new(storage.clone(), clock.clone());
        let accounts = Accounts::open(
            storage.clone(),
            clock.clone(),
            &keys,
            settings.jwt_secret.clone(),
        )?;
        let projects = Projects::new(storage.clone(), clock.clone());
        let jobs = Jobs::new(storage.clone(), clock.clone(), projects.clone());

        let history = History::new(storage.clone());
        let aliases = Aliases::new(storage.clone(), clock.clone());
        let limits = ViewerLimits {
            waiting: settings.max_viewers,
            waiting_of_account: settings.max_viewers_of_account,
            patience: settings.viewer_patience,
            ..ViewerLimits::default()
        };
        let viewers = Viewers::new(limits, tasks.stopping());
        let logs = Logs::with_viewers(storage.clone(), volumes.clone(), viewers.clone());
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
            clock.clone(),
            tasks.clone(),
            builds.clone(),
            logs.clone(),
            reports.clone(),
            audit.clone(),
            settings.max_file_bytes,
        );
        let reconcile = Reconcile::new(agents.clone(), settings.agent_lost_after);

        let index = settings.data_dir.join("index");
        let parts = SearchParts {
            storage: storage.clone(),
            clock: clock.clone(),
            projects: projects.clone(),
            logs: logs.clone(),
            builds: builds.clone(),
            reports: reports.clone(),
        };
        let search = Search::open(&index.join("text"), parts)?;
        let switches = AnalysisSettings {
            root_cause: settings.root_cause,
            flakiness: settings.flakiness,
            retriever: settings.retriever,
        };
        let analysis = Analysis::open(
            storage.clone(),
            clock.clone(),
            jobs.clone(),
            history.clone(),
            reports.clone(),
            builds.clone(),
            &index.join("vectors"),
            switches,
        )?;
        let gates = Gates::new(
            storage.clone(),
            clock.clone(),
            projects.clone(),
            jobs.clone(),
            reports.clone(),
            builds.clone(),
        );
        let feed = Feed::new(
            log.clone(),
            consumers.clone(),
            accounts.clone(),
            tasks.clone(),
            viewers,
        );
        Ok(Self {
            clock,
            tasks,
            storage,
            volumes,
            disk,
            log,
            consumers,
            audit,
            accounts,
            projects,
            jobs,
            history,
            aliases,
            logs,
            artifacts,
            reports,
            builds,
            agents,
            reconcile,
            search,
            analysis,
            gates,
            feed,
            certificate,
            trusted_proxies: settings.trusted_proxies.clone(),
        })
    }

    /// Ends the writers after what waits now; handles that remain answer that the store is closing.
    pub async fn close(self) {
        let Self {
            storage, volumes, ..
        } = self;
        volumes.close().await;
        storage.close().await;
    }
}

fn floors(settings: &Settings) -> Floors {
    Floors {
        soft_bytes: settings.soft_floor_bytes,
        hard_bytes: settings.hard_floor_bytes,
    }
}
