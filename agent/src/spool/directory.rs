//! One attempt's directory in the spool: its name, its parts, its lock, its removal.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use testhide_protocol::wire::Lease;

use super::order::{Order, StopOrder};
use super::progress::Progress;
use super::slot::Slot;

/// Ending of a directory that is delivered and only waits for its removal.
const DONE: &str = ".done";

/// What a segment's name begins with.
const SEGMENT: &str = "journal-";

/// Room for a stop order: JSON makes up to six bytes of one of its reason.
const STOP_BYTES: usize = 8 * 1024;

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
        is_full(&self.source)
    }
}

/// Whether the disk is full, so that a later try may succeed.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}

/// The process group that a step runs in, so that the next agent process can end what a dead one left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupRecord {
    /// Number of the group, which is its leader's process id.
    pub(crate) pgid: u32,
    /// When the leader began, in seconds since 1970: a process id alone may have been given again.
    pub(crate) started: u64,
}

/// One attempt's directory: what the agent and the runner of the attempt have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SpoolDir {
    lease: Lease,
    path: PathBuf,
}

/// Held by whoever writes the journal, a runner or who ends it in its place. The system frees it when the process dies.
#[derive(Debug)]
pub(crate) struct RunnerLock {
    _file: File,
}

impl SpoolDir {
    /// The directory of an attempt under `root`, which may not be there.
    pub(crate) fn of(root: &Path, lease: Lease) -> Self {
        let path = root.join(name_of(&lease));
        Self { lease, path }
    }

    /// The directory at `path`; nothing when it is not named as an attempt's.
    pub(crate) fn at(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?;
        let Found::Attempt(lease) = found(name) else {
            return None;
        };
        let path = path.to_owned();
        Some(Self { lease, path })
    }

    /// Makes the directory of a new attempt under `root`; its name is on disk when this returns. The order's bytes need not be: whoever
    /// reads them was started by the same run of the machine.
    ///
    /// # Errors
    /// When the directory exists or the disk refuses it.
    pub(crate) fn create(root: &Path, order: &Order) -> Result<Self, SpoolError> {
        let dir = Self::of(root, order.assignment.lease);
        fs::create_dir(&dir.path).map_err(SpoolError::at(&dir.path))?;
        let made = dir.fill(order).and_then(|()| sync_folder(root));
        if let Err(error) = made {
            // The directory was made by this call, and nobody knows of it.
            drop(fs::remove_dir_all(&dir.path));
            return Err(error);
        }
        Ok(dir)
    }

    fn fill(&self, order: &Order) -> Result<(), SpoolError> {
        let files = self.path.join("files");
        fs::create_dir(&files).map_err(SpoolError::at(&files))?;
        let lock = self.lock_path();
        File::create_new(&lock).map_err(SpoolError::at(&lock))?;
        Slot::create(&self.progress_path(), Progress::BYTES)
            .map_err(SpoolError::at(&self.progress_path()))?;
        Slot::create(&self.stop_path(), STOP_BYTES).map_err(SpoolError::at(&self.stop_path()))?;
        let path = self.order_path();
        let text = serde_json::to_vec(order).expect("an order is plain data");
        private_file()
            .create_new(true)
            .open(&path)
            .and_then(|mut file| file.write_all(&text))
            .map_err(SpoolError::at(&path))
    }

    /// Whose records these are.
    pub(crate) fn lease(&self) -> Lease {
        self.lease
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The agent's directory, in whose spool this lies.
    pub(crate) fn agent_dir(&self) -> Option<&Path> {
        self.path.parent()?.parent()
    }

    /// The segment whose first record has this number.
    pub(crate) fn segment(&self, first: u64) -> PathBuf {
        self.path.join(format!("{SEGMENT}{first}"))
    }

    /// Where a segment is made before it has its name.
    pub(super) fn next_segment(&self) -> PathBuf {
        self.path.join("segment.new")
    }

    /// First records of the segments that are here, in order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn segments(&self) -> Result<Vec<u64>, SpoolError> {
        let read = || -> io::Result<Vec<u64>> {
            let mut segments = Vec::new();
            for entry in fs::read_dir(&self.path)? {
                let name = entry?.file_name();
                let first = name.to_str().and_then(|name| name.strip_prefix(SEGMENT));
                segments.extend(first.and_then(|first| first.parse::<u64>().ok()));
            }
            segments.sort_unstable();
            Ok(segments)
        };
        read().map_err(SpoolError::at(&self.path))
    }

    /// The bytes of the file with this number.
    pub(crate) fn file(&self, number: u32) -> PathBuf {
        self.files().join(number.to_string())
    }

    /// Where the bytes of reports and artifacts are.
    pub(crate) fn files(&self) -> PathBuf {
        self.path.join("files")
    }

    /// What the runner says outside of the build's log.
    pub(crate) fn runner_log(&self) -> PathBuf {
        self.path.join("runner.log")
    }

    /// Takes what is to be done; it can be taken once, so that no secret of it stays on the disk.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub(crate) fn take_order(&self) -> Result<Order, SpoolError> {
        let path = self.order_path();
        let read = || -> io::Result<Order> {
            let order = serde_json::from_slice(&fs::read(&path)?)?;
            fs::remove_file(&path)?;
            Ok(order)
        };
        read().map_err(SpoolError::at(&path))
    }

    /// Asks the runner to stop.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn ask_to_stop(&self, order: &StopOrder) -> Result<(), SpoolError> {
        let text = serde_json::to_vec(order).expect("an order is plain data");
        Slot::open(&self.stop_path(), STOP_BYTES)
            .and_then(|slot| slot.write(&text))
            .map_err(SpoolError::at(&self.stop_path()))
    }

    /// What the runner is asked for.
    pub(crate) fn stop_order(&self) -> Option<StopOrder> {
        let slot = Slot::open(&self.stop_path(), STOP_BYTES).ok()?;
        serde_json::from_slice(&slot.read()?).ok()
    }

    /// The slot in which the journal's writer says how far it is.
    pub(super) fn progress_slot(&self) -> Result<Slot, SpoolError> {
        let path = self.progress_path();
        Slot::open(&path, Progress::BYTES).map_err(SpoolError::at(&path))
    }

    /// Takes the right to write the journal; nothing when somebody has it.
    ///
    /// # Errors
    /// When the directory is gone or the disk refuses it.
    pub(crate) fn lock(&self) -> Result<Option<RunnerLock>, SpoolError> {
        let path = self.lock_path();
        let take = || -> io::Result<Option<RunnerLock>> {
            // A loss of power may have taken the file and left the directory.
            let mut options = OpenOptions::new();
            options.read(true).write(true).create(true).truncate(false);
            let file = options.open(&path)?;
            match file.try_lock() {
                Ok(()) => Ok(Some(RunnerLock { _file: file })),
                Err(TryLockError::WouldBlock) => Ok(None),
                Err(TryLockError::Error(error)) => Err(error),
            }
        };
        take().map_err(SpoolError::at(&path))
    }

    /// Whether somebody has the right to write the journal now.
    pub(crate) fn is_locked(&self) -> bool {
        matches!(self.lock(), Ok(None))
    }

    /// Remembers the process group that runs now.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn write_group(&self, record: GroupRecord) -> Result<(), SpoolError> {
        let path = self.path.join("pgid");
        let text = serde_json::to_vec(&record).expect("two numbers are JSON");
        fs::write(&path, text).map_err(SpoolError::at(&path))
    }

    /// The process group that ran last, if one was remembered.
    pub(crate) fn read_group(&self) -> Option<GroupRecord> {
        serde_json::from_slice(&fs::read(self.path.join("pgid")).ok()?).ok()
    }

    /// Deletes everything. A crash in between leaves a name that the next start deletes.
    ///
    /// # Errors
    /// When the disk refuses it; what is left is deleted at the next start.
    pub(crate) fn remove(&self) -> Result<(), SpoolError> {
        let mut done = self.path.clone().into_os_string();
        done.push(DONE);
        let done = PathBuf::from(done);
        fs::rename(&self.path, &done).map_err(SpoolError::at(&self.path))?;
        fs::remove_dir_all(&done).map_err(SpoolError::at(&done))
    }

    fn order_path(&self) -> PathBuf {
        self.path.join("assignment.json")
    }

    fn lock_path(&self) -> PathBuf {
        self.path.join("runner.lock")
    }

    fn progress_path(&self) -> PathBuf {
        self.path.join("progress")
    }

    fn stop_path(&self) -> PathBuf {
        self.path.join("stop")
    }
}

/// The directories in the spool, oldest build first. What is delivered already is deleted.
///
/// # Errors
/// When the spool cannot be read.
pub(crate) fn directories(root: &Path) -> Result<Vec<SpoolDir>, SpoolError> {
    let mut directories = Vec::new();
    for entry in fs::read_dir(root).map_err(SpoolError::at(root))? {
        let path = entry.map_err(SpoolError::at(root))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match found(&name) {
            Found::Attempt(lease) => directories.push(SpoolDir { lease, path }),
            Found::Done => {
                if let Err(error) = fs::remove_dir_all(&path) {
                    tracing::warn!(spool.path = %path.display(), %error, "cannot delete what is delivered");
                }
            }
            Found::Foreign => {
                tracing::warn!(spool.path = %path.display(), "the spool holds something that is not an attempt");
            }
        }
    }
    directories.sort_by_key(|dir| (dir.lease.build, dir.lease.attempt, dir.lease.fence));
    Ok(directories)
}

/// The directory's name.
fn name_of(lease: &Lease) -> String {
    format!("{}-{}-{}", lease.build, lease.attempt, lease.fence)
}

/// What a name in the spool means.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// An attempt's directory.
    Attempt(Lease),
    /// Delivered, to be deleted.
    Done,
    /// Not ours.
    Foreign,
}

/// Reads a name in the spool.
fn found(name: &str) -> Found {
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

/// A file for this user alone: an assignment may hold secrets.
fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}

/// Makes the entries of a folder durable, where the system can.
///
/// # Errors
/// When the disk refuses it.
pub(super) fn sync_folder(folder: &Path) -> Result<(), SpoolError> {
    if !cfg!(unix) {
        return Ok(());
    }
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(SpoolError::at(folder))
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
