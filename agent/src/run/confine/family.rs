//! Adoption: a process that runs one attempt becomes the parent of everything that the attempt's steps orphan.
//!
//! So a daemon is found wherever it went: without its group, its session, its environment, its open files. Only for a process of its
//! own: one that runs several attempts could not tell whose the orphans are. Linux alone has it.

/// A process whose every descendant is of its attempt.
#[derive(Debug)]
pub(crate) struct Family(());

#[cfg(target_os = "linux")]
mod system {
    use std::collections::{HashMap, HashSet};
    use std::fs;

    use rustix::io::Errno;
    use rustix::process::{
        Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, kill_process, set_child_subreaper,
        wait, waitid,
    };

    use super::Family;

    /// Looks after which a family that still grows is killed as far as it is known.
    const LOOKS: usize = 100;

    impl Family {
        /// Makes this process the parent of its descendants' orphans. Nothing where the system refuses it.
        pub(crate) fn adopt() -> Option<Self> {
            match set_child_subreaper(Some(getpid())) {
                Ok(()) => Some(Self(())),
                Err(error) => {
                    tracing::warn!(%error, "cannot adopt what steps leave behind");
                    None
                }
            }
        }

        /// Whether no descendant is left. Reaps the dead, so that nobody else may wait for one at this moment.
        pub(crate) fn is_empty(&self) -> bool {
            let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            loop {
                match waitid(WaitId::All, look) {
                    // Whoever has descendants has a child: orphans come here.
                    Err(Errno::CHILD) => return true,
                    Ok(Some(_)) => drop(wait(WaitOptions::NOHANG)),
                    Ok(None) | Err(_) => return false,
                }
            }
        }

        /// Sends a signal to every descendant.
        pub(crate) fn signal(&self, signal: Signal) {
            for pid in descendants() {
                send(pid, signal);
            }
        }

        /// Kills every descendant. They are stopped first: who multiplies as fast as it is killed cannot when it stands still.
        pub(crate) fn kill(&self) {
            let mut stopped = HashSet::new();
            for _ in 0..LOOKS {
                let new: Vec<_> = descendants()
                    .into_iter()
                    .filter(|pid| stopped.insert(*pid))
                    .collect();
                if new.is_empty() {
                    break;
                }
                for pid in new {
                    send(pid, Signal::STOP);
                }
            }
            self.signal(Signal::KILL);
        }
    }

    fn send(pid: Pid, signal: Signal) {
        if let Err(error) = kill_process(pid, signal) {
            tracing::debug!(process.id = pid.as_raw_nonzero(), %error, "a process has ended by itself");
        }
    }

    /// Every living descendant of this process.
    fn descendants() -> Vec<Pid> {
        let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let number = entry
                .file_name()
                .to_str()
                .and_then(|name| name.parse().ok());
            let Some(pid) = number else { continue };
            let stat = fs::read_to_string(entry.path().join("stat"));
            if let Some(parent) = stat.ok().as_deref().and_then(living_parent) {
                children.entry(parent).or_default().push(pid);
            }
        }
        let mut found = Vec::new();
        let mut parents = vec![getpid().as_raw_nonzero().get()];
        while let Some(parent) = parents.pop() {
            let children = children.remove(&parent).unwrap_or_default();
            found.extend(children.iter().filter_map(|pid| Pid::from_raw(*pid)));
            parents.extend(children);
        }
        found
    }

    /// The parent in a line of `/proc/PID/stat`, unless the process is dead and only waits to be reaped. Its name may
    /// hold anything, brackets included.
    fn living_parent(stat: &str) -> Option<i32> {
        let (_, rest) = stat.rsplit_once(") ")?;
        let mut fields = rest.split(' ');
        let state = fields.next()?;
        let parent = fields.next()?.parse().ok()?;
        (!matches!(state, "Z" | "X")).then_some(parent)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_line_of_a_process() {
            let check = |line: &str, expected: Option<i32>| {
                assert_eq!(living_parent(line), expected, "{line}");
            };
            check("12 (bash) S 7 12 12 0", Some(7));
            check("12 (a) Z 9 (b) R 7 12", Some(7));
            check("12 (bash) Z 7 12 12 0", None);
            check("12 (bash", None);
        }
    }
}

#[cfg(not(target_os = "linux"))]
impl Family {
    /// This system has nothing of the kind.
    pub(crate) fn adopt() -> Option<Self> {
        None
    }

    /// Nothing is known of anybody.
    pub(crate) fn is_empty(&self) -> bool {
        true
    }

    /// Nobody is known.
    #[cfg(unix)]
    pub(crate) fn signal(&self, _signal: rustix::process::Signal) {}

    /// Nobody is known.
    pub(crate) fn kill(&self) {}
}
