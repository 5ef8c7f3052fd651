//! The directories of an attempt: workspace, home and temporary files.
//!
//! `workspaces/<project>/<job>` is emptied before each attempt, never through a link; a second attempt of the same job at the
//! same time gets `<job>@2`. `homes/…` is the job's own home and stays, so that the caches of its tools do. `temp/…` lives as
//! long as the attempt. None of them holds a file of the agent. `locks/…` says which of them somebody uses, across processes; what cannot
//! be deleted is moved to `.quarantine` beside it, so that the next build begins clean all the same.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use testhide_protocol::wire::Assignment;

use super::slot::Slot;
use crate::removal;

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
    /// What could not be deleted and lies in quarantine now, in words.
    pub(crate) notices: Vec<String>,
    /// Held until nobody uses the directories any more.
    _slots: Vec<Slot>,
}

/// Gives out workspaces.
#[derive(Debug, Clone)]
pub(crate) struct Workspaces {
    root: PathBuf,
}

/// Where the directories of attempts are.
const FOLDERS: [&str; 3] = ["workspaces", "homes", "temp"];

/// No job's folder begins with a dot.
const QUARANTINE: &str = ".quarantine";

/// Directories of one kind that stay between builds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// What the last build of a job left.
    Workspace,
    /// What a job's tools keep for its next build.
    Home,
}

impl Kind {
    fn folder(self) -> &'static str {
        match self {
            Self::Workspace => "workspaces",
            Self::Home => "homes",
        }
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Workspace => "workspace",
            Self::Home => "home",
        })
    }
}

/// What became of a directory that was to be deleted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Discarded {
    /// It is gone.
    Deleted,
    /// It lies in quarantine; why, in words.
    Aside(String),
    /// A build uses it.
    Taken,
}

/// A directory that a build once used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Used {
    /// When a build took it last.
    pub(crate) last: SystemTime,
    /// `<project>/<job>`, with `@2` and so on.
    pub(crate) name: PathBuf,
}

impl Workspaces {
    /// Workspaces below the agent's directory.
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    /// The agent's directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Deletes the temporary files of attempts that no process runs any more.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn forget_temporary(&self) -> io::Result<()> {
        let temp = self.root.join("temp");
        let mut result = Ok(());
        for name in names_in(&temp)? {
            if let Some(_slot) = Slot::try_take(&self.lock("temp", &name))? {
                let removed = removal::remove(&temp.join(&name));
                result = result.and(removed.map_err(io::Error::from));
            }
        }
        result
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
        let (name, slot) = self.take(&job)?;
        let attempt = format!(
            "{}-{}-{}",
            assignment.build_number, assignment.lease.attempt, assignment.lease.fence
        );
        let own = Slot::take(&self.lock("temp", Path::new(&attempt)))?;
        let scratch = self.root.join("temp").join(attempt);
        let mut workspace = Workspace {
            dir: self.root.join(Kind::Workspace.folder()).join(&name),
            home: self.root.join(Kind::Home.folder()).join(&name),
            temp: scratch.join("tmp"),
            scratch,
            notices: Vec::new(),
            _slots: vec![slot, own],
        };
        for dir in [&workspace.dir, &workspace.home] {
            unlink_parents(&self.root, dir)?;
        }
        for dir in [&workspace.dir, &workspace.scratch] {
            workspace.notices.extend(self.vacate(dir)?);
        }
        for dir in [
            &workspace.dir,
            &workspace.home,
            &workspace.scratch,
            &workspace.temp,
        ] {
            fs::create_dir_all(dir)?;
            private(dir)?;
        }
        if let Err(error) = touch(&workspace.home) {
            tracing::debug!(%error, "cannot note when a home was used");
        }
        Ok(workspace)
    }

    /// Every directory of a kind that nobody uses now, the longest unused first.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub(crate) fn unused(&self, kind: Kind) -> io::Result<Vec<Used>> {
        let root = self.root.join(kind.folder());
        let mut unused = Vec::new();
        for project in names_in(&root)? {
            for job in names_in(&root.join(&project))? {
                let name = project.join(job);
                // A build may take and empty it at any moment.
                let Ok(metadata) = fs::symlink_metadata(root.join(&name)) else {
                    continue;
                };
                if Slot::try_take(&self.slot_of(&name))?.is_some() {
                    let last = metadata.modified()?;
                    unused.push(Used { last, name });
                }
            }
        }
        unused.sort();
        Ok(unused)
    }

    /// Deletes a directory, unless somebody has taken it meanwhile; what cannot be deleted goes to quarantine.
    ///
    /// # Errors
    /// When the disk refuses both.
    pub(crate) fn discard(&self, kind: Kind, name: &Path) -> io::Result<Discarded> {
        let Some(_slot) = Slot::try_take(&self.slot_of(name))? else {
            return Ok(Discarded::Taken);
        };
        let dir = self.root.join(kind.folder()).join(name);
        unlink_parents(&self.root, &dir)?;
        let notice = self.vacate(&dir)?;
        Ok(notice.map_or(Discarded::Deleted, Discarded::Aside))
    }

    /// Whether any attempt uses a workspace now.
    ///
    /// # Errors
    /// When the locks cannot be read.
    pub(crate) fn are_in_use(&self) -> io::Result<bool> {
        let attempts = self.root.join("locks/temp");
        for name in names_in(&attempts)? {
            if Slot::try_take(&attempts.join(name))?.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Tries again to delete what lies in quarantine.
    ///
    /// # Errors
    /// What stays there.
    pub(crate) fn empty_quarantine(&self) -> io::Result<()> {
        let mut result = Ok(());
        for folder in FOLDERS {
            let quarantine = self.root.join(folder).join(QUARANTINE);
            if quarantine.is_dir() {
                result = result.and(removal::empty(&quarantine).map_err(io::Error::from));
            }
        }
        result
    }

    /// The first free name for a job.
    fn take(&self, job: &str) -> io::Result<(PathBuf, Slot)> {
        let mut name = PathBuf::from(job);
        let mut count = 1;
        loop {
            if let Some(slot) = Slot::try_take(&self.slot_of(&name))? {
                return Ok((name, slot));
            }
            count += 1;
            name = format!("{job}@{count}").into();
        }
    }

    fn slot_of(&self, name: &Path) -> PathBuf {
        self.lock("jobs", name)
    }

    fn lock(&self, kind: &str, name: &Path) -> PathBuf {
        self.root.join("locks").join(kind).join(name)
    }

    /// Deletes what is at `dir`, or moves it to quarantine and says so.
    fn vacate(&self, dir: &Path) -> io::Result<Option<String>> {
        let Err(undeleted) = removal::remove(dir) else {
            return Ok(None);
        };
        // On the same disk, wherever an operator has put these folders.
        let folder = FOLDERS.iter().map(|folder| self.root.join(folder));
        let folder = folder.into_iter().find(|folder| dir.starts_with(folder));
        let quarantine = folder
            .expect("every directory of an attempt is in one of the three")
            .join(QUARANTINE);
        fs::create_dir_all(&quarantine)?;
        private(&quarantine)?;
        let name = dir.file_name().unwrap_or_default().to_string_lossy();
        let mut number = 1;
        let aside = loop {
            let aside = quarantine.join(format!("{name}-{number}"));
            match fs::rename(dir, &aside) {
                Ok(()) => break aside,
                // Whatever lies there is not empty.
                Err(_) if aside.exists() => number += 1,
                Err(error) => return Err(error),
            }
        };
        Ok(Some(format!(
            "what an earlier build left was moved to `{}`: {undeleted}",
            aside.display()
        )))
    }
}

impl Workspace {
    /// Deletes the temporary files; the workspace stays for who wants to look at it, until the job's next build.
    ///
    /// # Errors
    /// When the disk refuses it.
    pub(crate) fn clear_temporary(&self) -> io::Result<()> {
        Ok(removal::remove(&self.scratch)?)
    }

    /// Directories that nobody has made.
    #[cfg(test)]
    pub(crate) fn at(dir: PathBuf, home: PathBuf, temp: PathBuf) -> Self {
        Self {
            dir,
            home,
            scratch: temp.clone(),
            temp,
            notices: Vec::new(),
            _slots: Vec::new(),
        }
    }
}

/// Names in a folder that builds gave, or none when there is no such folder.
fn names_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(Vec::new()),
                _ => Err(error),
            };
        }
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = PathBuf::from(entry?.file_name());
        if !name.as_os_str().as_encoded_bytes().starts_with(b".") {
            names.push(name);
        }
    }
    Ok(names)
}

/// Notes that a folder is used now.
fn touch(dir: &Path) -> io::Result<()> {
    File::open(dir)?.set_modified(SystemTime::now())
}

/// A name as one part of a path. A name that has to be changed for that gets a piece of its hash, so that two names
/// never share a directory.
fn component(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    // Windows takes the dot at the end away, and knows devices by the names of files.
    let device = |stem: &str| {
        let stem = stem.to_ascii_uppercase();
        let numbered = stem.strip_prefix("COM").or(stem.strip_prefix("LPT"));
        ["CON", "PRN", "AUX", "NUL"].contains(&stem.as_str())
            || numbered.is_some_and(|number| number.len() == 1)
    };
    let special = device(name.split('.').next().unwrap_or_default());
    let dotted = name.starts_with('.') || name.ends_with('.');
    if !name.is_empty() && name.len() <= 100 && !dotted && !special && name.chars().all(plain) {
        return name.to_owned();
    }
    let hash = ring::digest::digest(&ring::digest::SHA256, name.as_bytes());
    let hash = data_encoding::HEXLOWER.encode(&hash.as_ref()[..6]);
    let kept: String = name
        .chars()
        .take(60)
        .map(|c| if plain(c) { c } else { '_' })
        .collect();
    let mark = if special { "_" } else { "" };
    format!("{mark}{}~{hash}", kept.trim_start_matches('.'))
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
    fn the_longest_unused_goes_first_and_what_is_used_stays() {
        let scratch = Scratch::new();
        let workspaces = Workspaces::new(scratch.path().to_owned());
        let mut job = assignment(lease(1), Vec::new());
        for name in ["old", "new", "used"] {
            job.job_name = name.to_owned();
            drop(workspaces.claim(&job).unwrap());
        }
        let day = std::time::Duration::from_secs(86_400);
        let old = scratch.path().join("workspaces/project/old");
        File::open(&old)
            .unwrap()
            .set_modified(SystemTime::now() - day)
            .unwrap();
        assert!(!workspaces.are_in_use().unwrap());
        let used = workspaces.claim(&job).unwrap();
        assert!(workspaces.are_in_use().unwrap());
        workspaces.forget_temporary().unwrap();
        assert!(used.temp.is_dir(), "of an attempt that runs");
        let unused = workspaces.unused(Kind::Workspace).unwrap();
        let names: Vec<_> = unused.iter().map(|used| used.name.clone()).collect();
        assert_eq!(
            names,
            ["project/old", "project/new"].map(PathBuf::from).to_vec()
        );
        let discard = |name| {
            workspaces
                .discard(Kind::Workspace, Path::new(name))
                .unwrap()
        };
        assert_eq!(discard("project/old"), Discarded::Deleted);
        assert_eq!(discard("project/used"), Discarded::Taken);
        assert!(!old.exists() && used.dir.is_dir());
    }

    /// Root alone can make what this user cannot delete, and only where it may mount.
    #[cfg(target_os = "linux")]
    #[test]
    fn what_cannot_be_deleted_does_not_stand_in_the_way() {
        let scratch = Scratch::new();
        let workspaces = Workspaces::new(scratch.path().to_owned());
        let assignment = assignment(lease(1), Vec::new());
        let dir = workspaces.claim(&assignment).unwrap().dir;
        let (mounted, outside) = (dir.join("mounted"), scratch.path().join("outside"));
        for folder in [&mounted, &outside] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(outside.join("precious"), "kept").unwrap();
        let mount = std::process::Command::new("mount")
            .arg("--bind")
            .args([&outside, &mounted])
            .output();
        if !mount.is_ok_and(|output| output.status.success()) {
            eprintln!("not checked: this user may not mount");
            return;
        }
        let claimed = workspaces.claim(&assignment);
        let again = workspaces.empty_quarantine();
        let aside = scratch.path().join("workspaces/.quarantine/job-1/mounted");
        let unmounted = std::process::Command::new("umount").arg(&aside).status();
        assert!(unmounted.unwrap().success());
        let claimed = claimed.unwrap();
        assert_eq!(
            (claimed.dir.clone(), fs::read_dir(&dir).unwrap().count()),
            (dir, 0)
        );
        assert!(
            claimed.notices[0].contains("`mounted`"),
            "{:?}",
            claimed.notices
        );
        assert!(again.is_err());
        workspaces.empty_quarantine().unwrap();
        assert!(!aside.exists() && outside.join("precious").exists());
    }

    #[test]
    fn a_name_is_one_part_of_a_path() {
        let check = |name: &str, expected: &str| assert_eq!(component(name), expected);
        check("nightly-2.x", "nightly-2.x");
        for name in [
            "..", ".", "", "a/b", "a_b@2", "\u{202e}", ".hidden", "a.", "nul", "Con.x", "com1",
        ] {
            let changed = component(name);
            assert!(
                !changed.starts_with('.') && !changed.contains(['/', '@']) && changed.contains('~'),
                "{changed}"
            );
        }
        assert_ne!(component("a/b"), component("a b"));
    }
}
