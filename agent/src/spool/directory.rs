//! One attempt's directory in the spool: its name, its parts, how far its journal is written, its removal.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use testhide_protocol::wire::Lease;
use tokio::sync::Notify;

/// Ending of a directory that is delivered and only waits for its removal.
const DONE: &str = ".done";

/// The spool could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("spool `{path}`: {source}", path = path.display())]
pub struct SpoolError {
    path: PathBuf,
    source: io::Error,
}

impl SpoolError {
    /// Names the file for an error of the system.
    pub(crate) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self { path, source }
    }

    /// Whether the disk is full, so that a later try may succeed.
    pub(crate) fn is_full(&self) -> bool {
        matches!(
            self.source.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        )
    }
}

/// How far a journal is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Bytes of whole records in the journal.
    pub(crate) length: u64,
    /// Last record.
    pub(crate) seq: u64,
    /// Whether that record is the attempt's end.
    pub(crate) ended: bool,
}

/// The process group that a step runs in, so that the next agent process can end what a dead one left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    /// Number of the group, which is its leader's process id.
    pub(crate) pgid: u32,
    /// When the leader began, in seconds since 1970: a process id alone may have been given again.
    pub(crate) started: u64,
}

/// One attempt's directory.
#[derive(Debug)]
pub(crate) struct Spool {
    lease: Lease,
    dir: PathBuf,
    progress: Mutex<Progress>,
    /// Wakes delivery, which then asks every spool.
    wake: Arc<Notify>,
}

impl Spool {
    /// Makes the directory of a new attempt under `root`; it is on disk when this returns.
    ///
    /// # Errors
    /// When the directory exists or the disk refuses it.
    pub(crate) fn create(
        root: &Path,
        lease: Lease,
        wake: Arc<Notify>,
    ) -> Result<Arc<Self>, SpoolError> {
        let dir = root.join(name_of(&lease));
        fs::create_dir(&dir).map_err(SpoolError::at(&dir))?;
        fs::create_dir(dir.join("files")).map_err(SpoolError::at(&dir))?;
        File::open(root)
            .and_then(|folder| sync_folder(&folder))
            .map_err(SpoolError::at(root))?;
        Ok(Arc::new(Self {
            lease,
            dir,
            progress: Mutex::default(),
            wake,
        }))
    }

    /// The directory that an earlier agent process left.
    pub(crate) fn existing(dir: PathBuf, lease: Lease, wake: Arc<Notify>) -> Arc<Self> {
        Arc::new(Self {
            lease,
            dir,
            progress: Mutex::default(),
            wake,
        })
    }

    /// The directory of an attempt whose other handles are gone.
    pub(crate) fn existing_at(root: &Path, lease: Lease, wake: &Arc<Notify>) -> Arc<Self> {
        Self::existing(root.join(name_of(&lease)), lease, Arc::clone(wake))
    }

    /// Whose records these are.
    pub(crate) fn lease(&self) -> Lease {
        self.lease
    }

    /// The journal.
    pub(crate) fn journal(&self) -> PathBuf {
        self.dir.join("journal")
    }

    /// The bytes of the file with this number.
    pub(crate) fn file(&self, number: u32) -> PathBuf {
        self.dir.join("files").join(number.to_string())
    }

    /// How far the journal may be read.
    pub(crate) fn progress(&self) -> Progress {
        *self.progress.lock()
    }

    /// Says that the journal is written this far, and wakes delivery.
    pub(crate) fn announce(&self, progress: Progress) {
        *self.progress.lock() = progress;
        self.wake.notify_one();
    }

    /// Remembers the process group that runs now.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn write_group(&self, record: GroupRecord) -> Result<(), SpoolError> {
        let path = self.dir.join("pgid");
        let text = serde_json::to_vec(&record).expect("two numbers are JSON");
        fs::write(&path, text).map_err(SpoolError::at(&path))
    }

    /// The process group that ran last, if one was remembered.
    pub(crate) fn read_group(&self) -> Option<GroupRecord> {
        serde_json::from_slice(&fs::read(self.dir.join("pgid")).ok()?).ok()
    }

    /// Deletes everything. A crash in between leaves a name that the next start deletes.
    ///
    /// # Errors
    /// When the disk refuses it; what is left is deleted at the next start.
    pub(crate) fn remove(&self) -> Result<(), SpoolError> {
        let mut done = self.dir.clone().into_os_string();
        done.push(DONE);
        let done = PathBuf::from(done);
        fs::rename(&self.dir, &done).map_err(SpoolError::at(&self.dir))?;
        fs::remove_dir_all(&done).map_err(SpoolError::at(&done))
    }
}

/// The directory's name.
fn name_of(lease: &Lease) -> String {
    format!("{}-{}-{}", lease.build, lease.attempt, lease.fence)
}

/// What a name in the spool means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// An attempt's directory.
    Attempt(Lease),
    /// Delivered, to be deleted.
    Done,
    /// Not ours.
    Foreign,
}

/// Reads a name in the spool.
pub(crate) fn found(name: &str) -> Found {
    if name.ends_with(DONE) {
        return Found::Done;
    }
    let mut parts = name.rsplitn(3, '-');
    let lease = (|| {
        let fence = parts.next()?.parse().ok()?;
        let attempt = parts.next()?.parse().ok()?;
        let build = parts.next()?.parse().ok()?;
        Some(Lease {
            build,
            attempt,
            fence,
        })
    })();
    match lease {
        Some(lease) if name_of(&lease) == name => Found::Attempt(lease),
        _ => Found::Foreign,
    }
}

/// Makes the entries of a folder durable, where the system can.
fn sync_folder(folder: &File) -> io::Result<()> {
    if cfg!(unix) {
        folder.sync_all()
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testhide_protocol::BuildId;

    #[test]
    fn a_name_is_read_back() {
        let lease = Lease {
            build: BuildId::generate(),
            attempt: 2,
            fence: 77,
        };
        let name = name_of(&lease);
        let check = |name: &str, expected: Found| assert_eq!(found(name), expected, "{name}");
        check(&name, Found::Attempt(lease));
        check(&format!("{name}{DONE}"), Found::Done);
        check("lost+found", Found::Foreign);
        check("x-1-2", Found::Foreign);
        check(&name.replace("-2-", "-02-"), Found::Foreign);
    }
}
