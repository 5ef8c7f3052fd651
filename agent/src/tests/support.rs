//! Directories, leases and assignments for tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use testhide_protocol::BuildId;
use testhide_protocol::api::{JobDefinition, Step};
use testhide_protocol::wire::{Assignment, Lease};
use tokio::sync::Notify;

use crate::clock::WorkClock;
use crate::spool::{
    Boot, Entry, Journal, JournalWriter, Order, Reader, Room, Settings, Spool, SpoolDir,
};

/// A directory that is deleted at the end of a test.
pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn spool_root(&self) -> PathBuf {
        let root = self.path().join("spool");
        std::fs::create_dir_all(&root).unwrap();
        root
    }

    /// The directory of a new attempt without steps.
    pub(crate) fn spool_dir(&self, lease: Lease) -> SpoolDir {
        let order = Order {
            assignment: assignment(lease, Vec::new()),
            settings: Settings {
                machine: crate::MachineRules::default(),
                git_limit_seconds: 60,
                spool_bytes: u64::MAX,
                orphan_after_ms: u64::MAX,
            },
        };
        SpoolDir::create(&self.spool_root(), &order).unwrap()
    }

    /// A new spool with its open journal.
    pub(crate) fn open_journal(&self, lease: Lease) -> (Arc<Spool>, Journal) {
        let dir = self.spool_dir(lease);
        let journal = Journal::create(dir.clone(), Boot::current()).unwrap();
        (spool(dir), journal)
    }

    /// The same with the journal's thread.
    pub(crate) fn journal(&self, lease: Lease) -> (Arc<Spool>, JournalWriter) {
        let (spool, journal) = self.open_journal(lease);
        let room = Room::endless(spool.dir().clone());
        let clock = WorkClock::start();
        let writer = JournalWriter::start(journal, room, clock, |error| panic!("{error}"));
        (spool, writer)
    }
}

/// Waits for what must not take long; the limit only ends a test that hangs.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future)
        .await
        .expect("it hangs")
}

/// A lease of a new build.
pub(crate) fn lease(fence: u64) -> Lease {
    Lease {
        build: BuildId::generate(),
        attempt: 1,
        fence,
    }
}

/// An assignment without a source.
pub(crate) fn assignment(lease: Lease, steps: Vec<Step>) -> Assignment {
    Assignment {
        lease,
        build_number: 7,
        job_name: "job".to_owned(),
        project_name: "project".to_owned(),
        definition: JobDefinition {
            steps,
            ..JobDefinition::default()
        },
        branch: "main".to_owned(),
        commit: None,
        parameters: Default::default(),
        timeout_seconds: 600,
    }
}

/// A script for bash in `dir`.
#[cfg(unix)]
pub(crate) fn bash(script: &str, dir: &Path) -> tokio::process::Command {
    let mut command = tokio::process::Command::new("bash");
    command.args(["-e", "-c", script]).current_dir(dir);
    command
}

/// The agent's side of a directory.
pub(crate) fn spool(dir: SpoolDir) -> Arc<Spool> {
    Spool::open(dir, Arc::new(Notify::new())).unwrap()
}

/// Every record of a journal that can be read.
pub(crate) fn entries(spool: &Spool) -> Vec<Entry> {
    spool.look();
    let first = spool.dir().segments().unwrap()[0];
    let mut reader = Reader::open(spool.dir(), first - 1).unwrap();
    let mut entries = Vec::new();
    while let Some((seq, entry)) = reader.next(spool.progress().seq).unwrap() {
        entries.push(entry);
        assert_eq!(seq, first - 1 + entries.len() as u64);
    }
    entries
}
