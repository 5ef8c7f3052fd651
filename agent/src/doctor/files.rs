//! The agent's own files.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::report::Finding;
use crate::config::Config;
use crate::enroll;
use crate::error::AgentError;
use crate::guard;
use crate::keys::AgentKey;
use crate::metrics::disk;

/// How old what waits for the server may be before somebody should look.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// Less free disk than this is too little for any build.
const LEAST_FREE: u64 = 1 << 30;

/// Whether the configuration can be read, and what in it does nothing.
pub(super) fn configuration(dir: &Path) -> (Option<Config>, Vec<Finding>) {
    let config = match Config::load(dir) {
        Ok(config) => config,
        Err(error) => {
            let finding = match error {
                AgentError::NotConfigured { path } => Finding::attention(
                    "configuration",
                    format!("there is no `{}`", path.display()),
                    "write one with `agent config --url URL --instance-id NAME`",
                ),
                error => Finding::attention(
                    "configuration",
                    error.to_string(),
                    "correct the file, or run the doctor as the agent's user; `agent config --show` says whether it can be read",
                ),
            };
            return (None, vec![finding]);
        }
    };
    let found = format!(
        "agent `{}` for `{}`, {} at once",
        config.instance_id,
        config.web_socket_url,
        builds(config.capacity)
    );
    let mut findings = vec![Finding::fine("configuration", found)];
    for key in config.without_effect() {
        findings.push(Finding::note(
            "configuration",
            format!("`{key}` is set and has no effect in this agent"),
        ));
    }
    (Some(config), findings)
}

/// Whether the agent is enrolled, with a key that is its own.
pub(super) fn identity(dir: &Path) -> Vec<Finding> {
    let enrol = "make a token with `testhide agent token` and run `agent enroll --token-file FILE`";
    let mut findings = vec![match enroll::identity(dir) {
        Ok(id) => Finding::fine("identity", format!("enrolled as agent {id}")),
        Err(error) => Finding::attention("identity", error.to_string(), enrol),
    }];
    let path = enroll::key_path(dir);
    if path.exists() {
        findings.push(match AgentKey::load(&path) {
            Err(error) => Finding::attention("key", error.to_string(), enrol),
            Ok(_) => permissions(&path),
        });
    }
    findings
}

#[cfg(unix)]
fn permissions(path: &Path) -> Finding {
    use std::os::unix::fs::PermissionsExt;
    let shown = path.display();
    match fs::metadata(path).map(|metadata| metadata.permissions().mode() & 0o777) {
        Ok(mode) if mode & 0o077 == 0 => {
            Finding::fine("key", format!("`{shown}` is for this user alone"))
        }
        Ok(mode) => Finding::attention(
            "key",
            format!("`{shown}` is open to other users (mode {mode:04o})"),
            format!(
                "`chmod 600 {shown}`; if others use this machine, also `testhide agent rotate-key`"
            ),
        ),
        Err(error) => Finding::attention("key", format!("`{shown}`: {error}"), "look at the file"),
    }
}

#[cfg(not(unix))]
fn permissions(path: &Path) -> Finding {
    Finding::fine("key", format!("`{}` can be read", path.display()))
}

/// Whether the directory can be written and its disk has room.
pub(super) fn directory(dir: &Path, config: &Config) -> Vec<Finding> {
    let shown = dir.display();
    let probe = dir.join(format!("doctor-{}.tmp", std::process::id()));
    let written = File::create_new(&probe).and_then(|_| fs::remove_file(&probe));
    let mut findings = vec![match written {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Finding::attention(
            "directory",
            format!("there is no `{shown}`"),
            "`agent config` makes it; `--dir` or TESTHIDE_AGENT_DIR names another",
        ),
        Ok(()) => Finding::fine("directory", format!("`{shown}` can be written")),
        Err(error) => Finding::attention(
            "directory",
            format!("`{shown}` cannot be written: {error}"),
            "give it to the agent's user, and run the doctor as that user",
        ),
    }];
    if let Some((free, total)) = disk(dir) {
        let wanted = config.machine().min_free_bytes;
        let found = format!("{} of {} are free", gigabytes(free), gigabytes(total));
        findings.push(if free < wanted.max(LEAST_FREE) {
            Finding::attention(
                "disk",
                format!("only {found}"),
                "make room; the agent deletes old workspaces and homes before its next build",
            )
        } else {
            let below = gigabytes(wanted);
            Finding::fine(
                "disk",
                if wanted == 0 {
                    found
                } else {
                    format!("{found}; below {below} old workspaces go")
                },
            )
        });
    }
    findings
}

/// Whether an agent runs in the directory.
pub(super) fn process(dir: &Path) -> Option<Finding> {
    // Held for no longer than this takes; an agent that starts at this very moment would have to be started again.
    let lock = File::open(dir.join("agent.lock")).ok()?;
    Some(match lock.try_lock_shared() {
        Err(fs::TryLockError::WouldBlock) => Finding::fine("process", "the agent runs"),
        Ok(()) => Finding::note("process", "the agent does not run").advise("`agent run`"),
        Err(fs::TryLockError::Error(error)) => Finding::note(
            "process",
            format!("nobody knows whether the agent runs: {error}"),
        ),
    })
}

/// What waits for the server.
pub(super) fn spool(dir: &Path) -> Finding {
    let root = dir.join("spool");
    let mut attempts = 0u32;
    let mut bytes = 0;
    let mut longest = Duration::ZERO;
    // An agent that never ran has none.
    for entry in entries(&root).unwrap_or_default() {
        if entry.file_name().to_string_lossy().ends_with(".done") {
            continue;
        }
        attempts += 1;
        let (size, since) = weigh(&entry.path());
        bytes += size;
        longest = longest.max(since);
    }
    if attempts == 0 {
        return Finding::fine("spool", "nothing waits for the server");
    }
    let found = format!(
        "{} not wholly delivered, {}; the quietest wrote last {} ago",
        builds(attempts),
        gigabytes(bytes),
        hours(longest)
    );
    if longest > OLD {
        let advice = "see whether the agent runs and the server can be reached";
        Finding::attention("spool", found, advice)
    } else {
        Finding::fine("spool", found)
    }
}

/// Bytes of a directory, and how long ago something in it was written.
fn weigh(dir: &Path) -> (u64, Duration) {
    let (mut bytes, mut newest) = (0, Duration::MAX);
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        // A running agent takes files away meanwhile.
        for entry in entries(&folder).unwrap_or_default() {
            let Ok(metadata) = entry.metadata() else {
                continue;
            };
            if metadata.is_dir() {
                folders.push(entry.path());
                continue;
            }
            bytes += metadata.len();
            let age = metadata.modified().ok();
            let age = age.and_then(|written| SystemTime::now().duration_since(written).ok());
            newest = newest.min(age.unwrap_or_default());
        }
    }
    let is_empty = newest == Duration::MAX;
    (bytes, if is_empty { Duration::ZERO } else { newest })
}

/// What could not be deleted.
pub(super) fn quarantine(dir: &Path) -> Option<Finding> {
    let count = ["workspaces", "homes", "temp"]
        .iter()
        .map(|folder| dir.join(folder).join(".quarantine"))
        .filter_map(|folder| entries(&folder).ok())
        .map(|entries| entries.len())
        .sum::<usize>();
    (count > 0).then(|| {
        Finding::attention(
            "quarantine",
            format!(
                "what could not be deleted lies in `.quarantine`, from earlier builds: {count}"
            ),
            "delete them as root, after unmounting what steps may have mounted there",
        )
    })
}

/// Directories that the configuration names and that are not cleaned.
pub(super) fn directories_to_clean(dir: &Path, config: &Config) -> Vec<Finding> {
    let refused = config.directories_to_clean.iter().filter_map(|named| {
        let why = guard::refusal(Path::new(named), dir)?;
        Some(Finding::attention(
            "configuration",
            format!("`{named}` of `DirectoriesToClean` is not cleaned: {why}"),
            "correct it or take it out",
        ))
    });
    refused.collect()
}

fn entries(dir: &Path) -> io::Result<Vec<fs::DirEntry>> {
    fs::read_dir(dir)?.collect()
}

fn builds(count: u32) -> String {
    match count {
        1 => "1 build".to_owned(),
        count => format!("{count} builds"),
    }
}

fn gigabytes(bytes: u64) -> String {
    let hundredths = bytes / (1 << 20) * 100 / 1024;
    format!("{}.{:02} GB", hundredths / 100, hundredths % 100)
}

fn hours(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
