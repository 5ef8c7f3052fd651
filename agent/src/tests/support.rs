//! Directories, leases and assignments for tests.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use testhide_protocol::BuildId;
use testhide_protocol::api::{JobDefinition, Step};
use testhide_protocol::wire::{Assignment, Lease};
use tokio::sync::Notify;

use crate::spool::{Entry, Journal, JournalWriter, Reader, Spool};

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

    /// A new spool with its open journal.
    pub(crate) fn open_journal(&self, lease: Lease) -> (Arc<Spool>, Journal) {
        let spool = Spool::create(&self.spool_root(), lease, Arc::new(Notify::new())).unwrap();
        let journal = Journal::create(Arc::clone(&spool)).unwrap();
        (spool, journal)
    }

    /// The same with the journal's thread.
    pub(crate) fn journal(&self, lease: Lease) -> (Arc<Spool>, JournalWriter) {
        let (spool, journal) = self.open_journal(lease);
        (
            spool,
            JournalWriter::start(journal, |error| panic!("{error}")),
        )
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

/// Every record of a journal that can be read.
pub(crate) fn entries(spool: &Spool) -> Vec<Entry> {
    let mut reader = Reader::open(spool).unwrap();
    let mut entries = Vec::new();
    while let Some((seq, entry)) = reader.next(spool, spool.progress().length).unwrap() {
        assert_eq!(seq, entries.len() as u64 + 1);
        entries.push(entry);
    }
    entries
}
