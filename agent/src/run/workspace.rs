//! The directories of an attempt: workspace, home and temporary files.
//!
//! `workspaces/<project>/<job>` is emptied before each attempt, never through a link; a second attempt of the same job at the
//! same time gets `<job>@2`; who has taken one holds the lock of the same name below `claims`. `homes/…` is the job's own home and stays, so that the caches of its tools do. `temp/…` lives as
//! long as the attempt. None of them holds a file of the agent.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use testhide_protocol::wire::{Assignment, Lease};

/// The directories of one attempt; the workspace is free for the next one when this is dropped.
#[derive(Debug)]
pub(crate) struct Workspace {
    /// Where the steps run.
    pub(crate) dir: PathBuf,
    /// What the steps take for their home.
    pub(crate) home: PathBuf,
    /// Temporary files of the steps.
    pub(crate) temp: PathBuf,
    /// The agent's files for this attempt: the scripts. Holds `temp`.
    pub(crate) scratch: PathBuf,
    /// Locked as long as the workspace is taken, by a process of this agent or another.
    _claim: Option<File>,
}

/// Gives out workspaces.
#[derive(Debug, Clone)]
pub(crate) struct Workspaces {
    root: PathBuf,
}

impl Workspaces {
    /// Workspaces below the agent's directory.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// Deletes the temporary files of attempts that run no more.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn forget_temporary(&self, running: &[Lease]) -> io::Result<()> {
        let entries = match fs::read_dir(self.root.join("temp")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name();
            let is_of = |lease: &Lease| name.to_string_lossy().ends_with(&temporary(lease));
            if !running.iter().any(is_of) {
                remove(&entry.path())?;
            }
        }
        Ok(())
    }

    /// Makes the directories of an attempt; the workspace is empty.
    ///
    /// # Errors
    /// When the disk refuses it; nothing is taken then.
    pub(crate) fn claim(&self, assignment: &Assignment) -> io::Result<Workspace> {
        let job = format!(
            "{}/{}",
            component(&assignment.project_name),
            component(&assignment.job_name)
        );
        let (slot, claim) = self.take(&job)?;
        let scratch = self.root.join("temp").join(format!(
            "{}{}",
            assignment.build_number,
            temporary(&assignment.lease)
        ));
        let workspace = Workspace {
            dir: self.root.join("workspaces").join(&slot),
            home: self.root.join("homes").join(&slot),
            temp: scratch.join("tmp"),
            scratch,
            _claim: Some(claim),
        };
        for dir in [&workspace.dir, &workspace.home] {
            unlink_parents(&self.root, dir)?;
        }
        remove(&workspace.dir)?;
        remove(&workspace.scratch)?;
        for dir in [
            &workspace.dir,
            &workspace.home,
            &workspace.scratch,
            &workspace.temp,
        ] {
            fs::create_dir_all(dir)?;
            private(dir)?;
        }
        Ok(workspace)
    }

    /// The first free name for a job, and the lock that takes it.
    fn take(&self, job: &str) -> io::Result<(String, File)> {
        let mut slot = job.to_owned();
        let mut count = 1;
        loop {
            let path = self.root.join("claims").join(&slot);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder)?;
            }
            let file = File::options()
                .write(true)
                .create(true)
                .truncate(false)
                .open(path)?;
            match file.try_lock() {
                Ok(()) => return Ok((slot, file)),
                Err(TryLockError::WouldBlock) => {}
                Err(TryLockError::Error(error)) => return Err(error),
            }
            count += 1;
            slot = format!("{job}@{count}");
        }
    }
}

/// The end of the name of an attempt's temporary folder; no other attempt's ends so.
fn temporary(lease: &Lease) -> String {
    format!("-{}-{}", lease.attempt, lease.fence)
}

impl Workspace {
    /// Deletes the temporary files; the workspace stays for who wants to look at it, until the job's next build.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn clear_temporary(&self) -> io::Result<()> {
        remove(&self.scratch)
    }

    /// Directories that nobody has made.
    #[cfg(test)]
    pub(crate) fn at(dir: PathBuf, home: PathBuf, temp: PathBuf) -> Self {
        Self {
            dir,
            home,
            scratch: temp.clone(),
            temp,
            _claim: None,
        }
    }
}

/// A name as one part of a path. A name that has to be changed for that gets a piece of its hash, so that two names
/// never share a directory.
fn component(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    if !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && name.chars().all(plain) {
        return name.to_owned();
    }
    let hash = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let hash = data_encoding::HEXLOWER.encode(&hash.as_ref()[..6]);
    let kept: String = name
        .chars()
        .take(60)
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    format!("{}~{hash}", kept.trim_start_matches('.'))
}

/// Deletes links and files that stand where the folders between `root` and `dir` should, so that nothing below them is elsewhere.
fn unlink_parents(root: &Path, dir: &Path) -> io::Result<()> {
    let parents = dir.ancestors().take_while(|parent| *parent != root);
    for parent in parents {
        match fs::symlink_metadata(parent) {
            Ok(metadata) if !metadata.is_dir() => fs::remove_file(parent)?,
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Deletes a directory and what is in it, or a link itself, whatever the permissions of the folders inside.
fn remove(path: &Path) -> io::Result<()> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    if !metadata.is_dir() {
        return fs::remove_file(path);
    }
    // The standard library opens each folder without following links, and by its parent's handle.
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
            open_up(path)?;
            fs::remove_dir_all(path)
        }
        result => result,
    }
}

/// Gives this user the right to empty every folder below `path`; tools write-protect their caches.
fn open_up(path: &Path) -> io::Result<()> {
    let mut folders = vec![path.to_owned()];
    while let Some(folder) = folders.pop() {
        private(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            // Of the entry itself, not of what a link points at.
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            }
        }
    }
    Ok(())
}

/// For this user alone.
#[cfg(unix)]
fn private(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700))
}

/// Below a user's own directory Windows gives others no right anyway.
#[cfg(not(unix))]
fn private(_dir: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use crate::tests::{Scratch, assignment, lease};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn cleaning_does_not_follow_links() {
        let scratch = Scratch::new();
        let outside = scratch.path().join("outside");
        fs::create_dir_all(outside.join("folder")).unwrap();
        fs::write(outside.join("folder/precious"), "kept").unwrap();
        let workspaces = Workspaces::new(scratch.path().join("agent"));
        let assignment = assignment(lease(1), Vec::new());

        let first = workspaces.claim(&assignment).unwrap();
        symlink(&outside, first.dir.join("link")).unwrap();
        symlink(outside.join("folder/precious"), first.dir.join("file")).unwrap();
        let locked = first.dir.join("locked");
        fs::create_dir(&locked).unwrap();
        symlink(&outside, locked.join("link")).unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o500)).unwrap();
        let dir = first.dir.clone();
        drop(first);
        let second = workspaces.claim(&assignment).unwrap();
        assert_eq!(
            (second.dir.clone(), fs::read_dir(&dir).unwrap().count()),
            (dir.clone(), 0)
        );
        drop(second);

        // The workspace, and then the project's folder, are themselves links to elsewhere.
        for linked in [dir.clone(), dir.parent().unwrap().to_owned()] {
            fs::remove_dir_all(&linked).unwrap();
            symlink(&outside, &linked).unwrap();
            let claimed = workspaces.claim(&assignment).unwrap();
            assert!(!fs::symlink_metadata(&linked).unwrap().is_symlink());
            drop(claimed);
        }
        assert_eq!(
            fs::read_to_string(outside.join("folder/precious")).unwrap(),
            "kept"
        );
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
    }

    #[test]
    fn two_attempts_of_a_job_have_two_workspaces() {
        let scratch = Scratch::new();
        let workspaces = Workspaces::new(scratch.path().to_owned());
        let claim = |fence| {
            workspaces
                .claim(&assignment(lease(fence), Vec::new()))
                .unwrap()
        };
        let (first, second) = (claim(1), claim(2));
        assert!(second.dir.ends_with("project/job@2"), "{:?}", second.dir);
        drop(first);
        let third = claim(3);
        assert!(third.dir.ends_with("project/job"), "{:?}", third.dir);
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        let check = |name: &str, expected: &str| assert_eq!(component(name), expected);
        check("nightly-2.x", "nightly-2.x");
        for name in ["..", ".", "", "a/b", "a_b@2", "\u{202e}", ".hidden"] {
            let changed = component(name);
            assert!(
                !changed.starts_with('.') && !changed.contains(['/', '@']) && changed.contains('~'),
                "{changed}"
            );
        }
        assert_ne!(component("a/b"), component("a b"));
    }
}
