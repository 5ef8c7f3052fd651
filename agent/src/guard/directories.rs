//! Directories that an owner lets the guard empty, and those that nobody may name.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Directories of the system: what is in them is never rubbish as a whole. Folders below them may be named.
const SYSTEM: &[&str] = &[
    "/bin",
    "/boot",
    "/dev",
    "/etc",
    "/home",
    "/lib",
    "/lib64",
    "/opt",
    "/proc",
    "/root",
    "/run",
    "/sbin",
    "/srv",
    "/sys",
    "/usr",
    "/var",
    "/Applications",
    "/Library",
    "/System",
    "/Users",
    "C:\\Program Files",
    "C:\\Users",
    "C:\\Windows",
];

/// Why what is in `dir` is not deleted, if it is not. `agent` is the agent's own directory.
pub(crate) fn refusal(dir: &Path, agent: &Path) -> Option<String> {
    if !dir.is_absolute() {
        return Some("the path has to be absolute".to_owned());
    }
    let metadata = match fs::symlink_metadata(dir) {
        Ok(metadata) => metadata,
        Err(error) => return Some(error.to_string()),
    };
    if !metadata.is_dir() {
        return Some("it is no directory".to_owned());
    }
    // Where it really is: a folder above may be a link, and `..` is not what it seems.
    let real = match dir.canonicalize() {
        Ok(real) => real,
        Err(error) => return Some(error.to_string()),
    };
    if real.parent().is_none() || SYSTEM.iter().any(|system| real == Path::new(system)) {
        return Some("it is a directory of the system".to_owned());
    }
    let agent = agent.canonicalize().unwrap_or_else(|_| agent.to_owned());
    if agent.starts_with(&real) || real.starts_with(&agent) {
        return Some("the agent's own files are there".to_owned());
    }
    let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
    if home.is_some_and(|home| home.starts_with(&real)) {
        return Some("the agent's home is there".to_owned());
    }
    None
}

/// The entries of a directory, the longest unchanged first.
pub(super) fn oldest_first(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let changed = entry.metadata().and_then(|metadata| metadata.modified());
        entries.push((changed.unwrap_or(SystemTime::UNIX_EPOCH), entry.path()));
    }
    entries.sort();
    Ok(entries.into_iter().map(|(_, path)| path).collect())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_may_name() {
        let scratch = tempfile::tempdir().unwrap();
        let path = |name: &str| scratch.path().join(name);
        for name in ["agent/spool", "free", "other"] {
            fs::create_dir_all(path(name)).unwrap();
        }
        fs::write(path("file"), "").unwrap();
        std::os::unix::fs::symlink(path("free"), path("link")).unwrap();
        std::os::unix::fs::symlink(path("agent"), path("linked-agent")).unwrap();
        let check = |dir: PathBuf, expected: Option<&str>| {
            let refused = refusal(&dir, &path("agent"));
            match expected {
                Some(words) => assert!(
                    refused.as_ref().is_some_and(|why| why.contains(words)),
                    "{}: {refused:?}",
                    dir.display()
                ),
                None => assert_eq!(refused, None, "{}", dir.display()),
            }
        };
        check(path("free"), None);
        check("free".into(), Some("absolute"));
        check("/".into(), Some("system"));
        check("/usr/bin/..".into(), Some("system"));
        check(path("file"), Some("no directory"));
        check(path("link"), Some("no directory"));
        check(path("absent"), Some("No such file"));
        check(path("agent"), Some("agent's own"));
        check(path("agent/spool"), Some("agent's own"));
        check(path("linked-agent/spool"), Some("agent's own"));
        check(scratch.path().to_owned(), Some("agent's own"));
        check(path("other/../agent"), Some("agent's own"));
        let home = std::env::home_dir().expect("a test has a home");
        assert!(refusal(&home, &path("agent")).is_some());
    }
}
