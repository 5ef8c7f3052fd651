//! cgroups of version 2: one for the agent itself, and one for each attempt beside it.
//!
//! Only where the agent's own cgroup is given to it: by systemd (`Delegate=`), or because it is root on a system that nothing else
//! manages. The agent moves into a group of its own below that, because the system allows limits for groups only where their parent holds no
//! process itself.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use testhide_protocol::wire::Lease;
use tokio::time::{sleep, timeout};

use super::limits::Limits;

/// The group of the agent and its runners. `DelegateSubgroup=` of a systemd unit should be the same.
const OWN: &str = "testhide-agent";

/// Controllers that hold limits.
const CONTROLLERS: [&str; 3] = ["memory", "pids", "cpu"];

/// Time for killed processes to be gone.
const KILL_WAIT: Duration = Duration::from_secs(5);

/// How often that is looked at.
const POLL: Duration = Duration::from_millis(10);

/// A part of the hierarchy that is this agent's.
#[derive(Debug, Clone)]
pub(crate) struct Base {
    dir: PathBuf,
    /// Names of the controllers that groups here have, of those that hold limits.
    controllers: String,
}

impl Base {
    /// Makes the agent's part ready and moves this process into it.
    ///
    /// # Errors
    /// Why there is none, in words; this process is where it was then.
    pub(crate) fn prepare() -> Result<Self, String> {
        let own = own_dir()?;
        let dir = match parent_of_own(&own) {
            Some(dir) => dir,
            None => {
                if !is_delegated(&own) {
                    return Err(format!(
                        "`{}` is not delegated to this agent",
                        own.display()
                    ));
                }
                let leaf = own.join(OWN);
                fs::create_dir(&leaf)
                    .or_else(|error| match error.kind() {
                        io::ErrorKind::AlreadyExists => Ok(()),
                        _ => Err(error),
                    })
                    .and_then(|()| fs::write(leaf.join("cgroup.procs"), "0"))
                    .map_err(|error| format!("`{}`: {error}", leaf.display()))?;
                own
            }
        };
        let available = fs::read_to_string(dir.join("cgroup.controllers")).unwrap_or_default();
        for controller in of_use(&available).split_whitespace() {
            let change = format!("+{controller}");
            if let Err(error) = fs::write(dir.join("cgroup.subtree_control"), change) {
                tracing::debug!(%error, controller, "a cgroup controller cannot be used");
            }
        }
        Self::at(dir)
    }

    /// The part that the agent which started this process has made ready.
    pub(crate) fn here() -> Option<Self> {
        Self::at(parent_of_own(&own_dir().ok()?)?).ok()
    }

    fn at(dir: PathBuf) -> Result<Self, String> {
        let controllers = fs::read_to_string(dir.join("cgroup.subtree_control"));
        let controllers = controllers.map_err(|error| format!("`{}`: {error}", dir.display()))?;
        let controllers = of_use(&controllers);
        Ok(Self { dir, controllers })
    }

    /// What [`Self::prepare`] would find for a process that is started from here: the controllers.
    ///
    /// # Errors
    /// Why there would be no cgroups, in words.
    pub(crate) fn possible() -> Result<String, String> {
        let own = own_dir()?;
        if let Some(dir) = parent_of_own(&own) {
            return Ok(Self::at(dir)?.controllers);
        }
        if !is_delegated(&own) || !is_writable(&own) {
            return Err(format!("`{}` is not delegated to this user", own.display()));
        }
        let available = fs::read_to_string(own.join("cgroup.controllers")).unwrap_or_default();
        Ok(of_use(&available))
    }

    /// The controllers of use here, in words.
    pub(crate) fn controllers(&self) -> &str {
        &self.controllers
    }

    /// A part that is a plain folder.
    #[cfg(test)]
    pub(super) fn pretend(dir: &Path, controllers: &str) -> Self {
        Self {
            dir: dir.to_owned(),
            controllers: controllers.to_owned(),
        }
    }

    /// Where it is.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether groups here can have limits of this kind.
    fn has(&self, controller: &str) -> bool {
        lists(&self.controllers, controller)
    }

    /// Makes the group of an attempt.
    ///
    /// # Errors
    /// When the system refuses the group or one of its limits; nothing is left of it then.
    pub(super) fn begin(&self, lease: &Lease, limits: &Limits) -> io::Result<AttemptGroup> {
        let group = self.group_of(lease);
        group.end_now();
        fs::create_dir(&group.dir)?;
        let set = |file: &str, value: String| fs::write(group.dir.join(file), value);
        if self.has("memory")
            && let Some(mb) = limits.memory_mb
        {
            set("memory.max", mb.get().saturating_mul(1 << 20).to_string())?;
            set("memory.oom.group", "1".to_owned())?;
            // A limit that is met by swapping is met by a machine that nobody can use.
            if group.dir.join("memory.swap.max").exists() {
                set("memory.swap.max", "0".to_owned())?;
            }
        }
        if self.has("pids")
            && let Some(count) = limits.processes
        {
            set("pids.max", count.to_string())?;
        }
        if self.has("cpu")
            && let Some(percent) = limits.cpu_percent
        {
            // Microseconds in each tenth of a second.
            set(
                "cpu.max",
                format!("{} 100000", percent.get().saturating_mul(1000)),
            )?;
        }
        Ok(group)
    }

    fn group_of(&self, lease: &Lease) -> AttemptGroup {
        let name = format!("attempt-{}-{}-{}", lease.build, lease.attempt, lease.fence);
        AttemptGroup {
            dir: self.dir.join(name),
        }
    }
}

/// Ends what the runner of an attempt left in its group when it died.
pub(crate) async fn end_left(lease: &Lease) {
    if let Some(base) = Base::here() {
        base.group_of(lease).end().await;
    }
}

/// The group of one attempt; everything in it is killed when this is dropped.
#[derive(Debug)]
pub(super) struct AttemptGroup {
    dir: PathBuf,
}

impl AttemptGroup {
    /// The file that takes a process into the group.
    pub(super) fn entrance(&self) -> PathBuf {
        self.dir.join("cgroup.procs")
    }

    /// Whether no process runs in it.
    pub(super) fn is_empty(&self) -> bool {
        match fs::read_to_string(self.dir.join("cgroup.events")) {
            Ok(events) => value(&events, "populated") == Some(0),
            Err(_) => !self.dir.exists(),
        }
    }

    /// The processes in it and in groups that they made below it.
    pub(super) fn members(&self) -> Vec<u32> {
        let mut members = Vec::new();
        for dir in self.folders() {
            let processes = fs::read_to_string(dir.join("cgroup.procs")).unwrap_or_default();
            members.extend(
                processes
                    .lines()
                    .filter_map(|line| line.parse::<u32>().ok()),
            );
        }
        members
    }

    /// Kills everything in it at one stroke, where the kernel can; else what is known.
    pub(super) fn kill(&self) {
        if fs::write(self.dir.join("cgroup.kill"), "1").is_err() {
            for member in self.members() {
                super::confinement::signal(member, true);
            }
        }
    }

    /// How often something in it was killed for want of memory.
    pub(super) fn memory_kills(&self) -> u64 {
        self.count("memory.events", "oom_kill")
    }

    /// How often it was refused a process.
    pub(super) fn refused_processes(&self) -> u64 {
        self.count("pids.events", "max")
    }

    /// Kills everything in it, waits until it is gone, and deletes the group. Says whether that was possible.
    pub(super) async fn end(&self) -> bool {
        let empty = async {
            while !self.is_empty() {
                self.kill();
                sleep(POLL).await;
            }
        };
        let is_empty = timeout(KILL_WAIT, empty).await.is_ok();
        self.delete();
        is_empty
    }

    /// The same without waiting: what is being killed keeps the group.
    fn end_now(&self) {
        if self.dir.exists() {
            self.kill();
            self.delete();
        }
    }

    fn delete(&self) {
        for dir in self.folders().iter().rev() {
            if let Err(error) = fs::remove_dir(dir)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(dir = %dir.display(), %error, "cannot delete the cgroup of an attempt");
            }
        }
    }

    /// Its folder and those below, each behind the one that holds it.
    fn folders(&self) -> Vec<PathBuf> {
        let mut folders = vec![self.dir.clone()];
        let mut next = 0;
        while let Some(folder) = folders.get(next) {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            let below = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
            let below: Vec<_> = below.map(|entry| entry.path()).collect();
            folders.extend(below);
            next += 1;
        }
        folders
    }

    fn count(&self, file: &str, key: &str) -> u64 {
        let events = fs::read_to_string(self.dir.join(file)).unwrap_or_default();
        value(&events, key).unwrap_or(0)
    }
}

impl Drop for AttemptGroup {
    fn drop(&mut self) {
        self.end_now();
    }
}

/// Deletes the agent's own group, which a test that has ended may have left.
#[cfg(test)]
pub(super) fn forget_own() {
    if let Ok(own) = own_dir() {
        // Another agent may live in it.
        drop(fs::remove_dir(own.join(OWN)));
    }
}

/// The number behind a word at the beginning of a line.
fn value(text: &str, key: &str) -> Option<u64> {
    let mut lines = text.lines().filter_map(|line| line.split_once(' '));
    let (_, value) = lines.find(|(found, _)| *found == key)?;
    value.trim().parse().ok()
}

/// Those of the controllers that hold limits.
fn of_use(controllers: &str) -> String {
    let of_use = CONTROLLERS.into_iter();
    let of_use: Vec<_> = of_use.filter(|name| lists(controllers, name)).collect();
    of_use.join(" ")
}

fn lists(words: &str, word: &str) -> bool {
    words.split_whitespace().any(|found| found == word)
}

/// The folder above, if `own` is a group that [`Base::prepare`] makes.
fn parent_of_own(own: &Path) -> Option<PathBuf> {
    (own.file_name()? == OWN).then(|| own.parent().map(Path::to_owned))?
}

/// The folder of this process's group.
fn own_dir() -> Result<PathBuf, String> {
    if !cfg!(target_os = "linux") {
        return Err("this system has no cgroups".to_owned());
    }
    let read = |path: &str| fs::read_to_string(path).map_err(|error| format!("`{path}`: {error}"));
    let (group, mounts) = (read("/proc/self/cgroup")?, read("/proc/self/mountinfo")?);
    let dir = dir_of(&group, &mounts).ok_or("cgroups of version 2 are not mounted")?;
    if dir.join("cgroup.procs").exists() {
        Ok(dir)
    } else {
        Err(format!("`{}` is not visible from here", dir.display()))
    }
}

/// The folder, by `/proc/self/cgroup` and `/proc/self/mountinfo`.
fn dir_of(group: &str, mounts: &str) -> Option<PathBuf> {
    let group = group.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|line| {
        let (mount, kind) = line.split_once(" - ")?;
        let mut fields = mount.split(' ').skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        let below = Path::new(group).strip_prefix(root).ok()?;
        // A trailing slash would be in the way of the parent.
        kind.starts_with("cgroup2 ")
            .then(|| Path::new(place).join(below).components().collect())
    })
}

/// Whether whoever manages this group leaves it to its processes. A user who is not root could not write in it otherwise.
#[cfg(target_os = "linux")]
fn is_delegated(dir: &Path) -> bool {
    let is_marked = |dir: &Path| {
        ["user.delegate", "trusted.delegate"].iter().any(|name| {
            let mut value = [0u8; 8];
            rustix::fs::getxattr(dir, *name, &mut value[..])
                .is_ok_and(|length| length == 1 && value[0] == b'1')
        })
    };
    let of_systemd = |part: std::path::Component<'_>| {
        let part = part.as_os_str().to_string_lossy();
        [".service", ".scope", ".slice"]
            .iter()
            .any(|ending| part.ends_with(ending))
    };
    !rustix::process::geteuid().is_root() || is_marked(dir) || !dir.components().any(of_systemd)
}

#[cfg(target_os = "linux")]
fn is_writable(dir: &Path) -> bool {
    rustix::fs::access(dir, rustix::fs::Access::WRITE_OK).is_ok()
}

#[cfg(not(target_os = "linux"))]
fn is_delegated(_dir: &Path) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn is_writable(_dir: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_of_a_group() {
        let hybrid = "33 32 0:30 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n\
                      43 32 0:40 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw";
        let plain =
            "35 24 0:29 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate";
        let part = "35 24 0:29 /docker/x /sys/fs/cgroup ro - cgroup2 cgroup rw";
        let check = |group: &str, mounts: &str, expected: Option<&str>| {
            assert_eq!(
                dir_of(group, mounts),
                expected.map(PathBuf::from),
                "{group}"
            );
        };
        check("8:pids:/a\n0::/\n", hybrid, Some("/sys/fs/cgroup/unified"));
        let unit = "0::/system.slice/testhide-agent.service";
        let dir = "/sys/fs/cgroup/system.slice/testhide-agent.service";
        check(unit, plain, Some(dir));
        check("0::/docker/x/y", part, Some("/sys/fs/cgroup/y"));
        check("0::/docker/other", part, None);
        check("8:pids:/a\n", plain, None);
        assert_eq!(parent_of_own(Path::new("/a/b")), None);
        assert_eq!(
            parent_of_own(Path::new("/a/testhide-agent")),
            Some("/a".into())
        );
    }

    #[test]
    fn a_number_in_a_list_of_events() {
        let events = "low 0\noom 3\noom_kill 2\noom_group_kill 1\n";
        assert_eq!(value(events, "oom_kill"), Some(2));
        assert_eq!(value(events, "oom_k"), None);
        assert_eq!(value("populated 0\nfrozen 0\n", "populated"), Some(0));
    }
}
